"""One write through the chain, up to the `Write` that a backend compiles, and from its outcome back to the instance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mixstore import lookups
from mixstore.beside import Found, StoredRow, check_side, write_beside
from mixstore.chain import AS_IT_IS, REWRITE
from mixstore.checking import check_fields, differs
from mixstore.errors import ConflictError, HookError, ValidationError
from mixstore.expressions import FALSE, TRUE, Compare, Expr, conjunction, substitute
from mixstore.failures import hook_failed, hook_gave
from mixstore.prepared import PreparedWrite, Replica, StaleReadError
from mixstore.registry import current
from mixstore.state import State
from mixstore.write import (
    REMOVE,
    Add,
    Claim,
    Condition,
    Operation,
    SideWrite,
    Write,
    WriteChange,
    WriteContext,
    changed,
    total,
)

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.amounts import Amount
    from mixstore.bound import Bound
    from mixstore.extension import BackendExtension
    from mixstore.write import KeyValue


NO_OPTIONS: Mapping[str, Any] = {}


def required_key(bound: Bound, instance: Any) -> KeyValue:
    """The instance's key; ValidationError if a part of it is missing."""
    key = bound.key_from(instance.__dict__)
    if key is None:
        missing = next((n for n in bound.schema.key_fields if instance.__dict__.get(n) is None), None)
        raise ValidationError(
            f"{bound.schema.name}: a part of the key is missing" + (f": {missing}" if missing else ""),
            model=bound.model,
            field=missing,
        )
    return key


def same_key(
    bound: Bound, instance: Any, state: State | None, record: Mapping[str, Any], changed: Iterable[str]
) -> KeyValue:
    """The instance's key, which a saved row can't change."""
    if state is None:
        return required_key(bound, instance)
    hidden = bound.schema.hidden_key
    if hidden:
        rendered = tuple(record[name] for name in hidden) if hidden[0] in record else required_key(bound, instance)
        same = rendered == state.key
    else:
        same = not any(name in bound.schema.key_fields for name in changed)
    if not same:
        key = bound.schema.key_as_told(required_key(bound, instance))
        raise ValidationError(
            f"the key of a saved {bound.schema.name} can't change, to {key!r}",
            model=bound.model,
            key=bound.schema.key_as_told(state.key),
            hint="create a new row and delete the old one",
        )
    return state.key


# -- preparing --------------------------------------------------


def prepare_write(
    bound: Bound,
    asked: Operation,
    source: Any,
    target: Any,
    state: State | None,
    read: StoredRow | None,
    now: datetime,
    *,
    guard: Expr | None = None,
    checked: Collection[str] = (),
    options: Mapping[str, Any] = NO_OPTIONS,
    beside: Found = (),
    adds: Mapping[str, Amount] = NO_OPTIONS,
    seen: Mapping[str, Any] | None = None,
    kind: Callable[..., PreparedWrite] = PreparedWrite,
) -> PreparedWrite:
    """Run the write side of the chain.

    `read` is the stored row if an extension asked for it, `beside` what extensions asked for of internal models.
    `adds` is what the engine adds to which fields, whose values in `source` are only what they may become. `seen` is
    what the caller knows of the row, where that is not what it was loaded with. `kind` makes the answer.
    """
    chain = bound.chain
    operation = chain.operation(asked, options)
    candidate = bound.candidate(source)
    given = source.__dict__
    trusted = given if checked is bound.names and not adds else {name: given[name] for name in (*checked, *adds)}
    key = state.key if state is not None else bound.key_from(candidate.__dict__)
    old = bound.plain_record(state.stored) if state is not None else None
    loaded = bound.decode(old) if old is not None else None
    previous = read.values if read is not None else loaded
    added = {name: one.by for name, one in adds.items()} if adds else {}
    known = loaded if seen is None else seen
    context = WriteContext(
        operation, asked, bound.model, key, candidate.__dict__, previous, now, known, MappingProxyType(added)
    )
    replica = options.get(AS_IT_IS)
    before = bound.schema.hooks["before_delete" if asked == "delete" else "before_save"]
    if before and not replica:
        _before_hooks(bound, before, candidate, context)
    if asked == "delete" and old is not None:  # what the instance holds unsaved is not saved by deleting it
        candidate.__dict__.update(bound.decode(old) if bound.mutable or loaded is None else loaded)
    conditions, side_writes = ([], []) if replica else _before_write(bound, candidate, context, added)
    if added:
        trusted.update({name: candidate.__dict__[name] for name in added.keys() - adds.keys()})
    for one in adds.values():
        conditions += one.conditions
    if read is not None:
        conditions.append(_unchanged(bound, operation, read.values))
    if guard is not None:
        conditions.append(Condition(substitute(guard, {"now": now}), _no_longer_matches))
    outdated: Collection[str] = ()
    if state is not None and old is not None and options.get(REWRITE):
        outdated, same = _outdated(bound, state, old)
        conditions.append(same)
    record = None
    changes = None
    if operation != "delete":
        told = None if options.get(REWRITE) else loaded
        record, changes, key = _stored(bound, operation, candidate, state, old, told, trusted, key, outdated)
    elif key is None:
        key = required_key(bound, candidate)
    if changes is not None and added:
        changes.update({name: Add(by) for name, by in added.items()})
    context.key = key
    if chain.beside:
        _tell_of_record(context, state, read, record, changes)
        side_writes += write_beside(bound, context, beside, options)
    environment = {"now": now}
    visibility = _visibility(bound, operation, options, environment)
    wanted = conjunction(visibility, *[condition.expr for condition in conditions])
    write = Write(
        operation,
        bound,
        key,
        record,
        changes,
        condition=None if wanted is TRUE else wanted,
        evict=None if operation == "delete" else chain.evicted_in(environment),
        side_writes=tuple([side_write(bound, context, extension, side) for extension, side in side_writes]),
        absent=operation == "upsert" and bool(chain.reads.get("upsert")) and read is not None and read.values is None,
    )
    kind = Replica if replica else kind
    return kind(bound, asked, candidate, target, context, write, conditions, visibility)


