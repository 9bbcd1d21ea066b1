"""What will be stored of a row: its record, as extensions make it, and what of that an update writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.checking import check_fields, differs
from mixstore.errors import HookError
from mixstore.failures import called, hook_gave
from mixstore.rowkeys import same_key
from mixstore.write import REMOVE

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.state import State
    from mixstore.write import KeyValue


def recorded(
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
        called(bound, extension, "validate", key, hook, dict(candidate.__dict__))
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
        record = called(bound, extension, "serialize", key, hook, dict(before))
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
        candidate.__dict__[name] = called(bound, extension, "derived", key, make, checked, loaded)
    return check_fields(bound, candidate, old, {name: checked[name] for name in checked.keys() - bound.chain.derived})
