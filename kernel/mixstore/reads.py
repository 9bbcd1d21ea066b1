"""Queries, everything through visibility.

    modify_query + visibility -> compile -> execute -> deserialize (reversed) -> storage_to_model
    -> load -> after_read -> after_load hooks

Each operation is a generator that yields plans and returns its result. What an engine could not do (filter, order,
slice) is done here, on rows in the reference semantics, and pages are refilled until the limit is met.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mixstore import nearness
from mixstore.backend import Capability
from mixstore.chain import AS_IT_IS
from mixstore.errors import MultipleResultsError, NotFoundError, QueryError
from mixstore.expressions import TRUE, After, Order, conjunction, matcher, paths, sort_key, substitute, terms
from mixstore.failures import NOTHING_READ, hook_failed, hook_gave
from mixstore.indexes import check_named
from mixstore.lookups import resolve
from mixstore.places import place_at
from mixstore.query import Explanation, Query
from mixstore.registry import current
from mixstore.search import SCORE, by_score, check_able

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.expressions import Expr, Matcher
    from mixstore.planned import QueryPlan

Steps = Generator[Any, Any, Any]


class ScanWarning(UserWarning):
    """A query reads the whole table; `Meta.scan = "allow"` accepts it."""


def modified(bound: Bound, query: Query) -> Query:
    """The query as the extensions want it; conditions that they add may be a Q."""
    for extension, hook in bound.chain.modify_query:
        owner = type(extension).__qualname__
        try:
            changed = hook(query)
            if not isinstance(changed, Query):
                raise hook_gave(bound, owner, "modify_query", None, "a Query", changed, NOTHING_READ)
            if changed.where is not query.where:
                changed = changed.replace(where=resolve(bound.schema, changed.where, current().lookups))
            check_named(bound.schema, changed.index)
        except Exception as error:
            raise hook_failed(bound, owner, "modify_query", None, error, NOTHING_READ) from error
        query = changed
    return query


def as_asked(bound: Bound, query: Query) -> tuple[Query, Expr]:
    """The query as a backend gets it, and the terms that only the kernel can apply (on replaced values)."""
    asked = query
    query = query if query.options.get(AS_IT_IS) else modified(bound, query)
    if query.search is not None:
        check_able(bound, query.search)
    used = None if query.index is None else bound.schema.indexes[query.index]
    in_index = TRUE if used is None else used.present
    where = conjunction(query.where, in_index, bound.chain.visibility(query.options))
    if query.cursor is not None:
        query = query.replace(order=with_key(bound, query.order))
        where = conjunction(where, _after_cursor(bound, asked, query.order))
        query = query.replace(cursor=None)
    elif query.order:
        query = query.replace(order=with_key(bound, query.order))
    where = substitute(where, {"now": bound.backend.clock()})
    opaque = bound.chain.opaque
    _check_order(bound, query.order)
    computed = used is not None and used.shape is None
    kept = [in_index] if computed else []
    for term in terms(where) if opaque else ():
        touched = {path[0] for path in paths(term)} & set(opaque)
        if any(opaque[name] == "refuse" for name in touched):
            raise QueryError(
                f"{bound.schema.name}.{min(touched)} is stored opaque and can't be filtered by",
                model=bound.model,
            )
        if touched:
            kept.append(term)
    if kept:
        where = conjunction(*[term for term in terms(where) if term not in kept])
    return query.replace(where=where), conjunction(*kept) if kept else TRUE


def _after_cursor(bound: Bound, asked: Query, order: tuple[Order, ...]) -> After:
    """The rows after the place that the cursor of a query names, in an order."""
    if asked.offset:
        raise QueryError("offset and cursor can't go together", model=bound.model, hint="a cursor knows its place")
    return After(order, place_at(bound, asked, order))


def _check_order(bound: Bound, order: tuple[Order, ...]) -> None:
    for one in order if bound.chain.opaque else ():
        if one.path[0] in bound.chain.opaque:
            raise QueryError(
                f"{bound.schema.name}.{one.path[0]} is stored opaque and can't be ordered by",
                model=bound.model,
            )


def with_key(bound: Bound, order: tuple[Order, ...]) -> tuple[Order, ...]:
    """The order with the key as tie-breaker."""
    named = {one.path for one in order}
    return (*order, *(one for one in bound.schema.key_order if one.path not in named))


def rows_of(bound: Bound, query: Query) -> Steps:
    """The rows of a query, in the engine's form."""
    return (yield from (_rows_of if query.similar is None else _nearest_of)(bound, query))


def _nearest_of(bound: Bound, query: Query) -> Steps:
    """The nearest that a query asks for, in its order: each ranked list is asked for, the rest is done here."""
    asked = nearness.check_able(bound, query)
    order = with_key(bound, query.order or nearness.BEST_FIRST)
    _check_order(bound, order)
    places = nearness.places_in(query)
    if query.cursor is not None:
        places = conjunction(places, _after_cursor(bound, query, order))
    ranked = []
    for one in nearness.lists(query, asked):
        rows = yield from _rows_of(bound, one)
        ranked.append([(told(bound, row, scored=True), row) for row in rows])
    found = ranked[0] if len(ranked) == 1 else nearness.fused(bound, asked, *ranked)
    return nearness.arranged(bound, query, order, places, found)


