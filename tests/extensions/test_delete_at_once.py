"""Deletes by query that the engine does itself: where nobody has to see each row, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    Field,
    Mixin,
    Model,
    Q,
    QueryError,
    SchemaError,
    after_delete,
    after_load,
    before_delete,
)
from mixstore.planned import QueryPlan
from mixstore.watching import watching
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import TTL, Geo, History, Point, SoftDelete, Tenant, Timestamps, Unique, Versioned, tenant
from mixstore_extensions.tenancy import TenantError

Watched = Callable[[Callable[[], Any]], tuple[Any, bool]]


class Plain(Model):
    id: int = Field(primary_key=True)
    size: int = Field(0, index=True)
    text: str = ""
    free: dict[str, int] = {}


class Expiring(TTL, Versioned, Timestamps, SoftDelete, Model):
    id: int = Field(primary_key=True)


class Owned(Tenant, Model):
    id: int = Field(primary_key=True)


class Shop(Geo, Model):
    id: int = Field(primary_key=True)
    location: Point | None = None


class Before(Plain):
    @before_delete
    def see(self) -> None:
        """Somebody wants to know."""


class After(Plain):
    @after_delete
    def see(self) -> None:
        """Somebody wants to know."""


class Loaded(Plain):
    @after_load
    def see(self) -> None:
        """Somebody wants to know."""


class Kept(History, Plain):
    """A revision of each delete."""


class Pairs(Unique, Plain):
    class Meta:
        unique_together = [("size", "text")]


class Strange(Mixin):
    class Watching(BackendExtension):
        def before_write(self, context: Any) -> None:
            """It may be about deletes."""


class Stranger(Strange, Plain):
    """With an extension that says nothing of deletes."""


class Told(Mixin):
    class Watching(BackendExtension):
        unseen_deletes = True

        def after_write(self, context: Any, outcome: Any) -> None:
            """It is not about deletes."""


class Saying(Told, Plain):
    """With an extension that says so."""


class Retold(Told):
    class Watching(Told.Watching):
        def after_write(self, context: Any, outcome: Any) -> None:
            """It may be about deletes."""


class Overriding(Retold, Plain):
    """With one that says nothing of the hook that it overrides."""


class Read(Mixin):
    class Reading(BackendExtension):
        def after_read(self, context: Any, values: dict[str, Any]) -> dict[str, Any]:
            return values


class Reader(Read, Plain):
    """With an extension that sees each row that is read."""


MODELS = [
    Plain, Expiring, Owned, Shop, Before, After, Loaded, Kept, Pairs, Stranger, Saying, Overriding, Reader,
]  # fmt: skip


@pytest.fixture
def store() -> Iterator[SQLiteBackend]:
    with SQLiteBackend(":memory:") as backend:
        for model in MODELS:
            model.bind(backend)
        backend.initialize(*MODELS)
        yield backend
        for model in MODELS:
            model.bind(None)


def asked(delete: Callable[[], Any]) -> tuple[Any, bool]:
    """What a delete answers, and whether it was the engine's own."""
    plans: list[Any] = []
    with watching(lambda one: plans.append(one.plan)):
        answer = delete()
    return answer, any(isinstance(plan, QueryPlan) and plan.operation == "delete" for plan in plans)


@pytest.mark.parametrize("model", [Plain, Saying])
def test_rows_that_nobody_has_to_see_are_deleted_by_the_engine(store: SQLiteBackend, model: Any) -> None:
    model.batch_create([{"id": n, "size": n % 3} for n in range(30)])
    assert asked(lambda: model.where(size=1).delete()) == (10, True)
    assert asked(lambda: model.where(size=1).delete()) == (0, True)
    assert asked(lambda: model.where(~Q(size=0) | Q(id__lt=3)).order_by("-id").delete()) == (11, True)
    assert [row.id for row in model.all()] == list(range(3, 30, 3))


