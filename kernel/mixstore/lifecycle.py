"""THE pipeline of writes. Nothing else calls a write hook of a model or an extension.

    before_save hooks -> before_write -> validate -> model_to_storage -> serialize -> compile -> execute
    -> apply to the instance -> after_write (reversed) -> after_save hooks

Each operation is a generator that yields plans and returns its result; the drivers execute them.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from typing import TYPE_CHECKING, Any

import pydantic

from mixstore import claims
from mixstore.assigning import assign
from mixstore.beside import likely_key, read_beside, stored_row
from mixstore.checking import check_fields
from mixstore.errors import (
    MixstoreError,
    NotFoundError,
    ValidationError,
    nearest,
)
from mixstore.failures import failure, hook_failed, hook_gave, worn_out
from mixstore.prepare import NO_OPTIONS, Asked, prepare_write
from mixstore.prepared import PreparedWrite, StaleReadError, apply
from mixstore.rowkeys import required_key, same_key
from mixstore.state import State, set_state
from mixstore.write import Operation, Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.bound import Bound
    from mixstore.expressions import Expr
    from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]
ATTEMPTS = 5
"""How often a write that depends on a read is tried before it is a ConflictError."""
CONTESTED_ATTEMPTS = 100
"""The same where writers of one row contend for a key beside it: each that loses has lost to one that was stored."""


# -- what the caller gave ---------------------------------------


def with_arguments(bound: Bound, data: dict[str, Any], now: datetime | None) -> dict[str, Any]:
    """The fields to set: the arguments that mixins declare (`expires_in`) turned into fields."""
    arguments = bound.schema.declared.arguments
    for name in [name for name in data if name in arguments]:
        try:
            fields = arguments[name](data.pop(name), now or bound.backend.clock())
        except (ValueError, TypeError) as error:
            raise ValidationError(
                f"{bound.schema.name}: {name}: {error}",
                errors=[{"type": "value_error", "loc": (name,), "msg": str(error)}],
                field=name,
                model=bound.model,
            ) from error
        except Exception as error:
            raise hook_failed(bound, f"{bound.schema.name}.Declares.arguments", name, None, error) from error
        if not isinstance(fields, Mapping):
            raise hook_gave(bound, f"{bound.schema.name}.Declares.arguments", name, None, "a dict of fields", fields)
        for field, value in fields.items():
            if field in data:
                problem = f"{name} and {field} say the same thing; give one"
                raise ValidationError(
                    f"{bound.schema.name}: {problem}",
                    errors=[{"type": "value_error", "loc": (name,), "msg": problem}],
                    field=field,
                    model=bound.model,
                )
            data[field] = value
    return data


def moment_of(bound: Bound) -> datetime | None:
    """The moment of an operation, where what the caller gives may depend on it; otherwise it is taken later."""
    return bound.backend.clock() if bound.arguments else None


def new_instance(bound: Bound, data: dict[str, Any], now: datetime | None) -> Any:
    """A validated instance of what the caller gave; pydantic's error becomes mixstore's, chained."""
    if bound.arguments:
        data = with_arguments(bound, data, now)
    try:
        return bound.validate(data)
    except pydantic.ValidationError as error:
        raise refused(bound, error, data) from error


def refused(bound: Bound, error: pydantic.ValidationError, values: Mapping[str, Any]) -> ValidationError:
    """mixstore's form of pydantic's error about these values."""
    try:
        key = bound.key_from(values)
    except MixstoreError:
        key = None  # made of values that may be just what pydantic refuses
    errors: list[Any] = error.errors(include_url=False, include_input=False)
    told = "; ".join(f"{'.'.join(str(part) for part in one['loc']) or 'model'}: {one['msg']}" for one in errors)
    field = str(errors[0]["loc"][0]) if errors and errors[0]["loc"] else None
    unknown = [str(one["loc"][0]) for one in errors if one["type"] == "extra_forbidden"]
    return ValidationError(
        f"{bound.schema.name} refuses {told}",
        errors=errors,
        field=field,
        model=bound.model,
        key=bound.schema.key_as_told(key),
        backend=bound.backend.backend_name,
        hint=nearest(unknown[0], [*bound.schema.fields, *bound.schema.declared.arguments]) if unknown else None,
    )


def candidate_with(
    bound: Bound, instance: Any, changes: dict[str, Any], now: datetime | None
) -> tuple[Any, tuple[str, ...]]:
    """A copy with the changes, each validated by the model as an assignment would be; and the fields they change."""
    if bound.arguments:
        changes = with_arguments(bound, dict(changes), now)
    candidate = bound.candidate(instance)
    for name in changes:
        if name not in bound.schema.fields:
            known = [*bound.schema.fields, *bound.schema.declared.arguments]
            raise ValidationError(
                f"{bound.schema.name} has no field {name!r} to update",
                field=name,
                model=bound.model,
                hint=nearest(name, known),
            )
    try:
        if len(changes) == 1:
            bound.model.__pydantic_validator__.validate_assignment(candidate, name, changes[name])
        else:
            assign(candidate, changes, bound.fields_only)
    except pydantic.ValidationError as error:
        raise refused(bound, error, instance.__dict__) from error
    return candidate, tuple(changes)


# -- the operations ---------------------------------------------


def create(bound: Bound, data: dict[str, Any]) -> Steps:
    """Store a new row of this data; returns the instance."""
    now = moment_of(bound)
    return insert(bound, "create", new_instance(bound, data, now), checked=True, now=now)


def upsert(bound: Bound, data: dict[str, Any]) -> Steps:
    """Store a row of this data, replacing one that is there; returns the instance."""
    now = moment_of(bound)
    return insert(bound, "upsert", new_instance(bound, data, now), checked=True, now=now)


def insert(
    bound: Bound, operation: Operation, instance: Any, checked: bool = False, now: datetime | None = None
) -> Steps:
    """Store a whole row; `checked` says that the model has just validated the instance."""
    if not bound.plain or bound.transaction() is not None:
        return (yield from write(bound, operation, instance, None, checked=bound.names if checked else (), now=now))
    fixed: dict[str, Any] = {}
    if checked:
        record = bound.encode(instance)
    else:
        record, fixed, _ = check_fields(bound, instance, None)
    key = bound.key_from(instance.__dict__) or required_key(bound, instance)
    outcomes = yield bound.engine.compile_plain(bound, operation, key, record, None)
    if outcomes[0].status != "ok":
        raise failure(bound, operation, key, outcomes[0])
    if fixed:
        instance.__dict__.update(fixed)
    set_state(instance, bound, None, record, key)
    return instance


def save(bound: Bound, instance: Any, state: State | None) -> Steps:
    """Create a new instance, or store the changes of one that was loaded."""
    return insert(bound, "create", instance) if state is None else update_row(bound, instance, state)


def update(bound: Bound, instance: Any, state: State | None, changes: dict[str, Any]) -> Steps:
    """Validate the changes as assignments on a copy, store them, then apply them to the instance."""
    now = moment_of(bound)
    return update_row(bound, instance, state, *candidate_with(bound, instance, changes, now), now=now)


def store_values(bound: Bound, instance: Any, state: State | None, values: Mapping[str, Any]) -> Steps:
    """Store values that were stored before, as an update of the instance: the model's validators have seen them."""
    candidate = bound.candidate(instance)
    candidate.__dict__.update(values)
    return update_row(bound, instance, state, candidate)


