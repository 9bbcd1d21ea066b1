"""What the cases have in common: a clock, threads that start together, comparisons, hypothesis settings."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from hypothesis import HealthCheck, settings

from mixstore import MixstoreError
from mixstore.testing.answers import same
from mixstore.testing.clock import NOON, UTC, Clock

__all__ = [
    "LONGER",
    "NOON",
    "UTC",
    "Call",
    "Clock",
    "Use",
    "awaited",
    "examples",
    "ids",
    "paged",
    "paged_rows",
    "refusal",
    "same",
    "together",
]

LONGER = float(os.environ.get("MIXSTORE_TEST_EXAMPLES", "1"))
"""How many times as many examples hypothesis tries; above 1 they are random, not the same in each run."""

Use = Callable[..., Any]
Call = Callable[[], Any]
SUPPRESSED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors)


def awaited(case: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A case that is a coroutine function, run to its end in a loop of its own: the kit needs no plugin for that."""

    @functools.wraps(case)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(case(*args, **kwargs))

    return run


def examples(count: int, **others: Any) -> settings:
    """Hypothesis settings: so many examples, no deadline, and one backend for all examples of a test."""
    return settings(
        max_examples=max(1, int(count * LONGER)),
        deadline=None,
        derandomize=LONGER <= 1,
        database=None,
        suppress_health_check=SUPPRESSED,
        **others,
    )


def ids(rows: Iterable[Any]) -> list[Any]:
    """The `id` of each row, in order."""
    return [row.id for row in rows]


def refusal(call: Callable[[], Any]) -> Any:
    """The error of mixstore that a call raises, or None."""
    try:
        call()
    except MixstoreError as error:
        return error
    return None


def paged(question: Any, size: int) -> list[Any]:
    """The ids of all pages of this size, walked to the end."""
    return ids(paged_rows(question, size))


def paged_rows(question: Any, size: int) -> list[Any]:
    """The rows of all pages of this size, walked to the end; every page but the last is full."""
    walked: list[Any] = []
    cursors: set[str] = set()
    cursor = None
    while True:
        page = question.limit(size).cursor(cursor).paginate()
        walked += page.items
        cursor = page.cursor
        assert cursor not in cursors, f"the pages of {size} come round again after {ids(walked)}"
        cursors.add(cursor)
        if cursor is None:
            assert len(page.items) <= size
            return walked
        assert len(page.items) == size


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(0)` ... `work(count - 1)` in threads that start at one moment.

    Returns the result of each, or the exception that it raised.
    """
    gate = threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        gate.wait()
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return results
