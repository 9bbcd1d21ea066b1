"""Which side answers a query, and the plan of one that the search side answers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mixstore import (
    Capability,
    PlannedBackend,
    Query,
    QueryError,
    QueryPlan,
    Rows,
    UnsupportedOperationError,
)
from mixstore.chain import AS_IT_IS, TO_WRITE
from mixstore.nearness import scorer_of
from mixstore.search import Hit
from mixstore_backends.composite.copies import Copies, Copy
from mixstore_backends.composite.plans import On, Steps, Stepwise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mixstore import Bound, QueryBuilder
    from mixstore.aggregations import Asked
    from mixstore_backends.composite.lag import Lag

SIDE, FRESH, TOKEN, MOST_LAG = "composite_side", "composite_fresh", "composite_token", "composite_max_lag"
STORAGE, SEARCH = "storage", "search"
_BY_THE_ENGINE = ("simple", "like")
"""Searches whose rules are the engine's own."""


class OnSearch(QueryPlan, Stepwise):
    """A query that the search side answers; `fresh`: with the rows as the storage has them."""

    __slots__ = ("copies", "finds", "fresh", "inner", "score", "storage")

    def __init__(self, copies: Copies, storage: PlannedBackend, inner: QueryPlan, query: Query, why: str) -> None:
        self.copies = copies
        self.storage = storage
        self.inner: Any = inner
        self.fresh = bool(query.options.get(FRESH))
        self.finds = _finds(query, copies.bound.schema.searchable)
        again = self.fresh and query.similar is not None  # the storage may have another vector by now
        self.score = scorer_of(query, ()) if again else None
        name = copies.search.backend_name
        super().__init__(
            inner.operation,
            request=inner.request,
            pushed=inner.pushed,
            residual=query.where if self.fresh else inner.residual,  # the storage may have another row by now
            ordered=inner.ordered and not again,
            sliced=inner.sliced and not self.fresh,
            index=inner.index,
            scan=inner.scan and copies.search.scan_policy != "allow",
            notes=(f"answered by the search side ({name}): {why}", *inner.notes),
        )

    def steps(self) -> Steps:
        return _read(self, self.inner)


