"""Two sides of each kind, and a search side that can be taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mixstore import BackendUnavailableError, PlannedBackend
from mixstore_backends.composite import CompositeBackend
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.shared.support import Clock

SIDES = [("memory", "memory"), ("sqlite", "memory"), ("sqlite", "sqlite"), ("dynamodb", "sqlite")]


class Losing(InMemoryBackend):
    """A search side that may be away for a while."""

    away = False

    def execute(self, plan: Any) -> Any:
        if self.away:
            raise BackendUnavailableError("nobody answers", backend=self.backend_name)
        return super().execute(plan)


@pytest.fixture
def sides(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Callable[[str, str], PlannedBackend]]:
    """`sides(kind, name)`: an empty backend of that kind."""
    made: list[PlannedBackend] = []

    def make(kind: str, name: str) -> PlannedBackend:
        if kind == "dynamodb":
            from tests.backends.conftest import dynamodb

            made.append(dynamodb(request))
        elif kind == "sqlite":
            made.append(SQLiteBackend(tmp_path / f"{name}.db", timeout=60, synchronous="off"))
        else:
            made.append(Losing())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(params=SIDES, ids="-".join)
def backend(request: pytest.FixtureRequest, sides: Callable[[str, str], PlannedBackend]) -> CompositeBackend:
    """A composite of two empty sides, with a clock that stands still."""
    storage, search = request.param
    made = CompositeBackend(sides(storage, "storage"), sides(search, "search"))
    made.clock = Clock()
    return made


@pytest.fixture
def losing(sides: Callable[[str, str], PlannedBackend]) -> CompositeBackend:
    """A composite whose search side can be taken away: `losing.search.away = True`."""
    made = CompositeBackend(sides("sqlite", "storage"), sides("memory", "search"))
    made.clock = Clock()
    return made
