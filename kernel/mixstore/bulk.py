"""Writes by query: every row found goes through the chain by itself, and only while it still matches.

A delete that nobody has to see row by row may be the engine's own; what that leaves goes the same way.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mixstore import lifecycle
from mixstore.backend import Capability
from mixstore.chain import REWRITE, TO_WRITE
from mixstore.errors import BackendUnavailableError, ConflictError, NotFoundError, QueryError, nearest
from mixstore.expressions import TRUE, Compare, conjunction
from mixstore.failures import failure
from mixstore.pages import walk
from mixstore.query import Query
from mixstore.reads import as_asked, by_key, check_scan, fetch
from mixstore.rowkeys import required_key
from mixstore.state import state_of
from mixstore.write import Outcome

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.expressions import Expr
    from mixstore.planned import QueryPlan
    from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]


def update_all(bound: Bound, query: Query, changes: dict[str, Any]) -> Steps:
    """Change every row found, each through the chain and only while it still matches."""
    _check_names(bound, changes)
    return (yield from _write_all(bound, query, changes))


def update_one(bound: Bound, query: Query, instance: Any, changes: dict[str, Any]) -> Steps:
    """Change the stored row of an instance if the query finds it; the instance becomes what is stored then."""
    _check_names(bound, changes)
    if _sliced(query) or query.fields is not None:
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
    """Delete every row found, only while it still matches: each through the chain, if anybody has to see it there."""
    _check_whole_rows(bound, query)
    deleted, plan = 0, _of_all(bound, query)
    each = plan is None
    try:
        while plan is not None:
            answer = yield plan
            deleted += answer.number
            plan, each = answer.more, answer.rest
    except BackendUnavailableError as error:
        _tell_written(error, deleted)
        raise
    return (yield from _write_all(bound, query, None, deleted)) if each else deleted


def _of_all(bound: Bound, query: Query) -> QueryPlan | None:
    """The engine's own plan of a delete; None if it has none, or each row has to be seen."""
    chain, hooks = bound.chain, bound.schema.hooks
    told = any(hooks[event] for event in ("before_delete", "after_delete", "after_load"))
    seen = told or chain.sees_deletes or chain.operation("delete", query.options) != "delete"
    ranked = query.search is not None or query.similar is not None
    if seen or ranked or _sliced(query) or bound.transaction() is not None:
        return None
    finished, kept = as_asked(bound, query.replace(order=(), options={**query.options, TO_WRITE: True}))
    plan: QueryPlan | None = bound.engine.compile_delete_all(bound, finished) if kept == TRUE else None
    if plan is not None and Capability.ORDERED not in bound.backend.capabilities:
        check_scan(bound, plan, finished)  # an engine that has the order of keys walks in that, and scans nothing
    return plan


def rewrite_all(bound: Bound, query: Query) -> Steps:
    """Store again, through the chain, the rows found in which something is stored in an outdated form.

    Rows that an extension hides unless it is asked to reveal them are among them: they too must stay readable.
    """
    revealed = {one.reveals: True for one in bound.chain.extensions if one.reveals}
    return (yield from _write_all(bound, query.replace(options={**query.options, **revealed, REWRITE: True}), {}))


def _check_whole_rows(bound: Bound, query: Query) -> None:
    if query.fields is not None:
        raise QueryError("select() and a write don't go together", model=bound.model)


def _sliced(query: Query) -> bool:
    return query.limit is not None or query.offset > 0 or query.cursor is not None


def _tell_written(error: BackendUnavailableError, written: int) -> None:
    """Whoever repeats what certainly did not happen would count these rows twice."""
    if written:
        error.outcome_unknown = True
        error.hint = f"it had written {written} rows by then; done again, it goes on with those that still match"


def _write_all(bound: Bound, query: Query, changes: dict[str, Any] | None, written: int = 0) -> Steps:
    """One row after the other; `written` is how many were before. Returns how many are in the end."""
    _check_whole_rows(bound, query)
    query = query.replace(options={**query.options, TO_WRITE: True})
    sliced = query.similar is not None or _sliced(query)
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
        _tell_written(error, written)
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