def _finds(query: Query, searchable: tuple[str, ...]) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a search would find a row with these values: those by other rules than words are taken as found."""
    score = scorer_of(query, searchable)
    if score is None or (query.search is not None and query.search.mode in _BY_THE_ENGINE):
        return lambda values: True
    return lambda values: score(values) is not None


def _ranks(query: Query) -> Capability:
    """What a side must be able to do to rank rows as a query asks; none if it does not ask for that."""
    if query.similar is not None:
        return Capability.VECTORS
    return Capability(0) if query.search is None else Capability.FULL_TEXT


class _More(Stepwise):
    __slots__ = ("first", "inner")

    def __init__(self, first: OnSearch, inner: Any) -> None:
        self.first = first
        self.inner = inner

    def steps(self) -> Steps:
        return _read(self.first, self.inner)


def _read(first: OnSearch, inner: Any) -> Steps:
    copies = first.copies
    answer = yield On(copies.search, inner)
    if not isinstance(answer, Rows):
        return answer  # a number, or several by name
    rows = [Copy(copies.there.stored_values(row), copies.search.row_hit(row)) for row in answer.rows]
    if first.fresh and rows:
        keys = tuple(copies.bound.key_from(row.values) or () for row in rows)
        found = yield On(first.storage, first.storage.compile_get(copies.bound, keys))
        pairs = zip(rows, found, strict=True)
        fresh = [Copy(copies.bound.stored_values(row), copy.hit) for copy, row in pairs if row is not None]
        rows = [row for row in fresh if first.finds(row.values)]
        if first.score is not None:
            rows = [Copy(row.values, Hit(first.score(row.values))) for row in rows]
    return Rows(rows, None if answer.more is None else _More(first, answer.more))


class IfInTime(QueryPlan, Stepwise):
    """What the search side answers if it is as far as was asked, and otherwise the storage.

    Either gives all rows that match, perhaps more, in any order: the kernel does the rest.
    """

    __slots__ = ("lag", "options", "search", "seeks", "storage")

    def __init__(self, lag: Lag, query: Query, search: OnSearch, storage: On | None) -> None:
        self.lag = lag
        self.options = query.options
        self.seeks = _told(query)
        self.search = search
        self.storage = storage
        super().__init__(
            search.operation,
            request=search.request,
            residual=query.where,
            ordered=not query.order,
            sliced=False,
            notes=(*search.notes, "answered by the storage if the search side is behind"),
        )

    def steps(self) -> Steps:
        late = yield from self.lag.behind(self.options.get(TOKEN), self.options.get(MOST_LAG))
        if not late:
            return (yield from self.search.steps())
        if self.storage is None:
            raise UnsupportedOperationError(
                f"the search side is behind, and {self.lag.storage.backend_name} can't {self.seeks}",
                backend=self.lag.storage.backend_name,
                hint="ask again in a moment",
            )
        return (yield self.storage)


class Router:
    """The two sides, and how they are asked."""

    def __init__(self, storage: PlannedBackend, search: PlannedBackend, lag: Lag) -> None:
        self.storage = storage
        self.search = search
        self.lag = lag

    def query(self, bound: Bound, copies: Copies | None, query: Query, counts: bool) -> QueryPlan:
        """The plan of a query, or of how many rows it has."""
        forced = query.options.get(SIDE)
        if query.options.get(TO_WRITE) or query.options.get(AS_IT_IS):
            forced = STORAGE
            if _ranks(query):
                forced, query = SEARCH, query.replace(options={**query.options, FRESH: True})
        if copies is None:
            return self._on_storage(bound, query, counts)
        checks = TOKEN in query.options or MOST_LAG in query.options
        if forced == STORAGE and not checks:
            return self._on_storage(bound, query, counts)
        plan, why = None, "it was asked for" if forced == SEARCH else "words are looked up"
        if query.similar is not None and forced is None:
            why = "vectors are compared"
        if not _ranks(query) and forced is None:
            plan = self._on_storage(bound, query, counts)
            if not plan.scan:
                return plan
            why = "the storage would read the whole table"
        if checks:
            return self._if_in_time(bound, copies, query, why)
        found = self._on_search(copies, query, counts, why)
        if plan is not None and found.inner.scan and self.storage.scan_policy == "allow":
            return plan  # no side is better, and the storage is never behind
        return found

    def aggregate(
        self, bound: Bound, copies: Copies | None, query: Query, asked: Mapping[str, Asked]
    ) -> QueryPlan | None:
        """The plan of numbers about rows; None: they are made of the rows that a query gives."""
        told = query.options
        if copies is None or (told.get(SIDE) == STORAGE and query.search is None):
            return self.storage.compile_aggregate(bound, query, asked)
        if told.get(FRESH) or TOKEN in told or MOST_LAG in told:
            return None
        plan = self.query(bound, copies, query, counts=False)
        if not isinstance(plan, OnSearch):
            return self.storage.compile_aggregate(bound, query, asked)
        inner = self.search.compile_aggregate(copies.there, query, asked)
        return None if inner is None else OnSearch(copies, self.storage, inner, query, "it answers the query")

    def _on_storage(self, bound: Bound, query: Query, counts: bool) -> QueryPlan:
        if _ranks(query) not in self.storage.capabilities:
            raise UnsupportedOperationError(
                f"{self.storage.backend_name} can't {_told(query)}",
                model=bound.model,
                backend=self.storage.backend_name,
                hint="leave from_storage() out",
            )
        return self.storage.compile_count(bound, query) if counts else self.storage.compile_query(bound, query)

    def _on_search(self, copies: Copies, query: Query, counts: bool, why: str) -> OnSearch:
        fresh = query.options.get(FRESH)
        if fresh:
            query = query.replace(limit=None, offset=0)
        count = counts and not fresh
        compiler = self.search.compile_count if count else self.search.compile_query
        return OnSearch(copies, self.storage, compiler(copies.there, query), query, why)

    def _if_in_time(self, bound: Bound, copies: Copies, query: Query, why: str) -> IfInTime:
        self.lag.refuse()
        whole = query.replace(limit=None, offset=0, order=())
        search = self._on_search(copies, whole, False, why)
        able = _ranks(query) in self.storage.capabilities
        storage = On(self.storage, self.storage.compile_query(bound, whole)) if able else None
        return IfInTime(self.lag, query, search, storage)


def _told(query: Query) -> str:
    return "search by words" if query.similar is None else "compare vectors"


def from_storage(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
    """The storage is to answer: never behind, and perhaps a scan."""
    return query.option(**{SIDE: STORAGE})


def from_search(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
    """The search side is to answer."""
    return query.option(**{SIDE: SEARCH})


def fresh(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
    """What the search side finds is read from the storage, in one batch a page; what has changed since is looked at."""
    return query.option(**{FRESH: True})


def consistent_with(query: QueryBuilder[Any], token: str) -> QueryBuilder[Any]:
    """The search side answers only if it knows of the writes that the token is of (`backend.token(...)`)."""
    if not isinstance(token, str):
        raise QueryError(f"a token is text that backend.token() gives, not {type(token).__name__}")
    return query.option(**{TOKEN: token})


def max_lag(query: QueryBuilder[Any], lag: timedelta) -> QueryBuilder[Any]:
    """The search side answers only if no write that it does not know of is older than this."""
    if not isinstance(lag, timedelta) or lag < timedelta(0):
        raise QueryError(f"the most that the search side may be behind is a timedelta, not {lag!r}")
    return query.option(**{MOST_LAG: lag})


QUERY_METHODS: dict[str, Callable[..., QueryBuilder[Any]]] = {
    "from_storage": from_storage,
    "from_search": from_search,
    "fresh": fresh,
    "consistent_with": consistent_with,
    "max_lag": max_lag,
}
