"""What the tests of models share: a registry of their own, and a memory backend in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from mixstore.registry import Registry, registry
from mixstore_backends.memory import InMemoryBackend


class Clock:
    """A clock that stands still until it is told to go on; `reads` counts who looked at it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
        self.reads = 0

    def __call__(self) -> datetime:
        self.reads += 1
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def fresh() -> Iterator[Registry]:
    """A registry in which no plugin is installed."""
    with registry() as fresh:
        fresh.load_plugins([])
        yield fresh


@pytest.fixture
def store(fresh: Registry) -> InMemoryBackend:
    """The default backend: in memory, with a clock that stands still."""
    backend = InMemoryBackend()
    backend.clock = Clock()
    fresh.connect_as("default", backend)
    return backend
