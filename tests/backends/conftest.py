"""The backends that every shared test runs on, and what a test needs to use one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

import mixstore
from mixstore import Backend, Model
from mixstore.testing.tags import MARK, lacks
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.shared.support import Clock


class OneClient:
    """A session that gives the same client to all."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create_client(self, *_: Any, **__: Any) -> Any:
        """It."""
        return self._client


def dynamodb(request: pytest.FixtureRequest) -> Backend:
    """An empty table of its own. The tests ask for scans, and a clock of theirs does not make them dearer."""
    client = request.getfixturevalue("dynamodb_client")
    made = DynamoDBBackend(f"test-{uuid4().hex}", session=OneClient(client))
    made.scan_policy = "allow"

    def drop() -> None:
        """Every transaction copies all tables of moto."""
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=made.table_name)

    request.addfinalizer(drop)
    return made


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Backend]] = {
    "memory": lambda request: InMemoryBackend(),
    # Patient and careless of power failures, so that a slow disk or a busy machine fails no test of behaviour.
    "sqlite-file": lambda request: SQLiteBackend(
        request.getfixturevalue("tmp_path") / "store.db", timeout=60, synchronous="off"
    ),
    "sqlite-memory": lambda request: SQLiteBackend(":memory:"),
}


@pytest.fixture(scope="session")
def dynamodb_client() -> Iterator[Any]:
    """A client of DynamoDB in this process, or of the engine at MIXSTORE_TEST_DYNAMODB (a URL).

    Made once, since that takes longer than most tests.
    """
    from botocore.config import Config
    from botocore.session import Session
    from moto import mock_aws

    keys: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    keys["config"] = Config(parameter_validation=False)  # as the backend makes its own
    endpoint = os.environ.get("MIXSTORE_TEST_DYNAMODB")
    if endpoint:
        yield Session().create_client("dynamodb", "eu-west-1", endpoint_url=endpoint, **keys)
        return
    with mock_aws():
        yield in_turn(Session().create_client("dynamodb", "eu-west-1", **keys))


def in_turn(client: Any) -> Any:
    """A client whose requests wait for each other: moto forgets what others write during a transaction."""
    turn, send = threading.Lock(), client._make_api_call

    def one_at_a_time(*args: Any) -> Any:
        with turn:
            return send(*args)

    client._make_api_call = one_at_a_time
    return client


@pytest.fixture(scope="module", autouse=True)
def registry() -> Iterator[None]:
    """One registry a module, since finding plugins and settings takes longer than most tests."""
    with mixstore.registry():
        yield


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """An empty backend of each kind; closed at the end."""
    yield from made_for(request, BACKENDS[request.param])


def made_for(request: pytest.FixtureRequest, make: Callable[[pytest.FixtureRequest], Backend]) -> Iterator[Backend]:
    """A backend for a test, which is skipped if it needs what the backend lacks."""
    with make(request) as made:
        for what in [
            what for name in (MARK, "needs") for mark in request.node.iter_markers(name) for what in mark.args
        ]:
            lacking = lacks(made, what)
            if lacking is not None:
                pytest.skip(f"{made.backend_name} {lacking}")
        yield made


@pytest.fixture
def use(backend: Backend) -> Iterator[Callable[..., Any]]:
    """`use(User)` binds models to the backend for this test and initializes it; returns the (first) model."""
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
def clock(backend: Backend) -> Clock:
    """The backend's clock, which moves only when it is told to."""
    backend.clock = moving = Clock()
    return moving
