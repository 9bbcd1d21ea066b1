"""The books about acknowledged, refused and open writes: they match on the built-in backends, and tell when not."""

from __future__ import annotations

from typing import Any

import pytest

import mixstore
from mixstore import BackendTimeoutError, Outcome
from mixstore.testing import Duplicate, TimeoutAfter, acheck_faults, check_faults
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import Compressed, History, Timestamps, Versioned
from tests.backends.shared.support import LONGER

MIXINS: list[tuple[type, ...]] = [(), (Versioned,), (Versioned, History), (Timestamps,), (History,)]
SEEDS = range(int(20 * LONGER))
each_engine = pytest.mark.parametrize("url", ["memory://", "sqlite://"])


@pytest.fixture(autouse=True)
def registry():
    with mixstore.registry():
        yield


@each_engine
def test_under_faults_nothing_is_lost_and_nothing_doubled(url):
    for seed in SEEDS:
        with mixstore.connect(url) as backend:
            report = check_faults(backend, seed=seed, mixins=MIXINS[seed % len(MIXINS)])
        assert report.acknowledged > 5
        assert sum(report.injected.values()) > 0


@each_engine
async def test_under_faults_nothing_is_lost_and_nothing_doubled_where_it_is_awaited(url):
    for seed in SEEDS:
        with mixstore.connect(url) as backend:
            await acheck_faults(backend, seed=1000 + seed, mixins=MIXINS[seed % len(MIXINS)])


def test_the_same_seed_does_the_same():
    assert check_faults(InMemoryBackend(), seed=5) == check_faults(InMemoryBackend(), seed=5)


def check_many(make: Any, **options: Any) -> None:
    for seed in range(20):
        check_faults(make(), seed=seed, **options)


class _Forgets(InMemoryBackend):
    """Says yes to each tenth write, and does not do it."""

    def execute(self, plan: Any) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        undo = {name: dict(table.rows) for name, table in self._tables.items()}
        answer = super().execute(plan)
        if isinstance(answer, list) and self.calls % 10 == 0:
            for name, rows in undo.items():
                for key in list(self._tables[name].rows):
                    self._tables[name].put(key, rows.get(key), self._tables[name].rows[key])
        return answer


class _Refuses(InMemoryBackend):
    """Does each tenth write, and says that the row is not there."""

    def execute(self, plan: Any) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        answer = super().execute(plan)
        lies = self.calls % 10 == 0 and isinstance(answer, list) and answer and isinstance(answer[0], Outcome)
        return [Outcome("missing"), *answer[1:]] if lies else answer


class _Halves(InMemoryBackend):
    """Leaves out what is written beside a row that is deleted."""

    def compile_writes(self, bound: Any, writes: Any) -> Any:
        for write in writes:
            write.side_writes = () if write.op == "delete" else write.side_writes
        return super().compile_writes(bound, writes)


@pytest.mark.parametrize("broken", [_Forgets, _Refuses, _Halves])
def test_the_books_of_a_broken_backend_do_not_match(broken):
    with pytest.raises(AssertionError, match=r"seed \d+, step \d+: .*(none of|makes no sense|differ|should be)"):
        check_many(broken)


def test_an_addition_that_is_delivered_twice_is_found():
    with pytest.raises(AssertionError, match="none of"):
        check_many(InMemoryBackend, faults=[Duplicate(always=True)])


class _Lies(TimeoutAfter):
    """Says for certain that nothing happened, when it did."""

    def after(self, request: Any) -> Exception:
        return BackendTimeoutError("nothing happened")


def test_an_error_that_promises_too_much_is_found():
    with pytest.raises(AssertionError, match="none of"):
        check_faults(InMemoryBackend(), seed=1, faults=[_Lies()])


def test_mixins_may_bring_fields():
    assert check_faults(InMemoryBackend(), seed=3, mixins=(Compressed,)).seed == 3
