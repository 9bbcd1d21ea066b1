"""The conformance kit on backends that can do little: it asks of each what it says that it can."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance, Limits
from mixstore.testing.cases.limits import LimitCases
from mixstore_extensions.testing import TTLConformance, VersionedConformance
from tests.backends.small import BarePlannedBackend, DirectBackend, LimitedBackend


class Direct:
    @pytest.fixture
    def backend(self):
        with DirectBackend() as backend:
            yield backend


class Bare:
    @pytest.fixture
    def backend(self):
        with BarePlannedBackend() as backend:
            yield backend


class TestDirectBackend(Direct, BackendConformance): ...


class TestTTLOnADirectBackend(Direct, TTLConformance): ...


class TestBarePlannedBackend(Bare, BackendConformance): ...


class TestTTLOnABareBackend(Bare, TTLConformance): ...


class TestVersionedOnABareBackend(Bare, VersionedConformance): ...


class TestLimitedBackend(LimitCases):
    limits = Limits(value_bytes=LimitedBackend.most_bytes, transaction_writes=LimitedBackend.most_writes, rows=300)

    @pytest.fixture
    def backend(self):
        with LimitedBackend() as backend:
            yield backend
