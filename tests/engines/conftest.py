"""Engines for a whole run, one process each; where one can't run, its tests are skipped and say why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.engines import DYNOXIDE, OPENSEARCH, Engine, Server, running


def started(engine: Engine) -> Iterator[Server]:
    """The engine while the tests run, or skip."""
    reason = engine.missing()
    if reason is not None:
        pytest.skip(reason)
    engine.install()
    with running(engine) as server:
        yield server


@pytest.fixture(scope="session")
def dynoxide() -> Iterator[Server]:
    """A server that speaks DynamoDB's protocol."""
    yield from started(DYNOXIDE)


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Server]:
    """An OpenSearch node."""
    yield from started(OPENSEARCH)