def _rows_of(bound: Bound, query: Query) -> Steps:
    finished, kept = as_asked(bound, query)
    if finished.limit == 0:
        return []
    plan: QueryPlan = _compiled(bound, finished, kept)
    residual = conjunction(TRUE if plan.residual is None else plan.residual, kept)
    if residual == TRUE and plan.ordered and plan.sliced:
        return (yield from _pages(plan, finished.limit))
    enough = None
    if plan.ordered and finished.limit is not None:
        enough = finished.limit + finished.offset
    matches = None if residual == TRUE else matcher(residual)
    found = yield from _filtered(bound, plan, matches, enough, by_score(finished))
    if not plan.ordered:
        key = sort_key(finished.order)
        found.sort(key=lambda pair: key(pair[0]))
    end = None if finished.limit is None else finished.offset + finished.limit
    return [row for _, row in found[finished.offset : end]]


def unordered(bound: Bound, query: Query) -> tuple[QueryPlan, Matcher | None]:
    """The plan of all rows of a query in no order, and what its rows must fulfil besides; None if nothing."""
    finished, kept = as_asked(bound, query)
    plan = _compiled(bound, finished, kept)
    residual = conjunction(TRUE if plan.residual is None else plan.residual, kept)
    return plan, None if residual == TRUE else matcher(residual)


def _compiled(bound: Bound, query: Query, kept: Expr) -> QueryPlan:
    """The plan; with terms that the kernel keeps, limit and offset are the kernel's too."""
    if kept == TRUE:
        plan = bound.engine.compile_query(bound, query)
    else:
        plan = bound.engine.compile_query(bound, query.replace(limit=None, offset=0))
        plan.sliced = False
    check_scan(bound, plan, query)
    return plan  # type: ignore[no-any-return]


def check_scan(bound: Bound, plan: QueryPlan, query: Query) -> None:
    """What `Meta.scan` or the backend says about reading everything: nothing, a ScanWarning, or a QueryError."""
    policy = bound.schema.meta.get("scan", bound.backend.scan_policy) if plan.scan else "allow"
    if policy == "allow" or query.options.get(AS_IT_IS):  # whoever moves all rows asked for them
        return
    told = f"{bound.schema.name} where {query.where!r} reads the whole table"
    hint = "; ".join(plan.notes) or 'filter by the key or by a Field(index=True), or set Meta.scan = "allow"'
    if policy == "forbid":
        raise QueryError(told, model=bound.model, backend=bound.backend.backend_name, hint=hint)
    warnings.warn(f"{told}; {hint}", ScanWarning, stacklevel=6)


def _pages(plan: Any, limit: int | None) -> Steps:
    answer = yield plan
    rows: list[Any] = answer.rows
    while answer.more is not None and (limit is None or len(rows) < limit):
        answer = yield answer.more
        rows = rows + answer.rows
    return rows if limit is None else rows[:limit]


def _filtered(bound: Bound, plan: Any, matches: Any, enough: int | None, scored: bool) -> Steps:
    """(values, row) of the rows that match, page by page until there are enough."""
    found: list[tuple[dict[str, Any], Any]] = []
    more = plan
    while more is not None:
        answer = yield more
        more = answer.more
        for row in answer.rows:
            values = told(bound, row, scored)
            if matches is None or matches(values):
                found.append((values, row))
        if enough is not None and len(found) >= enough:
            break
    return found


def told(bound: Bound, row: Any, scored: bool = False) -> dict[str, Any]:
    """A row's values as stored, with its rendered key where that is not made of fields, and what methods make of it.

    scored: with the score that a search gave it.
    """
    values = bound.stored_values(row)
    if scored:
        hit = bound.engine.row_hit(row)
        values[SCORE[0]] = None if hit is None else hit.score
    for spec in bound.schema.computed_indexes:
        values[spec.mark] = spec.key_as_read(values)
    if bound.schema.hidden_key:
        values.update(zip(bound.schema.hidden_key, bound.key_from(values) or (), strict=False))
    return values


def shown(bound: Bound, query: Query, rows: list[Any]) -> list[Any]:
    """Instances, or the dicts that `select()` asks for."""
    if query.fields is None:
        return bound.load_all(rows)
    names = query.fields
    values_from_row = bound.values_from_row
    return [{name: values[name] for name in names} for values in map(values_from_row, rows)]


def fetch(bound: Bound, query: Query) -> Steps:
    """All rows, as instances or dicts."""
    rows = yield from rows_of(bound, query)
    return shown(bound, query, rows)


