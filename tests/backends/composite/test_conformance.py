"""The conformance kit on composites: extensions and queries see one backend."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from mixstore_backends.composite import CompositeBackend
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance


class InMemory:
    @pytest.fixture
    def backend(self):
        with CompositeBackend(InMemoryBackend(), InMemoryBackend(), guarantee="sync") as backend:
            yield backend


class OnSQLite:
    @pytest.fixture
    def backend(self, tmp_path):
        sides = SQLiteBackend(tmp_path / "storage.db"), SQLiteBackend(tmp_path / "search.db")
        with CompositeBackend(*sides, guarantee="sync") as backend:
            yield backend


class TestCompositeInMemory(InMemory, BackendConformance): ...


class TestCompositeOnSQLite(OnSQLite, BackendConformance): ...


class TestTTL(InMemory, TTLConformance): ...


class TestVersioned(InMemory, VersionedConformance): ...


class TestTimestamps(InMemory, TimestampsConformance): ...
