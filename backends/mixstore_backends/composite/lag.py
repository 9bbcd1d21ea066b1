"""How far the search side is behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore import PlannedBackend, Q, Query, QueryError, UnsupportedOperationError
from mixstore.lookups import resolve
from mixstore.registry import current
from mixstore_backends.composite.marks import DEAD, SHARDS, SyncMark
from mixstore_backends.composite.plans import On, Steps, on

if TYPE_CHECKING:
    from mixstore import Bound


class Behind(NamedTuple):
    """`waiting` records of which the search side does not know the last write, the first of them since `oldest`.

    `given_up` records are waiting too, for an operator: the search side refused them too often.
    """

    waiting: int
    oldest: datetime | None
    given_up: int


class Lag:
    """Looks at the marks that wait. marked: whether each write leaves one."""

    def __init__(self, storage: PlannedBackend, marks: Bound, clock: Callable[[], datetime], marked: bool) -> None:
        self.storage = storage
        self.marks = marks
        self.clock = clock
        self.marked = marked

    def refuse(self) -> None:
        """UnsupportedOperationError where writers leave no marks."""
        if not self.marked:
            raise UnsupportedOperationError(
                "a composite that follows a stream can't tell whether the search side knows of a write",
                backend="composite",
                hint='follow="marks" has tokens, consistent_with() and max_lag()',
            )

    def query(self, shard: int, **more: Any) -> Query:
        """The marks of a shard, those first that are due first."""
        where = resolve(self.marks.schema, Q(shard=shard, **more), current().lookups)
        asked: Query = SyncMark.where().order_by("due").query
        return asked.replace(where=where)

    def rows(self, query: Query) -> Steps:
        """The marks that a query finds."""
        from mixstore.reads import fetch

        return (yield from on(self.storage, fetch(self.marks, query)))

    def behind(self, token: str | None, most: timedelta | None) -> Steps:
        """Whether the search side may lack a write that the token is of, or one that is older than this."""
        if token is not None:
            places = _places(token)
            plan = self.storage.compile_get(self.marks, [(place,) for place in places])
            rows = yield On(self.storage, plan)
            if any(self.marks.load(row).waits for row in rows if row is not None):
                return True
        if most is None:
            return False
        for shard in (*range(SHARDS), DEAD):
            late = yield from self.rows(self.query(shard, since__lt=self.clock() - most).replace(order=(), limit=1))
            if late:
                return True
        return False

    def told(self) -> Steps:
        """How much waits, and since when."""
        from mixstore.reads import count

        waiting, oldest, given_up = 0, None, 0
        for shard in range(SHARDS):
            waiting += yield from on(self.storage, count(self.marks, self.query(shard).replace(order=())))
            for mark in (yield from self.rows(self.query(shard).replace(limit=1))):
                oldest = mark.since if oldest is None else min(oldest, mark.since)
        given_up = yield from on(self.storage, count(self.marks, self.query(DEAD).replace(order=())))
        return Behind(waiting, oldest, given_up)


def token_of(places: Sequence[str]) -> str:
    """The token of writes of the records whose marks are these."""
    return json.dumps(sorted(places), separators=(",", ":"))


def _places(token: str) -> list[str]:
    try:
        places = json.loads(token)
    except ValueError:
        places = None
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise QueryError("this is no token that backend.token() gave")
    return places
