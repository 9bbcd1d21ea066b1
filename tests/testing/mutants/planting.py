"""A mutant: a backend or a part of the kernel with one bug, and the cases of the kit that must catch it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mixstore import Backend, QueryPlan
from mixstore_backends.memory import InMemoryBackend


class Mutant(NamedTuple):
    """`cases` are names of cases, some with their parameters; each of them has to fail, without them any will do."""

    cases: tuple[str, ...]
    make: Callable[[Path], Backend]
    patch: Callable[[pytest.MonkeyPatch], None] | None

    @contextmanager
    def planted(self, folder: Path) -> Iterator[Backend]:
        """The backend with the bug, as long as it is used."""
        with pytest.MonkeyPatch.context() as patch:
            if self.patch is not None:
                self.patch(patch)
            with self.make(folder) as backend:
                yield backend


MUTANTS: dict[str, Mutant] = {}


def plant(bug: str, *cases: str, on: type[InMemoryBackend] = InMemoryBackend) -> Callable[[Any], Any]:
    """Plant a backend class that has a bug, or a function that patches one into the kernel below the backend `on`."""

    def planted(what: Any) -> Any:
        assert bug not in MUTANTS
        if isinstance(what, type):
            MUTANTS[bug] = Mutant(cases, lambda folder: what(), None)
        else:
            MUTANTS[bug] = Mutant(cases, lambda folder: on(), what)
        return what

    return planted


class Answered(QueryPlan):
    """A query whose answer is changed."""

    def __init__(self, plan: Any, change: Callable[[Any], Any]) -> None:
        told = {name: getattr(plan, name) for name in QueryPlan.__slots__ if name != "operation"}
        super().__init__(plan.operation, **told)
        self.plan = plan
        self.change = change

    def __call__(self) -> Any:
        return self.change(self.plan())