def update_row(
    bound: Bound,
    instance: Any,
    state: State | None,
    candidate: Any = None,
    checked: Collection[str] = (),
    guard: Expr | None = None,
    options: Mapping[str, Any] = NO_OPTIONS,
    now: datetime | None = None,
) -> Steps:
    """Store what differs from the row as loaded; `guard` is a further condition on the stored row.

    `checked` are the fields that the model has just validated, as in `write`.
    """
    source = instance if candidate is None else candidate
    if not bound.plain or guard is not None or bound.transaction() is not None:
        return (
            yield from write(
                bound, "update", source, state, target=instance, guard=guard, checked=checked, options=options, now=now
            )
        )
    stored = state.stored if state is not None else None
    trusted = {name: source.__dict__[name] for name in checked} if checked else None
    record, fixed, changed = check_fields(bound, source, stored, trusted)
    key = same_key(bound, source, state, record, changed)
    changes = {name: record[name] for name in changed}
    outcomes = yield bound.engine.compile_plain(bound, "update", key, record, changes)
    if outcomes[0].status != "ok":
        raise failure(bound, "update", key, outcomes[0])
    if source is not instance:
        apply(bound, instance, source.__dict__)
    if fixed:
        instance.__dict__.update(fixed)
    set_state(instance, bound, None, record, key)
    return instance


def delete(
    bound: Bound,
    instance: Any,
    state: State | None,
    guard: Expr | None = None,
    options: Mapping[str, Any] = NO_OPTIONS,
) -> Steps:
    """Delete the row; returns whether it was there."""
    if not bound.plain or guard is not None or bound.transaction() is not None:
        seen = None
        try:
            if state is None and "delete" in bound.chain.rewrites:
                seen = dict(instance.__dict__)  # the caller has not seen the row that is read for it
                state = yield from _stored_state(bound, required_key(bound, instance))
            yield from write(bound, "delete", instance, state, target=instance, guard=guard, options=options, seen=seen)
        except NotFoundError:
            return False
        return True
    key = state.key if state is not None else required_key(bound, instance)
    outcomes = yield bound.engine.compile_plain(bound, "delete", key, None, None)
    if outcomes[0].status == "missing":
        return False
    if outcomes[0].status != "ok":
        raise failure(bound, "delete", key, outcomes[0])
    return True


