"""The key of an instance that is to be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mixstore.errors import ValidationError

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.state import State
    from mixstore.write import KeyValue


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
