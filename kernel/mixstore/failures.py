"""What went wrong, as mixstore's errors: the outcome of a write, and a hook that raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mixstore.errors import (
    ConflictError,
    DuplicateKeyError,
    HookError,
    MixstoreError,
    NotFoundError,
    ValidationError,
)
from mixstore.write import Outcome

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.extension import BackendExtension
    from mixstore.write import KeyValue

NOTHING_STORED = "nothing was stored"
STORED = "the row is stored"
NOTHING_READ = "nothing was read"


def failure(bound: Bound, operation: str, key: KeyValue, outcome: Outcome) -> MixstoreError:
    """The error of an outcome that needs no look at the stored row."""
    if outcome.error is not None:
        return outcome.error
    if outcome.side is not None:
        side = outcome.side
        error = failure(side.bound, side.op, side.key, Outcome(outcome.status, None, outcome.field))
        error.hint = f"it is written together with {bound.schema.name} {bound.schema.key_as_told(key)!r}"
        return error
    name = bound.schema.name
    where: dict[str, Any] = {
        "model": bound.model,
        "key": bound.schema.key_as_told(key),
        "backend": bound.backend.backend_name,
    }
    if outcome.status == "exists":
        unseen = operation == "upsert"
        hint = "that row is out of sight here" if unseen else "upsert() replaces, save() of a loaded row updates"
        return DuplicateKeyError(f"{name} exists already", hint=hint, **where)
    if outcome.status == "unique":
        told = f"{name}.{outcome.field} is unique, and the value is taken"
        if outcome.field not in bound.schema.fields:
            told = f"{name}: {outcome.field} are unique together, and the values are taken"
        return DuplicateKeyError(told, field=outcome.field, **where)
    if outcome.status == "missing":
        return NotFoundError(f"{name} to {operation} is not there", **where)
    return ConflictError(f"{name} changed while it was written; nothing was stored", **where)


def worn_out(bound: Bound, key: KeyValue | None, attempts: int, doing: str, effect: str = "") -> ConflictError:
    """The error of a write that lost to another each time it was tried."""
    return ConflictError(
        f"{bound.schema.name} changed under {attempts} attempts to {doing} it{effect}",
        model=bound.model,
        key=bound.schema.key_as_told(key),
        backend=bound.backend.backend_name,
    )


def hook_failed(
    bound: Bound, owner: str, hook: str, key: KeyValue | None, error: Exception, effect: str = NOTHING_STORED
) -> MixstoreError:
    """The error of a hook that raised.

    It is mixstore's own with the place added, a ValidationError for a ValueError before a write, else a HookError.
    """
    told = f"{owner}.{hook}"
    shown = bound.schema.key_as_told(key)
    if isinstance(error, MixstoreError):
        error.model = error.model or bound.model
        error.key = shown if error.key is None else error.key
        error.backend = error.backend or bound.backend.backend_name
        error.hook = error.hook or told
        return error
    kind = ValidationError if isinstance(error, ValueError) and effect is NOTHING_STORED else HookError
    failed = kind(
        f"{told} raised {type(error).__name__}: {error}; {effect}",
        model=bound.model,
        key=shown,
        backend=bound.backend.backend_name,
    )
    failed.hook = told
    return failed


def hook_gave(
    bound: Bound, owner: str, hook: str, key: KeyValue | None, wanted: str, got: Any, effect: str = NOTHING_STORED
) -> HookError:
    """The error of a hook that answered with something that can't be used."""
    failed = HookError(
        f"{owner}.{hook} must give {wanted}, not {type(got).__name__}; {effect}",
        model=bound.model,
        key=bound.schema.key_as_told(key),
        backend=bound.backend.backend_name,
    )
    failed.hook = f"{owner}.{hook}"
    return failed


def called(
    bound: Bound,
    extension: BackendExtension,
    name: str,
    key: KeyValue | None,
    hook: Callable[..., Any],
    *args: Any,
) -> Any:
    """What a hook of an extension gives. HookError if it fails."""
    try:
        return hook(*args)
    except Exception as error:
        raise hook_failed(bound, type(extension).__qualname__, name, key, error) from error
