"""The backends that every shared test runs on, and what a test needs to use one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import mixstore
from mixstore import Backend, Model
from mixstore.testing.tags import MARK, lacks
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.shared.support import Clock

BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Backend]] = {
    "memory": lambda request: InMemoryBackend(),
    # Patient and careless of power failures, so that a slow disk or a busy machine fails no test of behaviour.
    "sqlite-file": lambda request: SQLiteBackend(
        request.getfixturevalue("tmp_path") / "store.db", timeout=60, synchronous="off"
    ),
    "sqlite-memory": lambda request: SQLiteBackend(":memory:"),
}


@pytest.fixture(scope="module", autouse=True)
def registry() -> Iterator[None]:
    """One registry a module, since finding plugins and settings takes longer than most tests."""
    with mixstore.registry():
        yield


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """An empty backend of each kind; closed at the end."""
    with BACKENDS[request.param](request) as made:
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