# -- the long way: hooks, extensions, transactions --------------


def write(
    bound: Bound,
    asked: Operation,
    source: Any,
    state: State | None,
    *,
    target: Any = None,
    guard: Expr | None = None,
    checked: Collection[str] = (),
    options: Mapping[str, Any] = NO_OPTIONS,
    now: datetime | None = None,
    seen: Mapping[str, Any] | None = None,
) -> Steps:
    """One row through the whole chain. Hooks work on a candidate; `target` changes only when the row is stored.

    `checked` are the fields that the model has just validated: unless a hook changes them, they are not checked again.
    `seen` is what the caller knows of the row, where that is not what it was loaded with.
    """
    request = Asked(
        bound,
        asked,
        source,
        source if target is None else target,
        now or bound.backend.clock(),
        guard=guard,
        checked=checked,
        options=options,
        seen=seen,
    )
    return (yield from _attempted(request, state))


def _attempted(request: Asked, state: State | None) -> Steps:
    """Carry it out, or into the transaction that is open; tried anew when a row that was read first has changed."""
    bound, source, options = request.bound, request.source, request.options
    open_transaction = bound.transaction()
    operation = bound.chain.operation(request.operation, options)
    attempts = CONTESTED_ATTEMPTS if bound.chain.beside else ATTEMPTS
    key = state.key if state is not None else likely_key(bound, source)
    for _ in range(attempts):
        beside = read = None
        if bound.chain.beside:  # before the row: what it tells is no newer than that
            beside = yield from read_beside(bound, operation, key, options)
        if operation in bound.chain.reads:
            read = yield from _read_first(bound, operation, source, state, request.now)
        prepared = prepare_write(request, state, read, beside or ())
        key = prepared.write.key  # a hook may have made it
        if open_transaction is not None:
            open_transaction.add(prepared)
            return request.target
        outcome = yield from claims.executed(prepared)
        try:
            prepared.finish(outcome)
        except StaleReadError:
            continue
        return request.target
    raise worn_out(bound, bound.key_from(source.__dict__), attempts, request.operation)


def _stored_state(bound: Bound, key: KeyValue) -> Steps:
    """The state of the row that is stored under a key. NotFoundError if there is none."""
    rows = yield bound.engine.compile_get(bound, (key,))
    if rows[0] is None:
        raise failure(bound, "delete", key, Outcome("missing"))
    return State(bound, rows[0], None, key)


def _read_first(bound: Bound, operation: Operation, source: Any, state: State | None, now: datetime) -> Steps:
    """The stored row, for an extension that declares that it `reads` for this operation."""
    key = state.key if state is not None else required_key(bound, source)
    rows = yield bound.engine.compile_get(bound, (key,))
    return stored_row(bound, operation, rows[0], now)


# -- transactions -----------------------------------------------


def commit(writes: list[PreparedWrite]) -> Steps:
    """All buffered writes in one atomic execute; then instances change and after-hooks run. Returns how many rows."""
    bound = writes[0].bound
    disputes = 0
    while True:
        outcomes = yield bound.engine.compile_writes(bound, tuple(one.write for one in writes))
        refused = next((pair for pair in zip(writes, outcomes, strict=True) if _refuses(*pair)), None)
        if refused is None:
            break
        if refused[1].disputed:
            disputes += 1
            if disputes > claims.ATTEMPTS * len(writes):
                raise claims.unsettled(refused[0])
            yield from claims.settle(*refused, writes[: writes.index(refused[0])])
            continue
        if not refused[0].in_vain(refused[1]):
            refused[0].finish(refused[1])
        writes = [one for one in writes if one is not refused[0]]
        if not writes:
            return 0
    errors: list[Exception] = []
    for one, outcome in zip(writes, outcomes, strict=True):
        try:
            if outcome.status == "ok":
                one.finish((yield from one.told(outcome)))
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return sum(outcome.status == "ok" for outcome in outcomes)


def _refuses(one: PreparedWrite, outcome: Outcome) -> bool:
    """Whether this write is why nothing was stored; engines pass over a delete of what is not there."""
    return outcome.status not in ("ok", "skipped") and not (one.write.op == "delete" and outcome.status == "missing")
