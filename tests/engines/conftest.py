"""Engines for a whole run, one process each a worker; where one can't run, its tests are skipped and say why."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import Phase, settings

from tests.backends.conftest import registry
from tests.engines.engines import DYNOXIDE, OPENSEARCH, OPENSEARCH_KNN, REDIS, Engine, Server, running
from tests.engines.on_dynoxide import ADDRESS, Dynoxide, client_at

__all__ = ["registry"]

# to shrink an example takes hundreds of requests
settings.register_profile("engines", phases=[Phase.explicit, Phase.generate])
settings.load_profile("engines")


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
    for server in started(DYNOXIDE):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(ADDRESS, server.url)
            yield server
            client_at(server.url).close()


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Server]:
    """An OpenSearch node."""
    yield from started(OPENSEARCH)


@pytest.fixture(scope="session")
def opensearch_knn() -> Iterator[Server]:
    """An OpenSearch node with the k-NN plugin."""
    yield from started(OPENSEARCH_KNN)


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    """A Redis."""
    yield from started(REDIS)


@pytest.fixture
def tables(dynoxide: Server) -> Iterator[Callable[[], Dynoxide]]:
    """`tables()`: a backend on an empty table of its own, which goes with the test."""
    made: list[Dynoxide] = []

    def make() -> Dynoxide:
        made.append(Dynoxide())
        return made[-1]

    yield make
    for backend in made:
        backend.close()
