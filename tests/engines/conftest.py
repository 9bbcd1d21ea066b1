"""Engines for a whole run, one process each a worker; where one can't run, its tests are skipped and say why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, settings

from mixstore_backends.dynamodb import DynamoDBBackend
from tests.engines.engines import DYNOXIDE, Server, running

# to shrink an example takes hundreds of requests
settings.register_profile("engines", phases=[phase for phase in Phase if phase not in (Phase.shrink, Phase.explain)])
settings.load_profile("engines")


@pytest.fixture(scope="session")
def dynoxide() -> Iterator[Server]:
    """A server that speaks DynamoDB's protocol."""
    reason = DYNOXIDE.missing()
    if reason is not None:
        pytest.skip(reason)
    DYNOXIDE.install()
    with running(DYNOXIDE) as server:
        yield server


@pytest.fixture(scope="session")
def dynoxide_client(dynoxide: Server) -> Iterator[Any]:
    """A client of it, made once, as the backend makes its own: nothing is tried again by botocore."""
    from botocore.config import Config
    from botocore.session import Session

    config = Config(parameter_validation=False, max_pool_connections=32, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = Session().create_client("dynamodb", "eu-west-1", endpoint_url=dynoxide.url, config=config, **keys)
    yield client
    client.close()


@pytest.fixture
def tables(dynoxide_client: Any) -> Iterator[Callable[[], DynamoDBBackend]]:
    """`tables()`: a backend on an empty table of its own, for a test."""
    made: list[DynamoDBBackend] = []

    def make() -> DynamoDBBackend:
        backend = DynamoDBBackend(f"test-{os.getpid()}-{uuid4().hex}", client=dynoxide_client)
        backend.scan_policy = "allow"
        made.append(backend)
        return backend

    yield make
    for backend in made:
        backend.close()
        for name in dynoxide_client.list_tables()["TableNames"]:
            if name == backend.table_name:
                dynoxide_client.delete_table(TableName=name)
