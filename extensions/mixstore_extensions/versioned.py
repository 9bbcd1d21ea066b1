"""`Versioned`: optimistic locking, so that two writers of one row can't undo each other."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mixstore import (
    Add,
    BackendExtension,
    Capability,
    Condition,
    ConfigurationError,
    ConflictError,
    Declaration,
    Mixin,
    Q,
    VersionConflictError,
    WriteChange,
    WriteContext,
)

F = TypeVar("F", bound=Callable[..., Any])
FIRST_VERSION = 1
LONGEST_PAUSE = 0.1


class Versioned(Mixin):
    """`version` counts the writes of a row; save, update and delete happen only on the version that was read.

    VersionConflictError has the `expected` and the `stored` version. upsert replaces whatever is there and counts on.
    Additions (`Counters`) ask for no version and count on, too.
    """

    version: int = 0

    Declares = Declaration(required=True)  # a lock that some backend ignores is none

    class VersionCheck(BackendExtension):
        """The version is a condition of the write itself."""

        requires = (Capability.CONDITIONS,)
        reads = {"upsert": ("version",)}
        unseen_deletes = True
        fidelity = "native"

        def before_write(self, context: WriteContext) -> WriteChange:
            if context.operation in ("create", "upsert"):
                stored = context.previous if context.operation == "upsert" else None
                return WriteChange({"version": FIRST_VERSION if stored is None else stored["version"] + 1})
            if context.added:  # additions commute, so that none of them needs the version that was read
                return WriteChange({"version": Add(1)})
            # as loaded, even if another extension had the stored row read: the lock is on what the caller has seen
            expected = (context.values if context.loaded is None else context.loaded)["version"]
            condition = Condition(Q(version=expected), lambda stored: _conflict(expected, stored))
            return WriteChange({} if context.operation == "delete" else {"version": expected + 1}, condition)


def _conflict(expected: int, stored: Mapping[str, Any]) -> VersionConflictError:
    return VersionConflictError(
        f"the stored row has version {stored['version']}, the one that was read had {expected}",
        expected=expected,
        stored=stored["version"],
        hint="refresh() and do it again; @retry_on_conflict() does that with a function",
    )


def retry_on_conflict(attempts: int = 5) -> Callable[[F], F]:
    """Calls a function (or awaits a coroutine function) again when it ends in a ConflictError.

    The function must read what it changes, so that each attempt starts from the stored row. After so many attempts
    the last
    error is raised. Between them is a random pause that grows up to 0.1 s.
    """
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
        raise ConfigurationError(f"retry_on_conflict(attempts={attempts!r}): it takes a whole number from 1 on")

    def decorate(function: F) -> F:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                import asyncio  # half of the time that importing this module would take

                for attempt in range(1, attempts):
                    try:
                        return await function(*args, **kwargs)
                    except ConflictError:
                        await asyncio.sleep(_pause(attempt))
                return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            for attempt in range(1, attempts):
                try:
                    return function(*args, **kwargs)
                except ConflictError:
                    time.sleep(_pause(attempt))
            return function(*args, **kwargs)

        return called  # type: ignore[return-value]

    return decorate


def _pause(attempt: int) -> float:
    import random

    return random.uniform(0, min(LONGEST_PAUSE, 0.002 * 2**attempt))
