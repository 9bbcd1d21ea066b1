"""The conformance kit on memory."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance


class OnMemory:
    matrix = "memory"

    @pytest.fixture
    def backend(self):
        with InMemoryBackend() as backend:
            yield backend


class TestInMemoryBackend(OnMemory, BackendConformance): ...


class TestTTL(OnMemory, TTLConformance): ...


class TestVersioned(OnMemory, VersionedConformance): ...


class TestTimestamps(OnMemory, TimestampsConformance): ...