def _tell_of_record(
    context: WriteContext,
    state: State | None,
    read: StoredRow | None,
    record: Mapping[str, Any] | None,
    changes: Mapping[str, Any] | None,
) -> None:
    """What will be stored, on top of the row as read rather than as loaded: another writer may have come between."""
    stored = None if read is None else read.record
    if stored is None and state is not None:
        stored = state.stored
    if record is None:
        context.record = stored
        return
    context.record = record if changes is None or stored is None else changed(stored, changes)
    context.changed = frozenset(record if changes is None else changes) & context.values.keys()


def _before_hooks(bound: Bound, hooks: Iterable[Callable[..., Any]], candidate: Any, context: WriteContext) -> None:
    for hook in hooks:
        try:
            hook(candidate, context)
        except Exception as error:
            raise hook_failed(bound, bound.schema.name, hook.__name__, context.key, error) from error


def _before_write(
    bound: Bound, candidate: Any, context: WriteContext, added: dict[str, Any]
) -> tuple[list[Condition], list[tuple[BackendExtension, SideWrite]]]:
    conditions: list[Condition] = []
    side_writes: list[tuple[BackendExtension, SideWrite]] = []
    values = candidate.__dict__
    for extension, hook in bound.chain.before_write:
        change = _called(bound, extension, "before_write", context.key, hook, context)
        if change is None:
            continue
        _check_change(bound, extension, context, change)
        for name, value in change.values.items():
            if name not in bound.schema.fields:
                bound.schema.field(name, f"lacks the field that {type(extension).__qualname__} sets:")
            if type(value) is Add:
                if not context.added:
                    owner = type(extension).__qualname__
                    raise hook_gave(bound, owner, "before_write", context.key, "values where nothing is added", value)
                added[name] = value.by
                value = total(values[name], value.by)
            values[name] = value
        if change.condition is not None:
            expr = _called(bound, extension, "before_write", context.key, _resolved, bound, change.condition)
            conditions.append(Condition(substitute(expr, {"now": context.now}), change.condition.error))
        side_writes += [(extension, side) for side in change.side_writes]
    return conditions, side_writes


def _check_change(bound: Bound, extension: BackendExtension, context: WriteContext, change: Any) -> None:
    """HookError for what is no WriteChange, and for a part of one that is something else."""
    wrong: tuple[str, Any] | None = None
    if not isinstance(change, WriteChange):
        wrong = "a WriteChange or None", change
    elif not isinstance(change.values, (dict, MappingProxyType, Mapping)):  # an abstract class is asked last: slow
        wrong = "values that are a dict by field", change.values
    elif not (change.condition is None or isinstance(change.condition, Condition)):
        wrong = "a condition that is a Condition", change.condition
    elif not isinstance(change.side_writes, (tuple, list)):
        wrong = "side writes that are a tuple", change.side_writes
    if wrong is not None:
        raise hook_gave(bound, type(extension).__qualname__, "before_write", context.key, *wrong)
    for side in change.side_writes:
        check_side(bound, extension, "before_write", context.key, side)


def _resolved(bound: Bound, condition: Condition) -> Expr:
    return lookups.resolve(bound.schema, condition.expr, current().lookups)


def _called(
    bound: Bound,
    extension: BackendExtension,
    name: str,
    key: KeyValue | None,
    hook: Callable[..., Any],
    *args: Any,
) -> Any:
    try:
        return hook(*args)
    except Exception as error:
        raise hook_failed(bound, type(extension).__qualname__, name, key, error) from error


