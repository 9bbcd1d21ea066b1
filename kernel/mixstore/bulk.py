"""Writes by query: every row found goes through the chain by itself, and only while it still matches."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mixstore import lifecycle
from mixstore.chain import REWRITE, TO_WRITE
from mixstore.errors import BackendUnavailableError, ConflictError, NotFoundError, QueryError, nearest
from mixstore.expressions import TRUE, Compare, conjunction
from mixstore.failures import failure
from mixstore.pages import walk
from mixstore.query import Query
from mixstore.reads import by_key, fetch
from mixstore.rowkeys import required_key
from mixstore.state import state_of
from mixstore.write import Outcome

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.expressions import Expr
    from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]


def update_all(bound: Bound, query: Query, changes: dict[str, Any]) -> Steps:
    """Change every row found, each through the chain and only while it still matches."""
    _check_names(bound, changes)
    return (yield from _write_all(bound, query, changes))


def update_one(bound: Bound, query: Query, instance: Any, changes: dict[str, Any]) -> Steps:
    """Change the stored row of an instance if the query finds it; the instance becomes what is stored then."""
    _check_names(bound, changes)
    if query.limit is not None or query.offset or query.cursor is not None or query.fields is not None:
        raise QueryError("update_one() has a row: no limit, offset, cursor or select()", model=bound.model)
    if query.similar is not None:
        raise QueryError("update_one() has a row: no similar()", model=bound.model)
    state = state_of(instance)
    key = state.key if state is not None else required_key(bound, instance)
    found = yield from _still_there(bound, query, key)
    if not found or not (yield from _write_one(bound, query, found[0], changes, instance)):
        raise failure(bound, "update", key, Outcome("missing"))
    return instance


def _check_names(bound: Bound, changes: dict[str, Any]) -> None:
    for name in changes:
        if name not in bound.schema.fields and name not in bound.schema.declared.arguments:
            known = (*bound.schema.fields, *bound.schema.declared.arguments)
            raise QueryError(
                f"{bound.schema.name} has no field {name!r} to update",
                model=bound.model,
                hint=nearest(name, known),
            )


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
    query = query.replace(options={**query.options, TO_WRITE: True})
    sliced = query.similar is not None or query.limit is not None or query.offset or query.cursor is not None
    asked = by_key(bound, query) if sliced else query.replace(order=())
    if query.similar is not None:  # what was the nearest is written as long as the filter finds it
        query = query.replace(search=None, similar=None)
    state = None
    try:
        while True:
            if sliced:
                instances = yield from fetch(bound, asked)
            else:
                instances, state = yield from walk(bound, asked, state)
            for instance in instances:
                written += yield from _write_one(bound, query, instance, changes)
            if state is None:
                return written
    except BackendUnavailableError as error:
        if written:  # whoever repeats what certainly did not happen would count these twice
            error.outcome_unknown = True
            error.hint = f"it had written {written} rows by then; done again, it goes on with those that still match"
        raise


def _write_one(bound: Bound, query: Query, instance: Any, changes: dict[str, Any] | None, target: Any = None) -> Steps:
    """1 if the row was written, 0 if it is gone or no longer matches. A row that changed in between is read again.

    `target` is the instance that becomes what is stored, if it is not the one that was read.
    """
    wanted = conjunction(query.where, _stored_in(bound, query))
    guard = None if wanted == TRUE else wanted
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
            changing = instance if target is None else target
            yield from lifecycle.update_row(bound, changing, state, candidate, names, guard, query.options, now)
            return 1
        except NotFoundError:
            return 0
        except ConflictError:
            if attempt == lifecycle.ATTEMPTS - 1:
                raise
        found = yield from _still_there(bound, query, key)
        if not found:
            return 0
        instance = found[0]
    return 0


def _stored_in(bound: Bound, query: Query) -> Expr:
    """What a row's fields tell of whether it is in the index asked for; nothing where methods compute its key."""
    spec = None if query.index is None else bound.schema.indexes[query.index]
    return TRUE if spec is None or spec.shape is None else spec.present


def _still_there(bound: Bound, query: Query, key: KeyValue) -> Steps:
    """The row with this key in a list, if the query still finds it."""
    same = conjunction(query.where, *_key_terms(bound, key))
    return (yield from fetch(bound, query.replace(where=same, order=(), limit=1, offset=0, cursor=None)))


def _key_terms(bound: Bound, key: KeyValue) -> list[Expr]:
    return [Compare((name,), "eq", value) for name, value in zip(bound.schema.key_names, key, strict=True)]
