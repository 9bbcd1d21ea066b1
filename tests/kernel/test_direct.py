"""Backends that implement `Backend` and nothing else, as a stranger may."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

import mixstore
from mixstore import (
    Backend,
    ConfigurationError,
    DuplicateKeyError,
    Field,
    Key,
    Mixin,
    Model,
    ModelAdapter,
    NotFoundError,
    QueryBuilder,
    UnsupportedOperationError,
    before_save,
    partition_key,
    sort_key,
)
from mixstore.schema import schema_of


class PlainAdapter(ModelAdapter):
    """Records are the python values themselves."""

    def model_to_storage(self, instance: Any) -> dict[str, Any]:
        return copy.deepcopy(vars(instance))

    def storage_to_model(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        return copy.deepcopy(dict(data))

    def get_primary_key_value(self, instance: Any) -> Any:
        return schema_of(type(instance)).key_from(vars(instance))


class DictBackend(Backend):
    """Rows in a dict, by model and key."""

    backend_name = "dict"

    def __init__(self) -> None:
        super().__init__(PlainAdapter())
        self.rows: dict[type, dict[Any, dict[str, Any]]] = {}

    def table(self, model: type[Any]) -> dict[Any, dict[str, Any]]:
        return self.rows.setdefault(model, {})

    def put(self, model: type[Any], instance: Any) -> dict[str, Any]:
        key = self.adapter.get_primary_key_value(instance)
        self.table(model)[key] = self.adapter.model_to_storage(instance)
        return self.adapter.storage_to_model(model, self.table(model)[key])

    def create(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        if schema_of(model_class).key_from(data) in self.table(model_class):
            raise DuplicateKeyError("it is there")
        return self.put(model_class, model_class.model_construct(**data))

    def upsert(self, model_class: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
        return self.put(model_class, model_class.model_construct(**data))

    def get(self, model_class: type[Any], **filters: Any) -> dict[str, Any] | None:
        return self.table(model_class).get(schema_of(model_class).key_from(filters))

    def update(self, model_class: type[Any], instance: Any) -> dict[str, Any]:
        if self.adapter.get_primary_key_value(instance) not in self.table(model_class):
            raise NotFoundError("it is not there")
        return self.put(model_class, instance)

    def delete(self, model_class: type[Any], instance: Any) -> bool:
        key = self.adapter.get_primary_key_value(instance)
        return self.table(model_class).pop(key, None) is not None

    def query(self, model_class: type[Any]) -> QueryBuilder[Any]:
        return QueryBuilder.over(model_class, self.table(model_class).values())

    def count(self, model_class: type[Any], **filters: Any) -> int:
        return self.query(model_class).filter(**filters).count()

    def exists(self, model_class: type[Any], **filters: Any) -> bool:
        return self.query(model_class).filter(**filters).exists()


class Locked(Mixin):
    """It must not run without its extension."""

    class Declares:
        required = True

    class Anywhere(mixstore.BackendExtension):
        requires = (mixstore.Capability.CONDITIONS,)


@pytest.fixture
def backend():
    with mixstore.registry() as registry:
        registry.connect_as("default", DictBackend())
        yield registry.backend("default")


def note_model():
    class Note(Model):
        id: str = Field(primary_key=True)
        text: str = ""
        tags: list[str] = []

    return Note


def test_rows_are_created_read_changed_and_deleted(backend):
    Note = note_model()
    note = Note.create(id="n1", text="one")
    assert Note.get("n1") == note
    note.text = "two"
    note.save()
    assert Note.get("n1").text == "two"
    assert (note.delete(), note.delete()) == (True, False)
    assert Note.get("n1") is None


def test_a_row_with_a_taken_key_is_refused_with_its_place(backend):
    Note = note_model()
    Note.create(id="n1")
    with pytest.raises(DuplicateKeyError) as caught:
        Note.create(id="n1")
    assert (caught.value.model, caught.value.key, caught.value.backend) == (Note, "n1", "dict")


def test_a_row_that_is_gone_can_not_be_saved(backend):
    Note = note_model()
    note = Note.create(id="n1")
    Note.get("n1").delete()
    note.text = "late"
    with pytest.raises(NotFoundError):
        note.save()


def test_queries_are_answered_by_the_reference_evaluator(backend):
    Note = note_model()
    Note.batch_create([{"id": f"n{n}", "text": "even" if n % 2 == 0 else "odd"} for n in range(6)])
    even = Note.where(text="even").order_by("-id")
    assert [note.id for note in even.limit(2)] == ["n4", "n2"]
    assert (even.count(), even.exists(), Note.where(text="none").first()) == (3, True, None)
    page = Note.where(text__startswith="e").limit(2).paginate()
    assert [note.id for note in Note.where(text__startswith="e").cursor(page.cursor).paginate()] == ["n4"]


def test_the_residual_filter_is_explained(backend):
    Note = note_model()
    explained = Note.where(text="x").explain()
    assert (explained.backend, explained.pushed) == ("dict", "")
    assert "text" in explained.residual


def test_rows_are_updated_and_deleted_by_query(backend):
    Note = note_model()
    Note.batch_create([{"id": f"n{n}"} for n in range(4)])
    assert Note.where(id__lt="n2").update(text="low") == 2
    assert Note.where(text="low").delete() == 2
    assert sorted(note.id for note in Note.all()) == ["n2", "n3"]


def test_a_batch_tells_which_rows_failed(backend):
    Note = note_model()
    Note.create(id="n1")
    with pytest.raises(mixstore.BatchError) as caught:
        Note.batch_create([{"id": "n0"}, {"id": "n1"}, {"id": "n2"}])
    assert list(caught.value.failed) == [1]
    assert Note.count() == 3


def test_many_keys_are_read_in_their_order(backend):
    Note = note_model()
    Note.batch_create([{"id": "n1"}, {"id": "n2"}])
    assert [note and note.id for note in Note.batch_get(["n2", "none", "n1"])] == ["n2", None, "n1"]


def test_model_hooks_run(backend):
    class Upper(Model):
        id: str = Field(primary_key=True)
        text: str

        @before_save
        def shout(self) -> None:
            self.text = self.text.upper()

    assert Upper.create(id="u1", text="a").text == "A"
    assert backend.get(Upper, id="u1")["text"] == "A"


def test_a_nested_change_is_saved(backend):
    Note = note_model()
    note = Note.create(id="n1", tags=["a"])
    note.tags.append("b")
    assert Note.get("n1").tags == ["a"]
    note.save()
    assert Note.get("n1").tags == ["a", "b"]


def test_a_required_mixin_is_refused(backend):
    class Doc(Locked, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match="Doc needs Locked"):
        Doc.all()


def test_a_unique_field_is_refused(backend):
    class User(Model):
        id: str = Field(primary_key=True)
        email: str = Field(unique=True)

    with pytest.raises(UnsupportedOperationError, match=r"User\.email is unique"):
        User.all()


def test_transactions_are_refused(backend):
    with pytest.raises(UnsupportedOperationError, match="dict has no transactions"):
        backend.transaction()


def test_a_search_is_refused(backend):
    class Page(Model):
        id: str = Field(primary_key=True)
        text: str = Field(searchable=True)

    with pytest.raises(UnsupportedOperationError, match="dict has no full-text search"):
        Page.search("word").all()


def test_a_key_of_several_fields_finds_its_row(backend):
    class Seat(Model):
        row: int = Field(primary_key=True)
        place: str = Field(primary_key=True)

    Seat.create(row=1, place="a")
    assert Seat.get((1, "a")) == Seat.get(row=1, place="a") == Seat(row=1, place="a")
    assert Seat.get((1, "b")) is None


def test_a_rendered_key_finds_its_row(backend):
    class Todo(Model):
        class Meta:
            key = Key(partition="USER#{user}", sort="TODO#{n:05d}")

        user: str
        n: int
        done: bool = False

    todo = Todo.create(user="ann", n=1)
    Todo.create(user="ann", n=2)
    assert Todo.get(user="ann", n=1) == todo
    assert Todo.get(user="bob", n=1) is None
    assert todo.refresh().update(done=True).done
    assert (todo.delete(), todo.delete()) == (True, False)
    assert [left.n for left in Todo.all()] == [2]


def test_a_key_made_by_methods_finds_its_row(backend):
    class Todo(Model):
        user: str
        n: int

        @partition_key
        def owner(self) -> str:
            return f"USER#{self.user}"

        @sort_key
        def place(self) -> str:
            return f"TODO#{self.n:05d}"

    todo = Todo.create(user="ann", n=1)
    assert Todo.get({"user": "ann", "n": 1}) == todo
    assert todo.delete()


async def test_every_verb_is_awaited_in_a_thread(backend):
    Note = note_model()
    note = await Note.acreate(id="n1", text="one")
    await note.aupdate(text="two")
    assert (await Note.aget("n1")).text == "two"
    assert [found.id async for found in Note.where(text="two")] == ["n1"]
    assert await note.adelete()


def test_rows_at_hand_are_queried_without_a_backend(backend):
    Note = note_model()
    query = QueryBuilder.over(Note, [{"id": "n1", "text": "a"}, {"id": "n2", "text": "b"}])
    assert [note.id for note in query.filter(text="b")] == ["n2"]
    with pytest.raises(UnsupportedOperationError):
        query.delete()


def test_rows_at_hand_may_be_of_a_model_that_needs_more_than_a_list(backend):
    class User(Locked, Model):
        id: str = Field(primary_key=True)
        email: str = Field(unique=True)

    query = QueryBuilder.over(User, [{"id": "u1", "email": "a@b.c"}])
    assert query.filter(email="a@b.c").one().id == "u1"
