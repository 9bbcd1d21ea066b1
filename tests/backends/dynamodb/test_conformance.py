"""The conformance kit on DynamoDB: in this process, or at the engine that MIXSTORE_TEST_DYNAMODB names."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from tests.backends.conftest import dynamodb


class OnDynamoDB:
    @pytest.fixture
    def backend(self, request):
        with dynamodb(request) as backend:
            yield backend


class TestDynamoDBBackend(OnDynamoDB, BackendConformance): ...
