"""The conformance kit on DynamoDB at a real engine."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from tests.backends.dynamodb.gaps import GAPS


class OnDynoxide:
    @pytest.fixture
    def backend(self, tables):
        return tables()


class TestDynoxide(OnDynoxide, BackendConformance):
    gaps = GAPS
