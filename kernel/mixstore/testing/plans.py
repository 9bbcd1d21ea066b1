"""What a piece of code asks of the store: the plans, how many requests, and whether one of them reads everything.

Each works for models on any backend, in tests and outside of pytest, with code that awaits and with threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mixstore.expressions import TRUE
from mixstore.planned import QueryPlan
from mixstore.watching import Executed, watching


@contextmanager
def captured_plans() -> Iterator[list[Executed]]:
    """The plans that are executed in the block, in order; each tells `operation`, `model`, `backend`, `plan`, `error`.

    `plan` is a `QueryPlan` for a query, otherwise what the backend made of a read by key or of writes.
    """
    plans: list[Executed] = []
    with watching(plans.append):
        yield plans


class Requests:
    """How many requests were made: `count`, and the same by operation (`create`, `all`, ...)."""

    def __init__(self, plans: list[Executed]) -> None:
        self._plans = plans

    @property
    def count(self) -> int:
        return len(self._plans)

    @property
    def by_operation(self) -> dict[str, int]:
        return dict(Counter(one.operation for one in self._plans))

    def __repr__(self) -> str:
        told = ", ".join(f"{operation} {count}" for operation, count in self.by_operation.items())
        return f"{self.count} requests" + (f": {told}" if told else "")


@contextmanager
def count_requests(*, most: int | None = None) -> Iterator[Requests]:
    """Count what is executed in the block; AssertionError at its end if that was more than `most`.

    A request is one plan handed to a backend: a read by keys, a page of a query, a write, a batch, a transaction.
    """
    with captured_plans() as plans:
        requests = Requests(plans)
        yield requests
    if most is not None and requests.count > most:
        raise AssertionError(f"at most {most} were expected, not {requests!r}")


@contextmanager
def assert_no_scan() -> Iterator[None]:
    """AssertionError at the end of the block if a query in it read a whole table, on the backend that it ran on."""
    with captured_plans() as plans:
        yield
    scans = [one for one in plans if isinstance(one.plan, QueryPlan) and one.plan.scan]
    if scans:
        raise AssertionError("\n".join(["a whole table was read:", *map(_told, scans)]))


def _told(one: Executed) -> str:
    plan: QueryPlan = one.plan
    left = [repr(expr) for expr in (plan.pushed, plan.residual) if expr is not None and expr != TRUE]
    told = (
        f"  {one.operation}() of {one.model.__name__} on {one.backend.backend_name}: {' AND '.join(left) or 'all rows'}"
    )
    return "; ".join((told, *plan.notes))