@pytest.mark.parametrize("model", [Before, After, Loaded, Kept, Pairs, Stranger, Overriding, Reader])
def test_each_is_deleted_by_itself_where_somebody_may_want_to_see_it(store: SQLiteBackend, model: Any) -> None:
    model.batch_create([{"id": n, "size": n, "text": str(n)} for n in range(3)])
    assert asked(lambda: model.where(size__gte=1).delete()) == (2, False)
    assert model.count() == 1


def test_expired_rows_are_purged_by_the_engine_deleted_ones_included(store: SQLiteBackend) -> None:
    Expiring.batch_create([{"id": n, "expires_in": -1 if n < 5 else 100} for n in range(8)])
    Expiring.where(id=7).delete()
    Expiring.get(6).update(expires_in=timedelta(days=1))
    assert asked(Expiring.purge_expired) == (5, True)
    assert sorted(row.id for row in Expiring.include_deleted().include_expired()) == [5, 6, 7]
    assert asked(Expiring.purge_deleted) == (1, True)
    assert sorted(row.id for row in Expiring.include_deleted().include_expired()) == [5, 6]


def test_a_delete_that_only_hides_rows_writes_each_by_itself(store: SQLiteBackend) -> None:
    Expiring.batch_create([{"id": n} for n in range(3)])
    assert asked(lambda: Expiring.where(id__lt=2).delete()) == (2, False)
    assert Expiring.include_deleted().count() == 3


def test_rows_of_other_tenants_stay_and_without_a_tenant_nothing_is_deleted(store: SQLiteBackend) -> None:
    with tenant("a"):
        Owned.batch_create([{"id": n} for n in range(3)])
    with tenant("b"):
        Owned.create(id=9)
        assert asked(lambda: Owned.where(id__gte=1).delete()) == (1, True)
    with pytest.raises(TenantError):
        Owned.where(id__gte=0).delete()
    with tenant("a"):
        assert Owned.count() == 3


def test_places_need_nobody_who_sees_them_go(store: SQLiteBackend) -> None:
    Shop.create(id=1, location=Point(lat=1.0, lon=2.0))
    assert asked(lambda: Shop.where(id=1).delete()) == (1, True)


def test_a_part_of_the_rows_and_what_the_engine_can_not_say_are_deleted_one_by_one(store: SQLiteBackend) -> None:
    Plain.batch_create([{"id": n, "free": {"a": n % 2}} for n in range(10)])
    assert asked(lambda: Plain.where().order_by("-id").limit(2).delete()) == (2, False)
    assert asked(lambda: Plain.where(free={"a": 0}).delete()) == (4, False)
    assert [row.id for row in Plain.where().order_by("id")] == [1, 3, 5, 7]
    with pytest.raises(QueryError, match="select"):
        Plain.where().select("id").delete()


def test_in_a_transaction_they_are_deleted_at_its_end(store: SQLiteBackend) -> None:
    Plain.batch_create([{"id": n} for n in range(3)])
    with store.transaction():
        assert asked(lambda: Plain.where(id__lt=2).delete()) == (2, False)
        assert Plain.count() == 3
    assert Plain.count() == 1


def test_more_than_a_piece_is_deleted_piece_by_piece(store: SQLiteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixstore_backends.sqlite.removals.AT_ONCE", 4)
    Plain.batch_create([{"id": n} for n in range(9)])
    plans: list[Any] = []
    with watching(lambda one: plans.append(one.plan)):
        assert Plain.where(id__lt=8).delete() == 8
    assert len(plans) == 3
    assert Plain.count() == 1


def test_it_is_no_scan_where_row_by_row_is_none(store: SQLiteBackend) -> None:
    store.scan_policy = "forbid"
    for model, at_once in ((Plain, True), (Before, False)):
        model.create(id=1, text="x")
        assert asked(lambda model=model: model.where(text="x").delete()) == (1, at_once)  # type: ignore[misc]


def test_it_says_yes_or_no() -> None:
    with pytest.raises(SchemaError, match=r"unseen_deletes must be True or False, not 'yes'"):

        class Wrong(BackendExtension):
            unseen_deletes = "yes"  # type: ignore[assignment]
