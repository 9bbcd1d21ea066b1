"""A table in this process, a look into it by the client itself, and models of several shapes of key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from mixstore import Model
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend
from tests.backends.conftest import dynamodb_client
from tests.backends.dynamodb.answers import Answers
from tests.backends.dynamodb.servers import dynamodb_server, keys, served

__all__ = ["dynamodb_client", "dynamodb_server", "keys", "served"]


@pytest.fixture
def store(dynamodb_client: Any) -> Iterator[DynamoDBBackend]:
    """A backend on a single table."""
    with DynamoDBBackend(f"test-{uuid4().hex}", client=dynamodb_client) as backend:
        backend.scan_policy = "allow"
        yield backend
        with suppress(dynamodb_client.exceptions.ResourceNotFoundException):
            dynamodb_client.delete_table(TableName=backend.table_name)


@pytest.fixture
def answering() -> Callable[..., tuple[DynamoDBBackend, Answers]]:
    """`answering(*answers)`: a backend whose client gives these answers, and the client that knows the requests."""

    def make(*given: Any, adapter: DynamoDBAdapter | None = None) -> tuple[DynamoDBBackend, Answers]:
        client = Answers(given)
        backend = DynamoDBBackend("app", adapter, client=client)
        backend.transport.pause = client.pauses.append
        return backend, client

    return make


@pytest.fixture
def use(store: DynamoDBBackend) -> Iterator[Callable[..., Any]]:
    """`use(User)` binds models to the backend for this test and initializes it; returns the (first) model."""
    yield from using(store)


def using(backend: DynamoDBBackend) -> Iterator[Callable[..., Any]]:
    """As the fixture, for any backend."""
    bound: list[type[Model]] = []

    def bind(*models: type[Model]) -> type[Model]:
        for model in models:
            model.bind(backend)
            bound.append(model)
        backend.initialize(*models)
        return models[0]

    yield bind
    for model in bound:
        model.bind(None)


@pytest.fixture
def items(store: DynamoDBBackend, dynamodb_client: Any) -> Callable[[], list[dict[str, Any]]]:
    """All items of the table as they are stored, by the client."""
    return lambda: dynamodb_client.scan(TableName=store.table_name)["Items"]
