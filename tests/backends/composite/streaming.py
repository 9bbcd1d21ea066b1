"""Composites that follow a stream of DynamoDB, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from botocore.session import Session

from mixstore import PlannedBackend
from mixstore_backends.composite import CompositeBackend, Relay
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend, TableOptions
from tests.backends.composite.conftest import Losing
from tests.backends.shared.support import Clock

STREAM = TableOptions(stream="NEW_AND_OLD_IMAGES")
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture(scope="session")
def streams_client(dynamodb_client: Any) -> Any:
    """A client of the streams of the same engine."""
    address = dynamodb_client.meta.endpoint_url
    endpoint = None if "amazonaws.com" in address else address
    return Session().create_client("dynamodbstreams", "eu-west-1", endpoint_url=endpoint, **KEYS)


@pytest.fixture(params=["single", "each"])
def storage(request: pytest.FixtureRequest, dynamodb_client: Any, streams_client: Any) -> Iterator[PlannedBackend]:
    """One table with a stream for all models, or one for each."""
    name, single = f"test-{uuid4().hex}", request.param == "single"
    made = DynamoDBBackend(
        name if single else f"{name}-{{entity}}",
        None if single else DynamoDBAdapter(single_table=False),
        client=dynamodb_client,
        streams_client=streams_client,
        table=STREAM,
    )
    made.scan_policy = "allow"
    yield made
    for table in {one.name for one in made._tables.values()}:
        with suppress(dynamodb_client.exceptions.ResourceNotFoundException):
            dynamodb_client.delete_table(TableName=table)


@pytest.fixture
def backend(storage: PlannedBackend) -> CompositeBackend:
    """A composite of it and a search side that can be taken away, with a clock that stands still."""
    made = CompositeBackend(storage, Losing(), follow="stream")
    made.clock = Clock()
    made.patience = (0.01,)
    return made


@pytest.fixture
def again(dynamodb_client: Any, streams_client: Any) -> Callable[[CompositeBackend], CompositeBackend]:
    """`again(backend)`: another one of the same stores, as another process has it."""

    def make(backend: CompositeBackend) -> CompositeBackend:
        clients = {"client": dynamodb_client, "streams_client": streams_client}
        storage = DynamoDBBackend(backend.storage.table_name, backend.storage.adapter, table=STREAM, **clients)
        storage.scan_policy = "allow"
        return CompositeBackend(storage, backend.search, follow="stream")

    return make


@pytest.fixture
def use(backend: CompositeBackend) -> Iterator[Callable[..., None]]:
    """`use(Model, ...)`: bind and initialize."""
    bound: list[Any] = []

    def bind(*models: Any) -> None:
        for model in models:
            model.bind(backend)
            bound.append(model)
        backend.initialize(*models)

    yield bind
    for model in bound:
        model.bind(None)


def relayed(backend: CompositeBackend) -> int:
    """How many records one round of a new relay copied; none of them failed."""
    done = Relay(backend).once()
    assert done.failed == 0
    return done.applied
