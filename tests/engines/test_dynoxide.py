"""The conformance kit on DynamoDB at a real engine."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance


class OnDynoxide:
    @pytest.fixture
    def backend(self, tables):
        return tables()


class TestDynoxide(OnDynoxide, BackendConformance): ...
