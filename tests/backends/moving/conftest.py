"""Two stores, of the kinds that a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mixstore import Backend
from mixstore_backends.memory import InMemoryBackend
from tests.backends.conftest import BACKENDS, dynamodb

STORES: dict[str, Callable[[pytest.FixtureRequest], Backend]] = {**BACKENDS, "dynamodb": dynamodb}
WAYS = [
    ("memory", "sqlite-file"),
    ("sqlite-file", "dynamodb"),
    ("dynamodb", "memory"),
]


@pytest.fixture(params=WAYS, ids=" to ".join)
def stores(request: pytest.FixtureRequest) -> Iterator[tuple[Backend, Backend]]:
    """A source and a destination, both empty."""
    first, second = request.param
    with STORES[first](request) as source, STORES[second](request) as destination:
        yield source, destination


@pytest.fixture
def source() -> Iterator[Backend]:
    """A source in memory."""
    with InMemoryBackend() as made:
        yield made


@pytest.fixture
def destination() -> Iterator[Backend]:
    """A destination in memory."""
    with InMemoryBackend() as made:
        yield made
