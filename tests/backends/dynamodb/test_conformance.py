"""The conformance kit on DynamoDB: in this process, or at the engine that MIXSTORE_TEST_DYNAMODB names."""

from __future__ import annotations

import inspect
from contextlib import suppress
from uuid import uuid4

import pytest
from aiobotocore.session import AioSession
from hypothesis import Phase, settings

from mixstore.testing import BackendConformance, Limits
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_extensions.testing import TTLConformance, VersionedConformance
from tests.backends.conftest import dynamodb
from tests.backends.dynamodb.gaps import COME_BACK, EMPTY, FOUND, GAPS, MOTO


@pytest.fixture(scope="module", autouse=True)
def quickly_told():
    """Gaps fail each time, and to make the smallest example of each takes minutes."""
    settings.register_profile("usual", settings())
    settings.register_profile("as found", phases=(Phase.explicit, Phase.generate))
    settings.load_profile("as found")
    yield
    settings.load_profile("usual")


class OnDynamoDB:
    limits = Limits(rows=600)
    """moto copies all tables for each transaction."""

    matrix = "dynamodb"

    @pytest.fixture
    def backend(self, request):
        with dynamodb(request) as backend:
            yield backend


ONE_IS_TRUE = "the engine's limit: moto compares true and 1 as equal; tests/engines has these cases"


class TestDynamoDBBackend(OnDynamoDB, BackendConformance):
    gaps = {
        **GAPS,
        "test_comparing_nested_values[filters19-]": ONE_IS_TRUE,
        "test_a_bool_is_no_number_and_a_number_no_text": ONE_IS_TRUE,
        "test_every_lookup_answers_as_the_reference_does[free]": ONE_IS_TRUE,
        "test_every_lookup_on_a_nested_path_answers_as_the_reference_does[free__a-values5]": ONE_IS_TRUE,
        f"{FOUND}[dict]": MOTO,
        f"{COME_BACK}[dict]": MOTO,
        f"{COME_BACK}[dict_by_enum]": MOTO,
    }


def only_awaited(cases):
    """The class, with those cases of the kit alone that are coroutines."""
    for name in dir(cases):
        if name.startswith("test") and not inspect.iscoroutinefunction(inspect.unwrap(getattr(cases, name))):
            setattr(cases, name, None)
    return cases


@pytest.mark.usefixtures("keys")
class OverHTTP:
    """Awaited by aiobotocore, which a server has to answer."""

    limits = Limits(rows=600)

    @pytest.fixture
    def backend(self, dynamodb_server, keys):
        endpoint = {"region_name": "eu-west-1", "endpoint_url": dynamodb_server}
        with DynamoDBBackend(f"test-{uuid4().hex}", async_session=AioSession(), **endpoint) as backend:
            backend.scan_policy = "allow"
            yield backend
            client = backend.transport.client
            with suppress(client.exceptions.ResourceNotFoundException):
                client.delete_table(TableName=backend.table_name)
            client.close()


@only_awaited
class TestAwaited(OverHTTP, BackendConformance):
    gaps = {"test_an_index_is_awaited_like_others": EMPTY}


@only_awaited
class TestAwaitedTTL(OverHTTP, TTLConformance): ...


@only_awaited
class TestAwaitedVersioned(OverHTTP, VersionedConformance): ...
