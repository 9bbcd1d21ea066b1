"""Reads: points and queries, everything through visibility.

    modify_query + visibility -> compile -> execute -> deserialize (reversed) -> storage_to_model -> load -> after_read
    -> after_load hooks

Each operation is a generator that yields plans and returns its result. What an engine could not do (filter, order, slice) is
done here, on rows in the reference semantics, and pages are refilled until the limit is met.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mixstore import codecs, lifecycle, operands
from mixstore.cursors import decode_cursor, encode_cursor
from mixstore.errors import (
    ConflictError,
    MultipleResultsError,
    NotFoundError,
    QueryError,
    nearest,
)
from mixstore.expressions import (
    TRUE,
    After,
    Compare,
    Order,
    conjunction,
    matcher,
    paths,
    sort_key,
    substitute,
    terms,
)
from mixstore.lookups import type_at
from mixstore.query import Explanation, Page, Query
from mixstore.registry import current
from mixstore.state import set_state, state_of

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.expressions import Expr
    from mixstore.planned import QueryPlan
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]
STREAM_PAGE = 500
DEFAULT_PAGE = 100


class ScanWarning(UserWarning):
    """A query reads the whole table; `Meta.scan = "allow"` accepts it."""


# -- keys ---------------------------------------------------------------------------------------------------------------


def key_filters(schema: ModelSchema, key: Any) -> dict[str, Any]:
    """A key, given as a value, a tuple in the order of the key fields, or a dict, as {field: value}."""
    if isinstance(key, Mapping):
        return dict(key)
    values = key if isinstance(key, tuple) and len(schema.key_fields) != 1 else (key,)
    if len(values) != len(schema.key_fields):
        raise QueryError(
            f"a key of {schema.name} has {len(schema.key_fields)} parts, not {len(values)}",
            model=schema.model,
            hint=f"give {', '.join(schema.key_fields) or 'the fields its key methods use'} by name",
        )
    return dict(zip(schema.key_fields, values, strict=True))


def _coerced(schema: ModelSchema, filters: Mapping[str, Any]) -> dict[str, Any]:
    coerced = {}
    for name, value in filters.items():
        spec = schema.fields.get(name)
        if spec is None:
            raise QueryError(f"{schema.name} has no field {name!r}", model=schema.model, hint=nearest(name, schema.fields))
        try:
            coerced[name] = operands.coerce(spec.type, value)
        except ValueError as error:
            raise QueryError(f"{schema.name}.{name} is {spec.type}: {error}", model=schema.model) from None
    return coerced


def key_of(bound: Bound, key: Any) -> KeyValue:
    """The key that a caller gives, checked and coerced to the types of its fields."""
    schema = bound.schema
    if type(key) is str and schema.text_key:
        return (key,)
    filters = _coerced(schema, key_filters(schema, key))
    found = bound.key_from(filters)
    if found is None or (schema.key_fields and set(filters) != set(schema.key_fields)):
        missing = [name for name in schema.key_fields if filters.get(name) is None]
        raise QueryError(
            f"this is not the key of a {schema.name}" + (f": {', '.join(missing)} missing" if missing else ""),
            model=schema.model,
            hint=f"the key is made of {', '.join(schema.key_fields) or 'what its key methods use'}",
        )
    return found


# -- points -------------------------------------------------------------------------------------------------------------


def get(bound: Bound, key: Any, filters: dict[str, Any]) -> Steps:
    """The instance with this key, or this value of one unique field; None if there is none."""
    schema = bound.schema
    if key is None:
        if len(filters) == 1 and not schema.key_fields == tuple(filters):
            name = next(iter(filters))
            if schema.fields.get(name) is not None and schema.fields[name].option("unique"):
                return (yield from _get_unique(bound, name, filters[name]))
        if not filters:
            raise QueryError(f"get() takes the primary key of {schema.name}, or one unique field", model=schema.model)
        unfit = [name for name in filters if name not in schema.key_fields]
        if unfit and not schema.key_methods:
            unique = ", ".join((*schema.key_fields, *schema.unique))
            raise QueryError(
                f"get() takes the primary key of {schema.name} or one unique field, not {', '.join(unfit)}",
                model=schema.model,
                hint=f"{nearest(unfit[0], (*schema.key_fields, *schema.unique)) if unique else ''} or where(...).get()",
            )
        key = filters
    elif filters:
        raise QueryError("get() takes a key or names, not both", model=schema.model)
    found = key_of(bound, key)
    row = yield from _point(bound, found)
    return None if row is None else bound.load(row)


def _get_unique(bound: Bound, name: str, value: Any) -> Steps:
    coerced = _coerced(bound.schema, {name: value})[name]
    if coerced is None:
        raise QueryError(f"get() by {name} needs a value: None is not unique", model=bound.model)
    found = yield from _rows(bound, Query(bound.model, Compare((name,), "eq", coerced), limit=1))
    return bound.load(found[0]) if found else None


def _point(bound: Bound, key: KeyValue) -> Steps:
    open_transaction = bound.transaction()
    if open_transaction is not None:
        open_transaction.refuse_buffered(bound, key)
    rows = yield bound.engine.compile_get(bound, (key,))
    row = rows[0]
    return None if row is None or not _visible(bound)(row) else row


def _visible(bound: Bound) -> Any:
    """Whether a row that was read by its key may be seen, as a function of the row."""
    seen = bound.chain.visibility({})
    modified = _modified(bound, Query(bound.model)).where if bound.chain.modify_query else TRUE
    wanted = conjunction(seen, modified)
    if wanted == TRUE:
        return lambda row: True
    matches = matcher(substitute(wanted, {"now": bound.backend.clock()}))
    return lambda row: matches(bound.values_from_row(row))


def batch_get(bound: Bound, keys: Iterable[Any]) -> Steps:
    """The instances with these keys, in their order; None where there is none."""
    wanted = [key_of(bound, key) for key in keys]
    open_transaction = bound.transaction()
    for key in wanted if open_transaction is not None else ():
        open_transaction.refuse_buffered(bound, key)
    if not wanted:
        return []
    rows = yield bound.engine.compile_get(bound, tuple(wanted))
    visible = _visible(bound)
    return [None if row is None or not visible(row) else bound.load(row) for row in rows]


def refresh(bound: Bound, instance: Any) -> Steps:
    """Read the row again into the instance. NotFoundError if it is gone."""
    state = state_of(instance)
    key = state.key if state is not None else lifecycle.required_key(bound, instance)
    row = yield from _point(bound, key)
    if row is None:
        raise NotFoundError(
            f"{bound.schema.name} to refresh is not there",
            model=bound.model,
            key=bound.schema.key_as_told(key),
            backend=bound.backend.backend_name,
        )
    loaded = bound.load(row)
    instance.__dict__.update(loaded.__dict__)
    set_state(instance, state_of(loaded))
    return instance


# -- queries ------------------------------------------------------------------------------------------------------------


def _modified(bound: Bound, query: Query) -> Query:
    for extension, hook in bound.chain.modify_query:
        try:
            query = hook(query)
        except Exception as error:
            raise lifecycle.hook_failed(bound, type(extension).__qualname__, "modify_query", None, error) from error
    return query


def _finished(bound: Bound, query: Query) -> tuple[Query, Expr]:
    """The query as a backend gets it, and the terms that only the kernel can apply (on replaced values)."""
    asked = query
    query = _modified(bound, query)
    where = conjunction(query.where, bound.chain.visibility(query.options))
    if query.cursor is not None:
        if query.offset:
            raise QueryError("offset and cursor can't go together", model=bound.model, hint="a cursor knows its place")
        query = replace(query, order=_with_key(bound, query.order), cursor=None)
        where = conjunction(where, After(query.order, _cursor_values(bound, asked, query.order)))
    elif query.order:
        query = replace(query, order=_with_key(bound, query.order))
    where = substitute(where, {"now": bound.backend.clock()})
    opaque = bound.chain.opaque
    for order in query.order if opaque else ():
        if order.path[0] in opaque:
            raise QueryError(f"{bound.schema.name}.{order.path[0]} is stored opaque and can't be ordered by", model=bound.model)
    kept: list[Expr] = []
    for term in terms(where) if opaque else ():
        touched = {path[0] for path in paths(term)} & set(opaque)
        if any(opaque[name] == "refuse" for name in touched):
            raise QueryError(
                f"{bound.schema.name}.{min(touched)} is stored opaque and can't be filtered by", model=bound.model
            )
        if touched:
            kept.append(term)
    if kept:
        where = conjunction(*[term for term in terms(where) if term not in kept])
    return replace(query, where=where), conjunction(*kept) if kept else TRUE


def _with_key(bound: Bound, order: tuple[Order, ...]) -> tuple[Order, ...]:
    """The order with the key as tie-breaker."""
    named = {one.path for one in order}
    return (*order, *(one for one in bound.schema.key_order if one.path not in named))


def _rows(bound: Bound, query: Query) -> Steps:
    """The rows of a query, in the engine's form."""
    finished, kept = _finished(bound, query)
    if finished.limit == 0:
        return []
    plan: QueryPlan = _compiled(bound, finished, kept)
    residual = conjunction(plan.residual or TRUE, kept)
    if residual == TRUE and plan.ordered and plan.sliced:
        return (yield from _pages(plan, finished.limit))
    enough = None
    if plan.ordered and finished.limit is not None:
        enough = finished.limit + finished.offset
    matches = None if residual == TRUE else matcher(residual)
    found = yield from _filtered(bound, plan, matches, enough)
    if not plan.ordered:
        key = sort_key(finished.order)
        found.sort(key=lambda pair: key(pair[0]))
    end = None if finished.limit is None else finished.offset + finished.limit
    return [row for _, row in found[finished.offset : end]]


