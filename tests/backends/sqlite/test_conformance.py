"""The conformance kit on SQLite: a file, and a database in memory."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance


class InFile:
    matrix = "sqlite"

    @pytest.fixture
    def backend(self, tmp_path):
        # patient and careless of power failures, so that a slow disk or a busy machine fails no test of behaviour
        with SQLiteBackend(tmp_path / "store.db", timeout=60, synchronous="off") as backend:
            yield backend

    @pytest.fixture
    def unreachable(self, tmp_path):
        path = tmp_path / "damaged.db"
        path.write_bytes(b"this is no database " * 100)
        with SQLiteBackend(path) as backend:
            yield backend


class InMemory:
    @pytest.fixture
    def backend(self):
        with SQLiteBackend(":memory:") as backend:
            yield backend


class TestSQLiteBackend(InFile, BackendConformance): ...


class TestTTL(InFile, TTLConformance): ...


class TestVersioned(InFile, VersionedConformance): ...


class TestTimestamps(InFile, TimestampsConformance): ...


class TestSQLiteBackendInMemory(InMemory, BackendConformance): ...


class TestTTLInMemory(InMemory, TTLConformance): ...


class TestVersionedInMemory(InMemory, VersionedConformance): ...


class TestTimestampsInMemory(InMemory, TimestampsConformance): ...
