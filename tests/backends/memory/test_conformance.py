"""The conformance kit on memory."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from mixstore_backends.memory import InMemoryBackend


class TestInMemoryBackend(BackendConformance):
    @pytest.fixture
    def backend(self):
        with InMemoryBackend() as backend:
            yield backend