def _compiled(bound: Bound, query: Query, kept: Expr) -> QueryPlan:
    """The plan; with terms that the kernel keeps, limit and offset are the kernel's too."""
    if kept == TRUE:
        plan = bound.engine.compile_query(bound, query)
    else:
        plan = bound.engine.compile_query(bound, replace(query, limit=None, offset=0))
        plan.sliced = False
    _check_scan(bound, plan, query)
    return plan  # type: ignore[no-any-return]


def _check_scan(bound: Bound, plan: QueryPlan, query: Query) -> None:
    policy = bound.schema.meta.get("scan", bound.backend.scan_policy) if plan.scan else "allow"
    if policy == "allow":
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


def _filtered(bound: Bound, plan: Any, matches: Any, enough: int | None) -> Steps:
    """(values, row) of the rows that match, page by page until there are enough."""
    found: list[tuple[dict[str, Any], Any]] = []
    more = plan
    while more is not None:
        answer = yield more
        more = answer.more
        for row in answer.rows:
            values = _told(bound, row)
            if matches is None or matches(values):
                found.append((values, row))
        if enough is not None and len(found) >= enough:
            break
    return found


def _told(bound: Bound, row: Any) -> dict[str, Any]:
    """A row's values, with its rendered key where that is not made of fields."""
    values = bound.values_from_row(row)
    if bound.schema.hidden_key:
        values.update(zip(bound.schema.hidden_key, bound.key_from(values) or (), strict=False))
    return values


