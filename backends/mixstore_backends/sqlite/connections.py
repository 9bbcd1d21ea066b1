"""Connections: one a thread for a file, one shared by all for a database in memory; none survives a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from mixstore.errors import BackendError, ConfigurationError
from mixstore_backends.sqlite import errors, functions

OLDEST = (3, 37, 0)
"""STRICT tables came with this version."""

MEMORY = ":memory:"


class _Held:
    """A connection that is closed when its thread is gone. (sqlite3's own objects warn if nobody closes them.)"""

    __slots__ = ("__weakref__", "raw")

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    def __del__(self) -> None:
        self.raw.close()


class Connections:
    """The connections of one database.

    `get()` gives this thread's. `lock` is to be held while it is used; for a file it is none, since threads share
    nothing. `turn` is for the threads that write to a file, of which SQLite lets one at a time.
    """

    lock: AbstractContextManager[Any]

    def __init__(self, path: str, timeout: float, synchronous: str) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ConfigurationError(
                f"this Python has SQLite {sqlite3.sqlite_version}; mixstore needs {'.'.join(map(str, OLDEST))} or newer"
            )
        self.path = path
        self.timeout = timeout
        self.synchronous = synchronous
        self.in_memory = path == MEMORY
        self.closed = False
        self._start()
        _living.add(self)

    def _start(self) -> None:
        self.lock = threading.RLock() if self.in_memory else nullcontext()
        self.turn = threading.Lock()
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._here: Any = _Shared() if self.in_memory else threading.local()

    def get(self) -> sqlite3.Connection:
        """This thread's connection, opened when it is first asked for. BackendError if the backend is closed."""
        try:
            return self._here.raw  # type: ignore[no-any-return]
        except AttributeError:
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        with self._guard:
            if self.closed:
                raise BackendError("the backend is closed", backend=errors.NAME, hint="make a new one")
            if self.in_memory and hasattr(self._here, "raw"):
                return self._here.raw  # type: ignore[no-any-return]
            raw = self._open()
            held = _Held(raw)
            self._held.add(held)
            self._here.held = held
            self._here.raw = raw
            return raw

    def _open(self) -> sqlite3.Connection:
        raw = sqlite3.connect(
            self.path, timeout=self.timeout, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        try:
            self._set_up(raw)
        except BaseException:
            raw.close()
            raise
        return raw

    def _set_up(self, raw: sqlite3.Connection) -> None:
        if not self.in_memory:
            self._patiently(lambda: self._to_wal(raw))
        raw.execute(f"PRAGMA synchronous = {self.synchronous}")
        functions.register(raw)

    def _to_wal(self, raw: sqlite3.Connection) -> None:
        if raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        try:
            raw.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise

    def _patiently(self, step: Callable[[], None]) -> None:
        # Changing the journal mode does not wait for the lock as everything else does.
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                if not errors.is_busy(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        """Close every connection. What is in memory is gone."""
        with self.lock, self._guard:
            self.closed = True
            for held in list(self._held):
                held.raw.close()
            self._here = _Shared() if self.in_memory else threading.local()

    def forget(self) -> None:
        """Start anew in a forked child, without touching the parent's connections."""
        _inherited.append((self._here, list(self._held)))
        self._start()
        if self.in_memory:
            self.closed = True


class _Shared:
    """The place of the one connection of a database in memory."""

    raw: sqlite3.Connection
    held: _Held


_living: weakref.WeakSet[Connections] = weakref.WeakSet()
_inherited: list[Any] = []
"""Connections of the parent process, kept: to close one here could take the parent's locks away."""


def _after_fork() -> None:
    for connections in list(_living):
        connections.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
