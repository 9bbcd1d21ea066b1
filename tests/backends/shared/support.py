"""What the shared tests have in common: a clock, threads that start together, comparisons, hypothesis settings."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from mixstore import Capability, MixstoreError
from mixstore.testing.answers import same as same
from mixstore.testing.clock import NOON as NOON
from mixstore.testing.clock import Clock as Clock

UTC = timezone.utc
LONGER = float(os.environ.get("MIXSTORE_TEST_EXAMPLES", "1"))
"""How many times as many examples hypothesis tries; above 1 they are random, not the same in each run."""

conditions = pytest.mark.needs(Capability.CONDITIONS)
atomic = pytest.mark.needs(Capability.ATOMIC_WRITES)
unique = pytest.mark.needs(Capability.UNIQUE)
full_text = pytest.mark.needs(Capability.FULL_TEXT)
each_engine = pytest.mark.parametrize("backend", ["memory", "sqlite-file"], indirect=True)
"""For what can't depend on where an engine keeps its rows: many cases, once an engine."""


def examples(count: int, **others: Any) -> settings:
    """Hypothesis settings: so many examples, no deadline, and one backend for all examples of a test."""
    return settings(
        max_examples=max(1, int(count * LONGER)),
        deadline=None,
        derandomize=LONGER <= 1,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
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
    """The ids of all pages of this size, walked to the end; every page but the last is full."""
    walked: list[Any] = []
    cursor = None
    while True:
        page = question.limit(size).cursor(cursor).paginate()
        walked += ids(page.items)
        cursor = page.cursor
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