def _shown(bound: Bound, query: Query, rows: list[Any]) -> list[Any]:
    """Instances, or the dicts that `select()` asks for."""
    if query.fields is None:
        return bound.load_all(rows)
    names = query.fields
    values_from_row = bound.values_from_row
    return [{name: values[name] for name in names} for values in map(values_from_row, rows)]


def fetch(bound: Bound, query: Query) -> Steps:
    """All rows, as instances or dicts."""
    rows = yield from _rows(bound, query)
    return _shown(bound, query, rows)


def _by_key(bound: Bound, query: Query) -> Query:
    return query if query.order else replace(query, order=bound.schema.key_order)


def first(bound: Bound, query: Query) -> Steps:
    """The first row or None."""
    query = _by_key(bound, query)
    limit = 1 if query.limit is None else min(1, query.limit)
    found = yield from fetch(bound, replace(query, limit=limit))
    return found[0] if found else None


def last(bound: Bound, query: Query) -> Steps:
    """The last row or None."""
    query = _by_key(bound, query)
    if query.limit is not None or query.offset or query.cursor is not None:
        found = yield from fetch(bound, query)
        return found[-1] if found else None
    turned = tuple(Order(one.path, not one.descending) for one in _with_key(bound, query.order))
    found = yield from fetch(bound, replace(query, order=turned, limit=1))
    return found[0] if found else None


