"""Rows whose keys are templates: 25 a request where no other model can have their keys, one by one elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import mixstore
from mixstore import Field, Key, Model, partition_key, sort_key
from mixstore.templates import Template
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_backends.dynamodb.heads import head_of
from mixstore_backends.dynamodb.keying import prefix_of

ROWS = 30
TOGETHER, APART = {"batch_write_item": 2}, {"put_item": ROWS}


class Todo(Model):
    class Meta:
        key = Key(partition="USER#{user}", sort="TODO#{id}")

    user: str
    id: str


class User(Model):
    id: str = Field(primary_key=True)


class Profile(Model):
    class Meta:
        key = Key(partition="USER#{user}", sort="PROFILE")

    user: str
    id: str = ""


class Untold(Model):
    """Its keys don't name it: whoever else writes into the table may think that they are its."""

    class Meta:
        key = Key(partition="USER#{user}", sort="{id}")

    user: str
    id: str


class Note(Model):
    """Its keys name it, in a partition that others have too."""

    class Meta:
        key = Key(partition="NOTE#{user}", sort="{id}")

    user: str
    id: str


class Anything(Model):
    class Meta:
        key = Key(partition="{user}", sort="{id}")

    user: str
    id: str


class Computed(Model):
    user: str
    id: str

    @partition_key
    def where(self) -> str:
        return f"COMPUTED#{self.user}"

    @sort_key
    def which(self) -> str:
        return self.id


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with mixstore.registry():
        yield


@pytest.fixture
def requests(answering: Callable[..., Any]) -> Callable[..., dict[str, int]]:
    """`requests(Model, *others)`: how many requests 30 upserts take, by operation, where the others are known."""

    def sent(model: type[Model], *others: type[Model]) -> dict[str, int]:
        backend, client = answering(*[{}] * ROWS)
        for other in others:
            backend.bound(other)
        model.bind(backend)
        try:
            model.batch_upsert([{"user": f"u{number}", "id": str(number)} for number in range(ROWS)])
        finally:
            model.bind(None)
        asked = [operation for operation, _ in client.asked]
        return {operation: asked.count(operation) for operation in dict.fromkeys(asked)}

    return sent


@pytest.mark.parametrize(
    ("model", "others", "expected"),
    [
        (Todo, (), TOGETHER),
        (Todo, (User, Profile, Note), TOGETHER),
        (Profile, (Todo, User), TOGETHER),
        (Note, (Todo, Profile), TOGETHER),
        (Todo, (Untold,), APART),
        (Note, (Anything,), APART),
        (Todo, (Computed,), APART),
        (Untold, (), APART),
        (Computed, (), APART),
    ],
    ids=lambda given: given.__name__ if isinstance(given, type) else None,
)
def test_rows_go_together_where_their_keys_name_them_and_nobody_else_can_have_one(requests, model, others, expected):
    assert requests(model, *others) == expected


def test_rows_that_go_one_by_one_ask_for_their_entity(answering):
    backend, client = answering({}, {})
    Untold.bind(backend)
    Untold.batch_upsert([{"user": "u", "id": "1"}, {"user": "u", "id": "2"}])
    Untold.bind(None)
    assert all("ConditionExpression" in request for _, request in client.asked)


def test_a_single_row_asks_for_its_entity_as_ever(answering):
    backend, client = answering({})
    backend.upsert(Todo, {"user": "u", "id": "1"})
    assert [operation for operation, _ in client.asked] == ["put_item"]
    assert "ConditionExpression" in client.asked[0][1]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("A#{x}", "B#{x}", True),
        ("A#{x}", "A#{x}", False),
        ("A#{x}", "A#B#{x}", False),
        ("{x}", "B#{x}", False),
        ("A", "A#{x}", True),
        ("A#b", "A#{x}", False),
        ("A", "B", True),
        ("A", "A", False),
        ("A{x}", "A", False),
    ],
)
def test_texts_that_begin_differently_are_never_the_same(one, other, apart):
    first, second = head_of(Template(one)), head_of(Template(other))
    assert first.apart(second) is second.apart(first) is apart


@pytest.mark.parametrize(
    ("template", "entity", "named"),
    [
        ("TODO#{id}", "Todo", True),
        ("todo-{id}", "Todo", True),
        ("TODO", "Todo", True),
        ("TODO{id}", "Todo", False),
        ("TODOLIST#{id}", "Todo", False),
        ("USER#TODO#{id}", "Todo", False),
        ("{id}", "Todo", False),
    ],
)
def test_a_key_names_its_entity_by_what_it_begins_with(template, entity, named):
    assert head_of(Template(template)).names(prefix_of(entity)) is named


def test_rows_of_a_batch_are_stored_and_found(store: DynamoDBBackend):
    Todo.bind(store)
    store.initialize(Todo)
    rows = [{"user": "ann", "id": f"{number:02}"} for number in range(ROWS)]
    assert Todo.batch_upsert(rows) == Todo.where(user="ann").all()
    Todo.bind(None)
