"""`acts_on`: an extension is told of the operations that it names, and a query is deleted at once if nobody is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    Bound,
    Field,
    Mixin,
    Model,
    Query,
    QueryPlan,
    SchemaError,
    Write,
    WriteChange,
    WriteContext,
    after_delete,
    evaluate,
)
from mixstore_backends.memory import InMemoryBackend

TOLD: list[tuple[str, str]] = []


class Creating(Mixin):
    class Watch(BackendExtension):
        acts_on: Any = ("create",)

        def before_write(self, context: WriteContext) -> WriteChange | None:
            TOLD.append(("before", context.operation))
            return None

        def after_write(self, context: WriteContext, outcome: Any) -> None:
            TOLD.append(("after", context.operation))


class Removing(Creating):
    class Watch(Creating.Watch):
        acts_on: Any = ("delete",)


class Item(Creating, Model):
    id: str = Field(primary_key=True)
    n: int = 0


class Watched(Removing, Model):
    id: str = Field(primary_key=True)
    n: int = 0


class Hooked(Model):
    id: str = Field(primary_key=True)
    n: int = 0

    @after_delete
    def told(self, context: Any) -> None:
        TOLD.append(("hook", self.id))


class Deletion(QueryPlan):
    """All rows that match, in one step."""

    __slots__ = ("bound", "query")

    def __init__(self, bound: Bound, query: Query) -> None:
        super().__init__("delete")
        self.bound, self.query = bound, query


class AtOnce(InMemoryBackend):
    """Deletes by a condition, and tells how often it was asked to."""

    asked = 0

    def compile_delete(self, bound: Bound, query: Query) -> QueryPlan | None:
        return Deletion(bound, query)

    def execute(self, plan: Any) -> Any:
        if not isinstance(plan, Deletion):
            return super().execute(plan)
        self.asked += 1
        bound = plan.bound
        rows = super().execute(self.compile_query(bound, Query(bound.model))).rows
        keys = [bound.stored_values(row)["id"] for row in rows if evaluate(plan.query.where, bound.stored_values(row))]
        writes: Sequence[Write] = [Write("delete", bound, (key,)) for key in keys]
        for write in writes:
            super().execute(self.compile_writes(bound, (write,)))
        return len(writes)


@pytest.fixture
def backend() -> Any:
    TOLD.clear()
    with AtOnce() as made:
        yield made


def filled(backend: Any, model: Any) -> Any:
    backend.batch_create(model, [{"id": f"{n}", "n": n} for n in range(4)])
    TOLD.clear()
    return backend.query(model)


def test_an_extension_is_told_of_what_it_acts_on(backend):
    row = backend.create(Item, {"id": "a"})
    backend.update(Item, Item(**row))
    backend.delete(Item, Item(id="a"))
    assert TOLD == [("before", "create"), ("after", "create")]


def test_rows_that_nobody_has_to_see_are_deleted_at_once(backend):
    assert filled(backend, Item).filter(n__gte=1).delete() == 3
    assert (backend.asked, TOLD) == (1, [])
    assert backend.count(Item) == 1


def test_who_acts_on_deletes_sees_each_row(backend):
    assert filled(backend, Watched).filter(n__gte=2).delete() == 2
    assert (backend.asked, TOLD) == (0, [("before", "delete"), ("after", "delete")] * 2)


def test_a_hook_of_the_model_sees_each_row(backend):
    assert filled(backend, Hooked).delete() == 4
    assert (backend.asked, len(TOLD)) == (0, 4)


def test_a_slice_and_a_transaction_are_deleted_one_by_one(backend):
    assert filled(backend, Item).order_by("n").limit(2).delete() == 2
    with backend.transaction():
        backend.query(Item).delete()
    assert backend.asked == 0
    assert backend.count(Item) == 0


def test_what_is_no_operation_is_refused():
    with pytest.raises(SchemaError, match="acts_on must be a tuple of operations"):

        class Odd(BackendExtension):
            acts_on = ("creates",)