def by_key(bound: Bound, query: Query) -> Query:
    """The query in the order that it has where nobody asked for one: the nearest come first, others by the key."""
    if query.order:
        return query
    return query.replace(order=bound.schema.key_order if query.similar is None else nearness.BEST_FIRST)


def first(bound: Bound, query: Query) -> Steps:
    """The first row or None."""
    query = by_key(bound, query)
    limit = 1 if query.limit is None else min(1, query.limit)
    found = yield from fetch(bound, query.replace(limit=limit))
    return found[0] if found else None


def last(bound: Bound, query: Query) -> Steps:
    """The last row or None."""
    query = by_key(bound, query)
    if query.limit is not None or query.offset or query.cursor is not None:
        found = yield from fetch(bound, query)
        return found[-1] if found else None
    turned = tuple(Order(one.path, not one.descending) for one in with_key(bound, query.order))
    found = yield from fetch(bound, query.replace(order=turned, limit=1))
    return found[0] if found else None


def at_most_one(bound: Bound, query: Query) -> Steps:
    """The only row or None; MultipleResultsError if there are several."""
    limit = 2 if query.limit is None else min(2, query.limit)
    found = yield from fetch(bound, query.replace(limit=limit))
    if len(found) > 1:
        raise MultipleResultsError(
            f"more than one {bound.schema.name} matches",
            model=bound.model,
            query=repr(query.where),
            hint="first() takes any",
        )
    return found[0] if found else None


def one(bound: Bound, query: Query) -> Steps:
    """The only row; NotFoundError if there is none."""
    found = yield from at_most_one(bound, query)
    if found is None:
        raise NotFoundError(f"no {bound.schema.name} matches", model=bound.model, query=repr(query.where))
    return found


def count(bound: Bound, query: Query) -> Steps:
    """How many rows `fetch` would return."""
    if query.similar is not None:
        return len((yield from rows_of(bound, query)))
    finished, kept = as_asked(bound, query)
    if finished.limit == 0:
        return 0
    counted = finished.replace(order=(), limit=None, offset=0)
    if kept == TRUE:
        plan = bound.engine.compile_count(bound, counted)
        check_scan(bound, plan, counted)
    else:
        plan = _compiled(bound, counted, kept)
    residual = conjunction(TRUE if plan.residual is None else plan.residual, kept)
    total = yield from _counted(bound, plan, residual, by_score(counted))
    total = max(0, total - finished.offset)
    return total if finished.limit is None else min(total, finished.limit)


def _counted(bound: Bound, plan: Any, residual: Expr, scored: bool) -> Steps:
    matches = None if residual == TRUE else matcher(residual)
    total = 0
    more = plan
    while more is not None:
        answer = yield more
        if isinstance(answer, int):
            return total + answer
        more = answer.more
        if matches is None:
            total += len(answer.rows)
        else:
            total += sum(1 for row in answer.rows if matches(told(bound, row, scored)))
    return total


def exists(bound: Bound, query: Query) -> Steps:
    """Whether there is any row."""
    limit = 1 if query.limit is None else min(1, query.limit)
    order = query.order if query.offset or query.cursor is not None else ()
    found = yield from rows_of(bound, query.replace(limit=limit, order=order))
    return bool(found)


def _index_notes(bound: Bound, name: str | None) -> list[str]:
    if name is None:
        return []
    if bound.schema.indexes[name].shape is None:
        return [f"methods compute the keys of {name}, so mixstore looks at all rows that the rest of the filter leaves"]
    if Capability.SECONDARY_INDEXES in bound.backend.capabilities:
        return []
    return [f"{bound.backend.backend_name} keeps no indexes: {name} only says which rows are asked for"]


def explain(bound: Bound, query: Query) -> Steps:
    """The plan of a query, without executing it."""
    yield from ()
    if query.similar is None:
        return _explained(bound, query)
    asked = nearness.check_able(bound, query)
    return nearness.explained(asked, [_explained(bound, one) for one in nearness.lists(query, asked)])


def _explained(bound: Bound, query: Query) -> Explanation:
    finished, kept = as_asked(bound, query)
    if kept == TRUE:
        plan = bound.engine.compile_query(bound, finished)
    else:
        plan = bound.engine.compile_query(bound, finished.replace(limit=None, offset=0))
        plan.sliced = False
    residual = conjunction(TRUE if plan.residual is None else plan.residual, kept)
    notes = [*plan.notes, *_index_notes(bound, query.index)]
    if not plan.ordered and finished.order:
        notes.append("sorted by mixstore: all matching rows are read first")
    if not plan.sliced and (finished.limit is not None or finished.offset):
        notes.append("limit and offset apply after the residual filter, so more rows are read")
    return Explanation(
        backend=bound.backend.backend_name,
        operation=plan.operation,
        index=plan.index,
        pushed="" if plan.pushed == TRUE else repr(plan.pushed),
        residual="" if residual == TRUE else repr(residual),
        request=plan.request,
        notes=tuple(notes),
    )
