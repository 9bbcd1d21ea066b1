"""Plans that delete by a query, as a backend may have them: what they answer, and what the kernel does then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import mixstore
from mixstore import BackendUnavailableError, Capability, Field, Model, QueryError, QueryPlan, Removed, ScanWarning
from mixstore.expressions import matcher
from mixstore_backends.memory import InMemoryBackend


class Item(Model):
    id: int = Field(primary_key=True)
    size: int = 0


class _Some(QueryPlan):
    """Deletes at most so many rows of a table; raises at last, if there is anything to raise."""

    def __init__(self, store: Deleting, table: Any, matches: Any) -> None:
        super().__init__("delete", scan=True)
        self.store, self.table, self.matches = store, table, matches

    def __call__(self) -> Removed:
        if self.store.answers is None:
            raise BackendUnavailableError("it is gone")
        keys = [key for key, row in self.table.rows.items() if self.matches(row)][:2]
        for key in keys:
            self.table.put(key, None, self.table.rows[key])
        again, rest = self.store.answers
        if again and len(keys) == 2:
            self.store.answers = self.store.then
            return Removed(len(keys), self)
        return Removed(len(keys), rest=rest)


class Deleting(InMemoryBackend):
    """Two rows at a time. answers: (whether there are more pieces, whether the rest is left to the kernel)."""

    capabilities = InMemoryBackend.capabilities & ~Capability.ORDERED
    answers: Any = (True, False)
    then: Any = (True, False)

    def compile_delete_all(self, bound: Any, query: Any) -> QueryPlan | None:
        return _Some(self, bound.native, matcher(query.where))


@pytest.fixture
def store() -> Iterator[Deleting]:
    with mixstore.registry():
        backend = Deleting()
        backend.scan_policy = "allow"
        Item.bind(backend)
        Item.batch_create([{"id": n, "size": n % 2} for n in range(12)])
        yield backend
        Item.bind(None)


def test_it_is_asked_for_more_until_there_is_no_more(store: Deleting) -> None:
    assert Item.where(size=0).delete() == 6
    assert [row.id for row in Item.where().order_by("id")] == [1, 3, 5, 7, 9, 11]


def test_what_it_leaves_is_deleted_row_by_row_and_counted_together(store: Deleting) -> None:
    store.answers, store.then = (True, False), (False, True)
    assert Item.where(size=0).delete() == 6
    assert Item.count() == 6


def test_a_later_piece_that_fails_tells_how_many_are_gone(store: Deleting) -> None:
    store.then = None
    with pytest.raises(BackendUnavailableError, match="it had written 2 rows by then") as caught:
        Item.where(size=0).delete()
    assert caught.value.outcome_unknown
    assert Item.count() == 10


def test_the_first_that_fails_says_of_itself_whether_it_happened(store: Deleting) -> None:
    store.answers = None
    with pytest.raises(BackendUnavailableError) as caught:
        Item.where(size=0).delete()
    assert not caught.value.outcome_unknown


def test_a_scan_is_told_of_where_rows_do_not_lie_in_the_order_of_keys(store: Deleting) -> None:
    store.scan_policy = "warn"
    with pytest.warns(ScanWarning, match="Item where size = 0 reads the whole table"):
        assert Item.where(size=0).delete() == 6
    store.scan_policy = "forbid"
    with pytest.raises(QueryError, match="reads the whole table"):
        Item.where(size=1).delete()
