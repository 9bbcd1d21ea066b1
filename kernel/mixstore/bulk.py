"""Writes by query: every row found goes through the chain by itself, and only while it still matches."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mixstore import lifecycle
from mixstore.chain import REWRITE
from mixstore.errors import ConflictError, NotFoundError, QueryError, nearest
from mixstore.expressions import TRUE, Compare, conjunction
from mixstore.pages import stream
from mixstore.query import Query
from mixstore.reads import by_key, fetch
from mixstore.state import state_of

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.expressions import Expr
    from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]


def update_all(bound: Bound, query: Query, changes: dict[str, Any]) -> Steps:
    """Change every row found, each through the chain and only while it still matches."""
    for name in changes:
        if name not in bound.schema.fields and name not in bound.schema.declared.arguments:
            known = (*bound.schema.fields, *bound.schema.declared.arguments)
            raise QueryError(
                f"{bound.schema.name} has no field {name!r} to update",
                model=bound.model,
                hint=nearest(name, known),
            )
    return (yield from _write_all(bound, query, changes))


def delete_all(bound: Bound, query: Query) -> Steps:
    """Delete every row found, each through the chain and only while it still matches."""
    return (yield from _write_all(bound, query, None))


def rewrite_all(bound: Bound, query: Query) -> Steps:
    """Store again, through the chain, the rows found in which something is stored in an outdated form.

    Rows that an extension hides unless it is asked to reveal them are among them: they too must stay readable.
    """
    revealed = {one.reveals: True for one in bound.chain.extensions if one.reveals}
    return (yield from _write_all(bound, query.replace(options={**query.options, **revealed, REWRITE: True}), {}))


def _write_all(bound: Bound, query: Query, changes: dict[str, Any] | None) -> Steps:
    if query.fields is not None:
        raise QueryError("select() and a write don't go together", model=bound.model)
    written = 0
    if query.limit is not None or query.offset or query.cursor is not None:
        instances = yield from fetch(bound, by_key(bound, query))
        for instance in instances:
            written += yield from _write_one(bound, query, instance, changes)
        return written
    asked = query.replace(order=())
    state = None
    while True:
        instances, state = yield from stream(bound, asked, state)
        for instance in instances:
            written += yield from _write_one(bound, query, instance, changes)
        if state is None:
            return written


def _write_one(bound: Bound, query: Query, instance: Any, changes: dict[str, Any] | None) -> Steps:
    """1 if the row was written, 0 if it is gone or no longer matches. A row that changed in between is read again."""
    guard = None if query.where == TRUE else query.where
    key = state_of(instance).key  # type: ignore[union-attr]
    for attempt in range(lifecycle.ATTEMPTS):
        if query.options.get(REWRITE) and not bound.outdated(state_of(instance).stored):  # type: ignore[union-attr]
            return 0
        try:
            if changes is None:
                return int((yield from lifecycle.delete(bound, instance, state_of(instance), guard, query.options)))
            now = lifecycle.moment_of(bound)
            candidate, names = lifecycle.candidate_with(bound, instance, changes, now)
            state = state_of(instance)
            yield from lifecycle.update_row(bound, instance, state, candidate, names, guard, query.options, now)
            return 1
        except NotFoundError:
            return 0
        except ConflictError:
            if attempt == lifecycle.ATTEMPTS - 1:
                raise
        same = conjunction(query.where, *_key_terms(bound, key))
        found = yield from fetch(bound, query.replace(where=same, order=(), limit=1, offset=0, cursor=None))
        if not found:
            return 0
        instance = found[0]
    return 0


def _key_terms(bound: Bound, key: KeyValue) -> list[Expr]:
    return [Compare((name,), "eq", value) for name, value in zip(bound.schema.key_names, key, strict=True)]
