"""`MIXSTORE_TRACE=1`: each hook of a plugin, each step of a chain and each operation, with its time, on stderr.

Steps are wrapped when a chain is compiled, so that one which is not traced costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pluggy

    from mixstore.events import Event
    from mixstore.extension import BackendExtension


class TracedStep:
    """A hook of an extension that tells when it ran. To others it is the bound method that it stands for."""

    __slots__ = ("__name__", "__self__", "_hook", "_where")

    def __init__(self, extension: BackendExtension, name: str) -> None:
        self.__self__ = extension
        self.__name__ = name
        self._hook: Callable[..., Any] = getattr(extension, name)
        self._where = f"{type(extension).__qualname__}.{name} for {extension.model.__name__}"

    def __call__(self, *args: Any) -> Any:
        started = perf_counter()
        try:
            result = self._hook(*args)
        except BaseException as error:
            tell(self._where, repr(error), started)
            raise
        tell(self._where, "done", started)
        return result


class CallTimes:
    """Times the calls of plugin hooks; they may be nested."""

    def __init__(self) -> None:
        self._started: list[float] = []

    def before(self, hook: str, implementations: Sequence[pluggy.HookImpl], arguments: object) -> None:
        """A call begins."""
        self._started.append(perf_counter())

    def after(self, outcome: Any, hook: str, implementations: Sequence[pluggy.HookImpl], arguments: object) -> None:
        """It has ended."""
        told = "done" if outcome.exception is None else repr(outcome.exception)
        tell(f"{hook} of {', '.join(found.plugin_name for found in implementations)}", told, self._started.pop())


def tell(what: str, ended: str, started: float) -> None:
    """A line of the trace."""
    _line(what, ended, perf_counter() - started)


def tell_event(event: Event) -> None:
    """The line of an operation."""
    ended = f"{event.rows} rows" if event.error is None else repr(event.error)
    _line(f"{event.operation} {event.model.__name__} on {event.backend}", ended, event.seconds)


def _line(what: str, ended: str, seconds: float) -> None:
    sys.stderr.write(f"mixstore: {what}: {ended} in {seconds * 1000:.3f} ms\n")
