"""A delete that is rewritten can be asked for physically, and models beside a model are initialized with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mixstore
from mixstore import BackendExtension, Field, Mixin, Model, Q, SideWrite, WriteChange, WriteContext, query_method
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with mixstore.registry():
        yield


class Hidden(Mixin):
    gone: bool = False

    class Hiding(BackendExtension):
        rewrites = {"delete": "update"}
        reveals = "include_gone"

        def before_write(self, context: WriteContext) -> WriteChange | None:
            return WriteChange({"gone": True}) if context.asked == "delete" != context.operation else None

        def veiled(self):
            return Q(gone=True)

    @query_method
    def include_gone(query):
        return query.option(include_gone=True)


class Note(Hidden, Model):
    id: str = Field(primary_key=True)


class Line(Model):
    id: str = Field(primary_key=True)
    text: str


class Logged(Mixin):
    class Log(BackendExtension):
        def side_models(self, model_class):
            return (Line,)

        def before_write(self, context: WriteContext) -> WriteChange:
            return WriteChange(side_writes=(SideWrite("upsert", Line(id=str(context.key), text=context.operation)),))


class Order(Logged, Model):
    id: str = Field(primary_key=True)


def test_a_rewritten_delete_keeps_the_row():
    Note.bind(InMemoryBackend())
    Note.create(id="a")
    assert Note.where(id="a").delete() == 1
    assert (Note.count(), Note.include_gone().count()) == (0, 1)


def test_a_physical_delete_removes_what_a_rewritten_one_has_hidden():
    Note.bind(InMemoryBackend())
    Note.batch_create([{"id": "a"}, {"id": "b"}])
    Note.where(id="a").delete()
    assert Note.include_gone().filter(gone=True).delete(physical=True) == 1
    assert [note.id for note in Note.include_gone().all()] == ["b"]


def test_initialize_prepares_the_models_that_extensions_write_beside_a_model(tmp_path):
    backend = SQLiteBackend(tmp_path / "a.db")
    Order.bind(backend)
    Line.bind(backend)
    backend.initialize(Order)
    Order.create(id="o1")
    assert [line.text for line in Line.all()] == ["create"]
