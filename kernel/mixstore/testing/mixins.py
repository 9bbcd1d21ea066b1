"""Small mixins by which the cases reach every hook of the kernel; nothing that an application would use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mixstore import (
    BackendExtension,
    Capability,
    Condition,
    Declaration,
    Deferred,
    Mixin,
    Q,
    QueryBuilder,
    VersionConflictError,
    WriteChange,
    WriteContext,
    query_method,
)


def _expires_in(seconds: float | None, now: datetime) -> dict[str, datetime | None]:
    if isinstance(seconds, str):
        raise ValueError("it takes seconds")
    return {"expires_at": None if seconds is None else now + timedelta(seconds=seconds)}


class Mortal(Mixin):
    """Rows that count as absent from a moment on: `dead`, an argument, a query method."""

    expires_at: datetime | None = None

    Declares = Declaration(required=True, arguments={"expires_in": _expires_in})

    class Death(BackendExtension):
        """Hides what is over."""

        reveals = "include_expired"

        def dead(self, now: Deferred) -> Q:
            """From `expires_at` on."""
            return Q(expires_at__lte=now)

    @query_method
    def include_expired(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
        """Show dead rows that are still there."""
        return query.option(include_expired=True)


class Locked(Mixin):
    """Rows that are written on the version that was read: a condition, and a read before upsert."""

    version: int = 0

    Declares = Declaration(required=True)

    class Lock(BackendExtension):
        """The version is a condition of the write."""

        requires = (Capability.CONDITIONS,)
        reads = {"upsert": ("version",)}

        def before_write(self, context: WriteContext) -> WriteChange:
            """Count on, and check."""
            if context.operation in ("create", "upsert"):
                stored = context.previous if context.operation == "upsert" else None
                return WriteChange({"version": 1 if stored is None else stored["version"] + 1})
            expected = (context.values if context.loaded is None else context.loaded)["version"]
            condition = Condition(Q(version=expected), lambda stored: _conflict(expected, stored))
            return WriteChange({} if context.operation == "delete" else {"version": expected + 1}, condition)


def _conflict(expected: int, stored: Mapping[str, Any]) -> VersionConflictError:
    return VersionConflictError("another version is stored", expected=expected, stored=stored["version"])


class Stamped(Mixin):
    """Rows that know when they were written: changed values, the row before, one clock an operation."""

    created_at: datetime | None = None
    updated_at: datetime | None = None

    class Stamp(BackendExtension):
        """Sets both before the row is stored."""

        reads = {"upsert": ()}

        def before_write(self, context: WriteContext) -> WriteChange | None:
            """By the clock of the operation."""
            if context.operation == "delete":
                return None
            before = context.previous if context.operation == "upsert" else None
            created = context.values["created_at"] if before is None else before["created_at"]
            return WriteChange({"created_at": created or context.now, "updated_at": context.now})


class Freeing(Mixin):
    """Rows that are there, but may give up their unique values: `frees_unique`."""

    gone: bool = False

    class Freed(BackendExtension):
        """Where `gone` is set."""

        def frees_unique(self) -> Q:
            """A fixed expression, which an index may hold."""
            return Q(gone=True)


class Hideable(Mixin):
    """Deleted rows stay, and nobody sees them: a rewritten operation, `veiled`."""

    hidden: bool = False

    class Veil(BackendExtension):
        """Turns a delete into an update."""

        reveals = "include_hidden"
        rewrites = {"delete": "update"}

        def before_write(self, context: WriteContext) -> WriteChange | None:
            """Mark what is deleted."""
            return WriteChange({"hidden": True}) if context.asked == "delete" else None

        def veiled(self) -> Q:
            """The marked rows."""
            return Q(hidden=True)

    @query_method
    def include_hidden(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
        """Show hidden rows."""
        return query.option(include_hidden=True)
