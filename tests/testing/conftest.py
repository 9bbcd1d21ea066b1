"""A faulty backend over each engine, with the models of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mixstore
from mixstore.testing import FaultyBackend
from tests.testing.models import Paper, Shelf


@pytest.fixture(params=["memory://", "sqlite://"])
def faulty(request: pytest.FixtureRequest) -> Iterator[FaultyBackend]:
    """Without a fault yet; `Shelf` and `Paper` are bound to it."""
    with mixstore.registry(), FaultyBackend(mixstore.connect(request.param)) as backend:
        for model in (Shelf, Paper):
            model.bind(backend)
        backend.initialize(Shelf, Paper)
        yield backend
        for model in (Shelf, Paper):
            model.bind(None)
