"""The conformance kit on SQLite: a file, and a database in memory."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from mixstore_backends.sqlite import SQLiteBackend


class TestSQLiteBackend(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path):
        # patient and careless of power failures, so that a slow disk or a busy machine fails no test of behaviour
        with SQLiteBackend(tmp_path / "store.db", timeout=60, synchronous="off") as backend:
            yield backend


class TestSQLiteBackendInMemory(BackendConformance):
    @pytest.fixture
    def backend(self):
        with SQLiteBackend(":memory:") as backend:
            yield backend