def at_most_one(bound: Bound, query: Query) -> Steps:
    """The only row or None; MultipleResultsError if there are several."""
    limit = 2 if query.limit is None else min(2, query.limit)
    found = yield from fetch(bound, replace(query, limit=limit))
    if len(found) > 1:
        raise MultipleResultsError(
            f"more than one {bound.schema.name} matches", model=bound.model, query=repr(query.where), hint="first() takes any"
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
    finished, kept = _finished(bound, query)
    if finished.limit == 0:
        return 0
    counted = replace(finished, order=(), limit=None, offset=0)
    if kept == TRUE:
        plan = bound.engine.compile_count(bound, counted)
        _check_scan(bound, plan, counted)
    else:
        plan = _compiled(bound, counted, kept)
    total = yield from _counted(bound, plan, conjunction(plan.residual or TRUE, kept))
    total = max(0, total - finished.offset)
    return total if finished.limit is None else min(total, finished.limit)


def _counted(bound: Bound, plan: Any, residual: Expr) -> Steps:
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
            total += sum(1 for row in answer.rows if matches(_told(bound, row)))
    return total


def exists(bound: Bound, query: Query) -> Steps:
    """Whether there is any row."""
    limit = 1 if query.limit is None else min(1, query.limit)
    found = yield from _rows(bound, replace(query, limit=limit, order=() if not query.offset else query.order))
    return bool(found)


def explain(bound: Bound, query: Query) -> Steps:
    """The plan of a query, without executing it."""
    yield from ()
    finished, kept = _finished(bound, query)
    if kept == TRUE:
        plan = bound.engine.compile_query(bound, finished)
    else:
        plan = bound.engine.compile_query(bound, replace(finished, limit=None, offset=0))
        plan.sliced = False
    residual = conjunction(plan.residual or TRUE, kept)
    notes = list(plan.notes)
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


# -- pages --------------------------------------------------------------------------------------------------------------


def _shape(bound: Bound, query: Query, order: tuple[Order, ...]) -> str:
    """What a cursor is bound to: the user's question, without where it is in it."""
    options = sorted((name, repr(value)) for name, value in query.options.items())
    return f"{bound.schema.entity}|{query.where!r}|{order!r}|{query.search!r}|{options!r}"


def _column_type(bound: Bound, order: Order) -> Any:
    return None if order.path[0] in bound.schema.hidden_key else type_at(bound.schema, order.path)


def _cursor_values(bound: Bound, query: Query, order: tuple[Order, ...]) -> tuple[Any, ...]:
    values = decode_cursor(query.cursor or "", _shape(bound, query, order), _secret())
    told = []
    for column, value in zip(order, values, strict=True):
        kind = _column_type(bound, column)
        decode = None if kind is None or value is None else codecs.jsonable(kind).decode
        told.append(value if decode is None else decode(value))
    return tuple(told)


def _secret() -> str | None:
    return current().settings.cursor_secret


def _place(bound: Bound, order: tuple[Order, ...], row: Any) -> tuple[Any, ...]:
    """The sort values of a row."""
    values = _told(bound, row)
    return tuple(_walk(values, column.path) for column in order)


def _walk(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values.get(path[0])
    for name in path[1:]:
        found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
    return found


def paginate(bound: Bound, query: Query) -> Steps:
    """One page and the cursor after it; None at the end."""
    size = DEFAULT_PAGE if query.limit is None else query.limit
    asked = _by_key(bound, query)
    order = _with_key(bound, asked.order)
    rows = yield from _rows(bound, replace(asked, limit=size + 1 if size else 0))
    page = rows[:size]
    cursor = None
    if len(rows) > size and page:
        encoded = []
        for column, value in zip(order, _place(bound, order, page[-1]), strict=True):
            kind = _column_type(bound, column)
            encode = None if kind is None or value is None else codecs.jsonable(kind).encode
            encoded.append(value if encode is None else encode(value))
        cursor = encode_cursor(_shape(bound, asked, order), tuple(encoded), _secret())
    return Page(_shown(bound, query, page), cursor)


def stream(bound: Bound, query: Query, state: Any) -> Steps:
    """The next page of an iteration and the state for the one after it; state None starts, and ends."""
    asked = _by_key(bound, query)
    order = _with_key(bound, asked.order)
    place, left = (None, asked.limit) if state is None else state
    size = STREAM_PAGE if left is None else min(STREAM_PAGE, left)
    if place is not None:
        asked = replace(asked, where=conjunction(asked.where, After(order, place)), offset=0, cursor=None)
    rows = yield from _rows(bound, replace(asked, order=order, limit=size))
    left = None if left is None else left - len(rows)
    done = len(rows) < size or left == 0
    following = None if done else (_place(bound, order, rows[-1]), left)
    return _shown(bound, query, rows), following


# -- writes by query ----------------------------------------------------------------------------------------------------


def update_all(bound: Bound, query: Query, changes: dict[str, Any]) -> Steps:
    """Change every row found, each through the chain and only while it still matches."""
    for name in changes:
        if name not in bound.schema.fields and name not in bound.schema.declared.arguments:
            known = (*bound.schema.fields, *bound.schema.declared.arguments)
            raise QueryError(
                f"{bound.schema.name} has no field {name!r} to update", model=bound.model, hint=nearest(name, known)
            )
    return (yield from _write_all(bound, query, changes))


def delete_all(bound: Bound, query: Query) -> Steps:
    """Delete every row found, each through the chain and only while it still matches."""
    return (yield from _write_all(bound, query, None))


def _write_all(bound: Bound, query: Query, changes: dict[str, Any] | None) -> Steps:
    if query.fields is not None:
        raise QueryError("select() and a write don't go together", model=bound.model)
    written = 0
    if query.limit is not None or query.offset or query.cursor is not None:
        instances = yield from fetch(bound, _by_key(bound, query))
        for instance in instances:
            written += yield from _write_one(bound, query, instance, changes)
        return written
    asked = replace(query, order=())
    state = None
    while True:
        instances, state = yield from stream(bound, asked, state)
        for instance in instances:
            written += yield from _write_one(bound, query, instance, changes)
        if state is None:
            return written


def _write_one(bound: Bound, query: Query, instance: Any, changes: dict[str, Any] | None) -> Steps:
    """1 if the row was written, 0 if it is gone or no longer matches. A row that changed in between is read again."""
    guard = None if query.where == TRUE or bound.chain.opaque else query.where
    key = state_of(instance).key  # type: ignore[union-attr]
    for attempt in range(lifecycle.ATTEMPTS):
        try:
            if changes is None:
                return int((yield from lifecycle.delete(bound, instance, guard, query.options)))
            candidate = lifecycle.candidate_with(bound, instance, changes)
            yield from lifecycle.update_row(bound, instance, candidate, guard, query.options)
            return 1
        except NotFoundError:
            return 0
        except ConflictError:
            if attempt == lifecycle.ATTEMPTS - 1:
                raise
        same = conjunction(query.where, *_key_terms(bound, key))
        found = yield from fetch(bound, replace(query, where=same, order=(), limit=1, offset=0, cursor=None))
        if not found:
            return 0
        instance = found[0]
    return 0


def _key_terms(bound: Bound, key: KeyValue) -> list[Expr]:
    return [Compare((name,), "eq", value) for name, value in zip(bound.schema.key_names, key, strict=True)]

