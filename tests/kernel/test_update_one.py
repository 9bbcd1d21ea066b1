"""`query.update_one(instance, ...)`: the row of one instance, changed as the query sees it; and deferred decisions."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    FALSE,
    TRUE,
    BackendExtension,
    BatchError,
    ConfigurationError,
    Deferred,
    DuplicateKeyError,
    Field,
    Mixin,
    Model,
    NotFoundError,
    Q,
    QueryError,
    evaluate,
    query_method,
    registry,
)
from mixstore.expressions import Compare, prepared, substitute
from mixstore_backends.memory import InMemoryBackend


@pytest.fixture(autouse=True)
def backend():
    with registry(), InMemoryBackend() as made:
        for model in (Task, Plain, Strict):
            model.bind(made)
        yield made


class Hidden(Mixin):
    hidden: bool = False

    class Hiding(BackendExtension):
        reveals = "include_hidden"

        def veiled(self):
            return Q(hidden=True)

    @query_method
    def include_hidden(query: Any) -> Any:
        return query.option(include_hidden=True)


class Task(Hidden, Model):
    id: str = Field(primary_key=True)
    title: str = ""
    code: str | None = Field(None, unique=True)


class Plain(Model):
    id: str = Field(primary_key=True)
    title: str = ""


class Refusing(Mixin):
    class Wrong(BackendExtension):
        def before_write(self, context):
            raise ConfigurationError("set me up first")


class Strict(Refusing, Model):
    id: str = Field(primary_key=True)


def test_it_writes_a_row_that_only_the_query_sees_and_brings_the_instance_up_to_date():
    task = Task.create(id="a", title="old", hidden=True)
    Task.include_hidden().where(id="a").update(title="new")
    assert Task.include_hidden().update_one(task, hidden=False) is task
    assert (task.title, task.hidden) == ("new", False)
    assert Task.get("a") == task
    assert task.update(title="newer").title == "newer"


def test_what_the_instance_holds_unsaved_is_given_up():
    plain = Plain.create(id="a", title="stored")
    plain.title = "unsaved"
    Plain.where().update_one(plain, title="stored")
    assert (plain.title, Plain.get("a").title) == ("stored", "stored")


def test_a_row_that_the_query_does_not_find_is_not_found():
    plain = Plain.create(id="a", title="x")
    with pytest.raises(NotFoundError):
        Plain.where(title="y").update_one(plain, title="z")
    with pytest.raises(NotFoundError):
        Task.where().update_one(Task.create(id="b", hidden=True), title="z")
    assert Plain.get("a").title == "x"


def test_an_instance_that_was_never_loaded_stands_for_its_key():
    Plain.create(id="a", title="x")
    assert Plain.where().update_one(Plain(id="a"), title="y") == Plain.get("a")


def test_an_error_leaves_the_instance_as_it_was():
    Task.create(id="a", code="X")
    other = Task.create(id="b")
    with pytest.raises(DuplicateKeyError):
        Task.where().update_one(other, code="X")
    assert other.code is None


def test_in_a_transaction_the_instance_changes_with_the_commit(backend):
    plain = Plain.create(id="a", title="x")
    with backend.transaction():
        Plain.where().update_one(plain, title="y")
        assert plain.title == "x"
    assert (plain.title, Plain.get("a").title) == ("y", "y")


async def test_it_can_be_awaited():
    plain = await Plain.acreate(id="a", title="x")
    assert (await Plain.where().aupdate_one(plain, title="y")).title == "y"


@pytest.mark.parametrize("query", [lambda: Plain.where().limit(1), lambda: Plain.where().select("id")])
def test_it_takes_no_query_that_chooses_among_rows(query):
    with pytest.raises(QueryError, match="no limit, offset, cursor or select"):
        query().update_one(Plain.create(id="a"), title="y")


def test_it_takes_instances_of_the_model_and_fields_of_it():
    with pytest.raises(QueryError, match="update_one\\(\\) takes a Plain, not Task"):
        Plain.where().update_one(Task.create(id="a"), title="y")
    with pytest.raises(QueryError, match="no field 'titel'") as caught:
        Plain.where().update_one(Plain.create(id="a"), titel="y")
    assert "title" in caught.value.hint


@pytest.mark.parametrize(("given", "expected"), [(TRUE, True), (FALSE, False)])
def test_a_deferred_operand_can_decide_its_whole_comparison(given, expected):
    term = Compare(("a",), "eq", Deferred("x", lambda environment: given))
    row = {"a": 1, "b": 2}
    both = Compare(("b",), "eq", 2)
    assert substitute(term, {}) is given
    assert evaluate(substitute(~term, {}), row) is not expected
    assert evaluate(substitute(term & both, {}), row) is expected
    assert evaluate(substitute(term | ~both, {}), row) is expected
    assert [prepared(one)({})(row) for one in (term, ~term)] == [expected, not expected]


def test_a_decided_term_leaves_the_others_of_a_conjunction():
    term = Compare(("a",), "eq", Deferred("x", lambda environment: TRUE))
    assert substitute(term & Compare(("b",), "eq", 2), {}) == Compare(("b",), "eq", 2)


def test_a_wrong_configuration_is_not_the_fault_of_the_rows_of_a_batch(backend):
    with pytest.raises(ConfigurationError, match="set me up first"):
        Strict.batch_create([{"id": "a"}, {"id": "b"}])
    with pytest.raises(ConfigurationError), backend.transaction():
        Strict.batch_create([{"id": "a"}])
    assert Strict.count() == 0


def test_rows_without_a_key_fail_each_by_itself():
    with pytest.raises(BatchError) as caught:
        Plain.batch_upsert([Plain.model_construct(id=None), Plain.model_construct(id=None), {"id": "a"}])
    assert [error is None for error in caught.value.outcomes] == [False, False, True]