def _stored(
    bound: Bound,
    operation: str,
    candidate: Any,
    state: State | None,
    old: Mapping[str, Any] | None,
    loaded: Mapping[str, Any] | None,
    trusted: Mapping[str, Any] | None,
    key: KeyValue | None,
    outdated: Collection[str],
) -> tuple[dict[str, Any], dict[str, Any] | None, KeyValue]:
    """The stored record, for an update what of it is new or `outdated`, and the key."""
    plain, fixed, changed = check_fields(bound, candidate, old, trusted)
    candidate.__dict__.update(fixed)
    if bound.chain.derived:
        plain, fixed, changed = _derived(bound, candidate, old, loaded, key)
        candidate.__dict__.update(fixed)
    key = same_key(bound, candidate, state, plain, changed)
    for extension, hook in bound.chain.validate:
        _called(bound, extension, "validate", key, hook, dict(candidate.__dict__))
    record = serialized(bound, plain, key)
    if operation != "update":
        return record, None, key
    if state is None or old is None:
        return record, dict(record), key
    stored = state.stored
    changes = {name: record[name] for name in (*changed, *sorted(outdated)) if name in record}
    if len(record) > len(bound.schema.fields):  # a rendered key, and what extensions added
        added = record.keys() - bound.schema.fields.keys()
        changes.update({name: record[name] for name in added if differs(record[name], stored.get(name))})
    if not stored.keys() <= record.keys():
        changes.update({name: REMOVE for name in stored if name not in record})
    return record, changes, key


def serialized(bound: Bound, plain: dict[str, Any], key: KeyValue) -> dict[str, Any]:
    """The record as extensions store it. HookError for a field that one replaced and does not declare as opaque."""
    record = plain
    for extension, hook in bound.chain.serialize:
        before = record
        record = _called(bound, extension, "serialize", key, hook, dict(before))
        if not isinstance(record, dict):
            raise hook_gave(bound, type(extension).__qualname__, "serialize", key, "a dict", record)
        for name in bound.schema.fields:
            if name not in bound.chain.opaque and (name not in record or differs(record[name], before[name])):
                raise HookError(
                    f"{type(extension).__qualname__}.serialize changed {name!r}, which it does not declare as opaque; "
                    "nothing was stored",
                    model=bound.model,
                    key=bound.schema.key_as_told(key),
                    backend=bound.backend.backend_name,
                )
    return record


def _derived(
    bound: Bound,
    candidate: Any,
    old: Mapping[str, Any] | None,
    loaded: Mapping[str, Any] | None,
    key: KeyValue | None,
) -> tuple[dict[str, Any], dict[str, Any], Sequence[str]]:
    """What `check_fields` tells of the candidate, once the fields that follow from others have been made."""
    checked = dict(candidate.__dict__)
    for name, (extension, make) in bound.chain.derived.items():
        candidate.__dict__[name] = _called(bound, extension, "derived", key, make, checked, loaded)
    return check_fields(bound, candidate, old, {name: checked[name] for name in checked.keys() - bound.chain.derived})


def _visibility(bound: Bound, operation: str, options: Mapping[str, Any], environment: Any) -> Expr:
    chain = bound.chain
    if operation in ("update", "delete"):
        return substitute(chain.visibility(options), environment) if options else chain.visible_in(environment)
    veil = chain.veil if operation == "upsert" and not options.get(AS_IT_IS) else None
    return TRUE if veil is None else substitute(~veil, environment)


def _unchanged(bound: Bound, operation: str, values: Mapping[str, Any] | None) -> Condition:
    fields = bound.chain.reads.get(operation, ())
    if values is None:  # whoever updates or deletes a row that appeared since has not looked at it
        same: Expr = TRUE if operation == "upsert" else FALSE
    else:
        same = conjunction(*[Compare((name,), "eq", values[name]) for name in fields])
    return Condition(same, lambda stored: StaleReadError("the row changed in between"))


def _outdated(bound: Bound, state: State, old: Mapping[str, Any]) -> tuple[set[str], Condition]:
    """The fields to store anew as they are, and that they still are so."""
    outdated, loaded = bound.outdated(state.stored), bound.decode(old)
    same = conjunction(*[Compare((name,), "eq", loaded[name]) for name in sorted(outdated)])
    return outdated, Condition(same, _no_longer_matches)


def _no_longer_matches(stored: Mapping[str, Any]) -> Exception:
    return ConflictError("the row no longer matches the query")


def side_write(bound: Bound, context: WriteContext, extension: BackendExtension, side: SideWrite) -> Write:
    """A row of an internal model: through its adapter, on the same backend, with no chain."""
    other = bound.backend.bound(type(side.instance))
    key = required_key(other, side.instance)
    condition = None
    if side.condition is not None:
        resolved = partial(lookups.resolve, other.schema, side.condition, current().lookups)
        condition = substitute(_called(bound, extension, "SideWrite", context.key, resolved), {"now": context.now})
    if side.op == "delete":
        return Write("delete", other, key, condition=condition)
    record = other.encode(side.instance)
    changes = dict(record) if side.op == "update" else None
    if side.counts:
        changes = {name: value for name, value in record.items() if name not in other.schema.key_fields}
        changes.update({name: Add(1) for name in side.counts})
    return Write(
        side.op,
        other,
        key,
        record,
        changes,
        condition,
        contested=side.contested,
        claim=None if side.claims is None else Claim(extension, side.claims),
        dies=bound.death(context.final) if side.linked else None,
    )
