"""Every error that mixstore raises, in one tree.

MixstoreError
├── ConfigurationError               a model, plugin or setting is wrong: fix the code or the config
│   ├── SchemaError                  a model class, field or key
│   ├── SettingsError                settings, all that is wrong with them at once
│   └── PluginError                  a plugin or its registration
├── QueryError                       a query that no backend could answer (field, lookup, operand)
│   └── InvalidCursorError           a cursor that is forged, damaged or of another query
├── UnsupportedOperationError        a right question to a backend that can't answer it
├── MultipleResultsError             `one()` or `get()` found several rows
├── TransactionError                 a transaction used in a way it can't keep its promise
├── HookError                        a hook of a model or an extension raised
└── BackendError                     what happened at the store
    ├── NotFoundError                update of a row that isn't there
    ├── DuplicateKeyError            the key or a unique value is taken
    ├── ConflictError                the row changed in between
    │   └── VersionConflictError     ... by its version
    ├── ValidationError              (also a ValueError) data that can't be stored
    ├── BatchError                   some rows of a batch failed
    ├── CorruptRecordError           a stored value that does not decode
    ├── BackendUnavailableError      the store can't be reached, now; `outcome_unknown`: a write may have happened
    │   ├── ThrottledError           it refuses more load
    │   └── BackendTimeoutError      no answer in time
    └── AccessDeniedError            the credentials don't allow it

All of them can be raised with just a message. `model`, `key`, `query`, `backend` say where it happened and `hint`
what to do next; they are attributes, and part of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class MixstoreError(Exception):
    """Base of all errors of this package."""

    def __init__(
        self,
        message: str = "",
        *,
        model: type | str | None = None,
        key: Any = None,
        query: Any = None,
        backend: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.model = model
        self.key = key
        self.query = query
        self.backend = backend
        self.hint = hint
        self.hook: str | None = None

    def __str__(self) -> str:
        places = {
            "model": self.model.__name__ if isinstance(self.model, type) else self.model,
            "key": None if self.key is None else repr(self.key),
            "query": self.query,
            "backend": self.backend,
            "hook": self.hook,
        }
        told = ", ".join(f"{name}={place}" for name, place in places.items() if place is not None)
        text = f"{self.message} [{told}]" if told else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class ConfigurationError(MixstoreError):
    """A model, a plugin or a setting is wrong; nothing was read or written."""


class SchemaError(ConfigurationError):
    """A model class, a field, a key or a table that does not fit its model."""


class SettingsError(ConfigurationError):
    """Settings are wrong: `mistakes` has the place ("mixstore.toml: backends.events.url") and the problem of each."""

    def __init__(self, message: str = "", *, mistakes: Sequence[tuple[str, str]] = (), **where: Any) -> None:
        self.mistakes = tuple(mistakes)
        lines = [f"{place}: {problem}" for place, problem in self.mistakes]
        title = [f"{len(lines)} mistakes in the settings:"] if len(lines) > 1 else []
        super().__init__(message or "\n  ".join([*title, *lines]), **where)


class PluginError(ConfigurationError):
    """A plugin is broken, or registers something that can't be registered."""


class QueryError(MixstoreError):
    """A query that makes no sense: unknown field or lookup, an operand of the wrong type."""


class InvalidCursorError(QueryError):
    """A cursor that is damaged, forged, or belongs to another query."""


class UnsupportedOperationError(MixstoreError):
    """The bound backend does not have the capability that this asks for."""


class MultipleResultsError(MixstoreError):
    """`one()` or `get()` found more than one row."""


class TransactionError(MixstoreError):
    """A transaction can't be used this way (nested, read of a buffered key, another task or thread)."""


class HookError(MixstoreError):
    """A hook of a model or an extension raised something else than a mixstore error or a ValueError: its cause."""


class BackendError(MixstoreError):
    """Something happened at the store."""


class NotFoundError(BackendError):
    """The row to update or refresh is not there."""


class DuplicateKeyError(BackendError):
    """The primary key, or the value of the unique `field`, is taken. Nothing was changed."""

    def __init__(self, message: str = "", *, field: str | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.field = field


class ConflictError(BackendError):
    """A condition on the stored row does not hold. Nothing was changed."""


class VersionConflictError(ConflictError):
    """The stored row has another version (`stored`) than the one that was read (`expected`)."""

    def __init__(self, message: str = "", *, expected: Any = None, stored: Any = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.expected = expected
        self.stored = stored


class ValidationError(BackendError, ValueError):
    """Data that the model, an extension or the engine refuses. pydantic's own error is its cause."""

    def __init__(
        self,
        message: str = "",
        *,
        errors: Sequence[dict[str, Any]] = (),
        field: str | None = None,
        **where: Any,
    ) -> None:
        super().__init__(message, **where)
        self.field = field
        self._errors = list(errors)

    def errors(self) -> list[dict[str, Any]]:
        """The single errors, in the form of `pydantic.ValidationError.errors()`."""
        return list(self._errors)


class BatchError(BackendError):
    """Some rows of a batch failed; `outcomes` has one entry a row, in order: None, or its error."""

    def __init__(self, message: str = "", *, outcomes: Sequence[Exception | None] = (), **where: Any) -> None:
        super().__init__(message, **where)
        self.outcomes = list(outcomes)

    @property
    def failed(self) -> dict[int, Exception]:
        """The errors by position."""
        return {index: error for index, error in enumerate(self.outcomes) if error is not None}


class CorruptRecordError(BackendError):
    """A stored value that does not decode to its field's type."""

    def __init__(self, message: str = "", *, field: str | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.field = field


class BackendUnavailableError(BackendError):
    """The store can't be reached or is locked; the same call may succeed later.

    With `outcome_unknown` a write may or may not have happened: read before you repeat it. Without, it has not.
    """

    def __init__(self, message: str = "", *, outcome_unknown: bool = False, **where: Any) -> None:
        super().__init__(message, **where)
        self.outcome_unknown = outcome_unknown


class ThrottledError(BackendUnavailableError):
    """The store refuses more load."""


class BackendTimeoutError(BackendUnavailableError):
    """No answer in time."""


class AccessDeniedError(BackendError):
    """The credentials don't allow this operation."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A sentence that helps with a mistyped name: the nearest valid one, or all of them if few."""
    import difflib  # slow to import, and only errors need it

    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:12])
    return f"valid: {shown}" + (", ..." if len(names) > 12 else "")
