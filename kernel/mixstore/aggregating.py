"""`aggregate()`: numbers about the rows of a query, by the engine where it is exact, by the rows where it is not."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mixstore.aggregations import Asked, Sums
from mixstore.errors import QueryError
from mixstore.expressions import TRUE
from mixstore.query import Explanation, Query
from mixstore.reads import as_asked, check_scan, explain, rows_of, told, unordered

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.planned import QueryPlan

Steps = Generator[Any, Any, Any]


def aggregate(bound: Bound, query: Query, asked: Mapping[str, Asked]) -> Steps:
    """{name: result} about the rows that `fetch` would return."""
    plan = _native(bound, query, asked)
    if plan is not None:
        check_scan(bound, plan, query)
        answer = yield plan
        return {name: answer[name] for name in asked}
    sums, needed = Sums(asked), _of_needed(query, asked)
    if _sliced(query):
        for row in (yield from rows_of(bound, needed)):
            sums.add(told(bound, row))
        return sums.results()
    more, matches = unordered(bound, needed.replace(order=()))
    while more is not None:
        answer = yield more
        more = answer.more
        for row in answer.rows:
            values = told(bound, row)
            if matches is None or matches(values):
                sums.add(values)
    return sums.results()


def explain_aggregate(bound: Bound, query: Query, asked: Mapping[str, Asked]) -> Steps:
    """The plan of `aggregate`, without executing it."""
    plan = _native(bound, query, asked)
    if plan is None:
        needed = _of_needed(query, asked)
        found = yield from explain(bound, needed if _sliced(query) else needed.replace(order=()))
        return replace(found, notes=(*found.notes, "mixstore reads the rows and makes the numbers of them"))
    pushed = "" if plan.pushed == TRUE else repr(plan.pushed)
    return Explanation(
        bound.backend.backend_name, plan.operation, plan.index, pushed, "", plan.request, tuple(plan.notes)
    )


def _native(bound: Bound, query: Query, asked: Mapping[str, Asked]) -> QueryPlan | None:
    """The engine's own plan; None if it has none for all of these that is exact."""
    for one in asked.values():
        if bound.chain.opaque.get(one.path[0]) == "refuse":
            raise QueryError(
                f"{bound.schema.name}.{one.path[0]} is stored opaque and can't be aggregated", model=bound.model
            )
    if _sliced(query):
        return None
    finished, kept = as_asked(bound, query.replace(order=()))
    return bound.engine.compile_aggregate(bound, finished, asked) if kept == TRUE else None


def _sliced(query: Query) -> bool:
    return query.similar is not None or query.limit is not None or query.offset > 0 or query.cursor is not None


def _of_needed(query: Query, asked: Mapping[str, Asked]) -> Query:
    """The query for the fields that are looked at."""
    return query.replace(fields=tuple(dict.fromkeys(one.path[0] for one in asked.values())))
