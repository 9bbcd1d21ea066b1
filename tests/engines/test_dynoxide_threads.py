"""16 threads, 200 updates of one record each, at a real engine: none is lost."""

from __future__ import annotations

from mixstore import VersionConflictError
from tests.backends.shared.support import together
from tests.extensions.test_no_lost_update import Added, Locked

THREADS, TURNS = 16, 200


def test_no_increment_of_sixteen_threads_is_lost(tables):
    backend = tables()
    Added.bind(backend)
    try:
        backend.initialize(Added)
        Added.create(id="a")

        def add(number: int) -> None:
            row = Added.get("a")
            for _ in range(TURNS):
                row.increment("visits")

        assert together(THREADS, add) == [None] * THREADS
        assert Added.get("a").visits == THREADS * TURNS
    finally:
        Added.bind(None)


def test_no_locked_update_of_sixteen_threads_is_lost(tables):
    backend = tables()
    Locked.bind(backend)
    try:
        backend.initialize(Locked)
        Locked.create(id="a")

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
    finally:
        Locked.bind(None)
