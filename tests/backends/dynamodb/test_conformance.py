"""The conformance kit on DynamoDB: in this process, or at the engine that MIXSTORE_TEST_DYNAMODB names."""

from __future__ import annotations

import inspect
from uuid import uuid4

import pytest
from aiobotocore.session import AioSession
from hypothesis import Phase, settings

from mixstore.testing import BackendConformance
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance
from tests.backends.conftest import dynamodb


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


NUMBERS = "the engine's limit: a number has 38 digits, and lies between 1e-130 and 1e126"
AN_INT = "the engine's limit: a number does not say whether it was a float, so 1.0 in an Any comes back as 1"
COME_BACK = "test_values_of_every_type_come_back_the_same"

OF_FLOATS = (
    "dict_by_uuid", "dict_of_models", "list_of_models", "model", "model_of_everything", "optional_model", "wide_union",
)  # fmt: skip


class TestDynamoDBBackend(OnDynamoDB, BackendConformance):
    gaps = {
        "test_every_plain_kind_orders_by_its_meaning[real-values2]": NUMBERS,
        "test_every_lookup_answers_as_the_reference_does[real]": NUMBERS,
        "test_every_lookup_on_an_indexed_field_answers_as_the_reference_does[real]": NUMBERS,
        "test_numbers_in_free_values_compare_exactly": NUMBERS,
        f"{COME_BACK}[float]": NUMBERS,
        f"{COME_BACK}[decimal]": NUMBERS,
        f"{COME_BACK}[variadic_tuple]": NUMBERS,
        f"{COME_BACK}[bare_list]": AN_INT,
        f"{COME_BACK}[bare_dict]": AN_INT,
        f"{COME_BACK}[any]": AN_INT,
        f"{COME_BACK}[json]": AN_INT,
        **{f"{COME_BACK}[{kind}]": NUMBERS for kind in OF_FLOATS},
        "test_deeply_nested_values_are_held_or_refused_by_name[50]": "the engine's limit: it nests 32 levels deep",
        "test_large_values_are_held": "the engine's limit: an item takes 400 KB",
        "test_a_transaction_of_many_writes_is_stored_whole": "the engine's limit: a transaction takes 100 items",
    }


class TestTTL(OnDynamoDB, TTLConformance): ...


class TestVersioned(OnDynamoDB, VersionedConformance): ...


class TestTimestamps(OnDynamoDB, TimestampsConformance): ...


def only_awaited(cases):
    """The class, with those cases of the kit alone that are coroutines."""
    for name in dir(cases):
        if name.startswith("test") and not inspect.iscoroutinefunction(inspect.unwrap(getattr(cases, name))):
            setattr(cases, name, None)
    return cases


@pytest.mark.usefixtures("keys")
class OverHTTP:
    """Awaited by aiobotocore, which a server has to answer."""

    @pytest.fixture
    def backend(self, dynamodb_server):
        endpoint = {"region_name": "eu-west-1", "endpoint_url": dynamodb_server}
        with DynamoDBBackend(f"test-{uuid4().hex}", async_session=AioSession(), **endpoint) as backend:
            backend.scan_policy = "allow"
            yield backend
            backend.transport.client.close()


@only_awaited
class TestAwaited(OverHTTP, BackendConformance): ...


@only_awaited
class TestAwaitedTTL(OverHTTP, TTLConformance): ...


@only_awaited
class TestAwaitedVersioned(OverHTTP, VersionedConformance): ...
