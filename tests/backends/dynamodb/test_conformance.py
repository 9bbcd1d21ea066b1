"""The conformance kit on DynamoDB: in this process, or at the engine that MIXSTORE_TEST_DYNAMODB names."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings

from mixstore.testing import BackendConformance
from tests.backends.conftest import dynamodb
from tests.backends.dynamodb.gaps import COME_BACK, FOUND, GAPS


@pytest.fixture(scope="module", autouse=True)
def quickly_told():
    """Gaps fail each time, and to make the smallest example of each takes minutes."""
    settings.register_profile("usual", settings())
    settings.register_profile("as found", phases=(Phase.explicit, Phase.generate))
    settings.load_profile("as found")
    yield
    settings.load_profile("usual")


class OnDynamoDB:
    @pytest.fixture
    def backend(self, request):
        with dynamodb(request) as backend:
            yield backend


MOTO = "the engine's limit: moto answers a map with an empty key as no map; tests/engines has these cases"


class TestDynamoDBBackend(OnDynamoDB, BackendConformance):
    gaps = {
        **GAPS,
        f"{FOUND}[dict]": MOTO,
        f"{COME_BACK}[dict]": MOTO,
        f"{COME_BACK}[dict_by_enum]": MOTO,
    }
