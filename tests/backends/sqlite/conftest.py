"""A file, a backend on it, and a look into it by sqlite3 itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mixstore import Model
from mixstore_backends.sqlite import SQLiteBackend

Ask = Callable[..., list[Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteBackend]:
    """A backend on a file."""
    with SQLiteBackend(path, timeout=0.3) as backend:
        yield backend


@pytest.fixture
def use(store: SQLiteBackend) -> Iterator[Callable[..., Any]]:
    """`use(User)` binds models to the backend for this test and initializes it; returns the (first) model."""
    bound: list[type[Model]] = []

    def bind(*models: type[Model]) -> type[Model]:
        for model in models:
            model.bind(store)
            bound.append(model)
        store.initialize(*models)
        return models[0]

    yield bind
    for model in bound:
        model.bind(None)


@pytest.fixture
def ask(path: Path) -> Ask:
    """`ask(sql, *parameters)`: rows, by a connection that knows nothing of mixstore; what it changes is committed."""

    def execute(sql: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    return execute
