"""Plans that are more than one: each step is on one side, and the backend executes it there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, Protocol

from mixstore import Plan, PlannedBackend


class Executes(Protocol):
    """What carries out plans: a backend, or the cache beside it."""

    def execute(self, plan: Any, /) -> Any:
        """What the plan answers."""

    async def aexecute(self, plan: Any, /) -> Any:
        """The same, awaited."""


class On(NamedTuple):
    """A plan, and what made it."""

    backend: Executes
    plan: Any


Steps = Generator[On, Any, Any]


class Stepwise(Plan):
    """A plan of several."""

    __slots__ = ()

    def steps(self) -> Steps:
        """The plans, one after the other; returns what this one answers."""
        raise NotImplementedError


def on(backend: PlannedBackend, steps: Generator[Any, Any, Any]) -> Steps:
    """The steps of a lifecycle, each on this side; returns what they return."""
    try:
        plan = next(steps)
        while True:
            try:
                answer = yield On(backend, plan)
            except Exception as error:
                plan = steps.throw(error)
            else:
                plan = steps.send(answer)
    except StopIteration as stop:
        return stop.value
