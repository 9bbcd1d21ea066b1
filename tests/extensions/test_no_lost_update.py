"""16 threads, 500 updates of one record each: none is lost, whether it adds or writes what it read under a lock."""

from __future__ import annotations

import sys

import pytest

from mixstore import Field, Model, VersionConflictError
from mixstore_extensions import Counters, Versioned
from tests.backends.shared.support import each_engine, together

THREADS, TURNS = 16, 500


@pytest.fixture(autouse=True)
def often():
    """Threads take turns often, so that they meet in the middle of what they do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Added(Counters, Model):
    id: str = Field(primary_key=True)
    visits: int = 0


class Locked(Versioned, Model):
    id: str = Field(primary_key=True)
    visits: int = 0


@each_engine
def test_no_increment_of_sixteen_threads_is_lost(use):
    use(Added).create(id="a")

    def add(number: int) -> None:
        row = Added.get("a")
        for _ in range(TURNS):
            row.increment("visits")

    assert together(THREADS, add) == [None] * THREADS
    assert Added.get("a").visits == THREADS * TURNS


@each_engine
def test_no_locked_update_of_sixteen_threads_is_lost(use):
    use(Locked).create(id="a")

    def visit(number: int) -> int:
        conflicts = 0
        for _ in range(TURNS):
            while True:
                row = Locked.get("a")
                try:
                    row.update(visits=row.visits + 1)
                    break
                except VersionConflictError:
                    conflicts += 1
        return conflicts

    conflicts = together(THREADS, visit)
    assert all(isinstance(one, int) for one in conflicts), conflicts
    assert sum(conflicts) > 0  # or they never met
    found = Locked.get("a")
    assert (found.visits, found.version) == (THREADS * TURNS, THREADS * TURNS + 1)
