"""The engines without their unique indexes: what a store looks like that has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mixstore import Backend, Capability
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions.guards import UniqueGuard

NO_UNIQUE = ~(Capability.UNIQUE | Capability.PARTIAL_UNIQUE)


class GuardedMemory(InMemoryBackend):
    """Memory that lets rows share any value, and says that it would look at all rows to find one."""

    capabilities = InMemoryBackend.capabilities & NO_UNIQUE & ~Capability.INDEXES


class GuardedSQLite(SQLiteBackend):
    """SQLite without unique indexes but those of keys."""

    capabilities = SQLiteBackend.capabilities & NO_UNIQUE


GUARDED: dict[str, Callable[[Any], Backend]] = {
    "memory": lambda folder: GuardedMemory(),
    "sqlite-file": lambda folder: GuardedSQLite(folder / "store.db", timeout=60, synchronous="off"),
}
"""name -> a backend that may keep files in a folder."""


def guards_of(backend: Backend) -> dict[str, str]:
    """{value: owner} of all guards that a backend holds."""
    return {guard.value: guard.owner for guard in backend.query(UniqueGuard).all()}
