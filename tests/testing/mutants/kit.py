"""The cases of the kit for each mutant, and all of them together for the sound backends: `run.py` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mixstore.testing import BackendConformance
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.testing.mutants import lifecycle, reading, values, vectors, writing  # noqa: F401  (they plant)
from tests.testing.mutants.planting import MUTANTS, Mutant

ALIVE = "test_create_fills_in_defaults"
"""What each mutant can do all the same: it has a bug, it is no wreck."""
CASES = sorted({case for mutant in MUTANTS.values() for case in (ALIVE, *mutant.cases)})
SOUND = {
    "memory": Mutant((*CASES,), lambda folder: InMemoryBackend(), None),
    "sqlite": Mutant((*CASES,), lambda folder: SQLiteBackend(folder / "sound.db", timeout=60, synchronous="off"), None),
}


def names(mutant: Mutant) -> set[str]:
    """The functions of its cases."""
    return {case.partition("[")[0] for case in (ALIVE, *mutant.cases)}


def suite(bug: str, mutant: Mutant) -> type[BackendConformance]:
    """The class of a mutant: the kit without all cases but its own."""

    @pytest.fixture
    def backend(self: Any, tmp_path: Path) -> Any:
        with mutant.planted(tmp_path) as made:
            yield made

    @pytest.fixture
    def unreachable(self: Any, tmp_path: Path) -> Any:
        (tmp_path / "mutant.db").write_bytes(b"no database " * 100)
        (tmp_path / "sound.db").write_bytes(b"no database " * 100)
        with mutant.planted(tmp_path) as made:
            if not isinstance(made, SQLiteBackend):
                pytest.skip("nothing lets it fail")
            yield made

    wanted = names(mutant)
    others = {name: None for name in dir(BackendConformance) if name.startswith("test") and name not in wanted}
    fixtures = {"backend": backend, "unreachable": unreachable}
    body = {"__module__": __name__, "bug": bug, "asked": (ALIVE, *mutant.cases), **fixtures, **others}
    return type(f"Test{len(globals())}", (BackendConformance,), body)


for _bug, _mutant in {**MUTANTS, **SOUND}.items():
    _suite = suite(_bug, _mutant)
    globals()[_suite.__name__] = _suite
