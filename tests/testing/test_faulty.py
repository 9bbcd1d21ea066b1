"""A backend with faults in front of another one, and what models make of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import mixstore
from mixstore import (
    BackendTimeoutError,
    BackendUnavailableError,
    BatchError,
    Capability,
    ConfigurationError,
    DuplicateKeyError,
    MixstoreError,
    ThrottledError,
    VersionConflictError,
    add_to,
)
from mixstore.testing import (
    Clock,
    Disconnect,
    Duplicate,
    FaultyBackend,
    Partial,
    Schedule,
    SlowPage,
    Throttle,
    TimeoutAfter,
    TimeoutBefore,
)
from mixstore_backends.memory import InMemoryBackend
from tests.kernel.test_direct_backends import DictBackend
from tests.testing.models import Paper, Plain, Shelf

ALWAYS = {
    "throttle": (Throttle(), ThrottledError),
    "timeout": (TimeoutBefore(), BackendTimeoutError),
    "disconnect": (Disconnect(), BackendUnavailableError),
}


def refused(call: Any) -> MixstoreError:
    with pytest.raises(MixstoreError) as caught:
        call()
    return caught.value


def test_it_behaves_as_the_backend_that_it_wraps():
    inner = InMemoryBackend()
    outer = FaultyBackend(inner)
    outer.clock = clock = Clock()
    assert (outer.backend_name, outer.capabilities, outer.adapter) == ("memory", inner.capabilities, inner.adapter)
    assert inner.clock is clock
    assert Capability.ATOMIC_WRITES in outer.capabilities


def test_only_a_backend_can_be_wrapped():
    with pytest.raises(ConfigurationError, match="wraps a backend, not a str"):
        FaultyBackend("memory://")  # type: ignore[arg-type]


def test_models_run_the_real_chain_when_there_are_no_faults(faulty):
    paper = Paper.create(id="a", n=1)
    paper.update(n=2)
    assert (paper.version, len(Paper.history("a"))) == (2, 2)
    with faulty.transaction():
        Paper.create(id="b")
        paper.delete()
    assert [one.id for one in Paper.all()] == ["b"]
    assert faulty.injected == []


def test_a_backend_that_is_not_planned_can_be_wrapped_too():
    inner = DictBackend()
    outer = FaultyBackend(inner, [("write", Throttle()), ("write", TimeoutAfter())])
    with mixstore.registry():
        assert isinstance(refused(lambda: outer.create(Plain, {"id": "a"})), ThrottledError)
        assert isinstance(refused(lambda: outer.create(Plain, {"id": "b"})), BackendTimeoutError)
        outer.create(Plain, {"id": "c"})
        assert [row["id"] for row in inner.query(Plain).select("id").all()] == ["b", "c"]
        assert outer.count(Plain) == 2


@pytest.mark.parametrize("name", ALWAYS)
@pytest.mark.parametrize(
    "verb", ["create", "upsert", "get", "save", "batch_create", "all", "count", "delete", "update"]
)
def test_a_request_that_fails_is_made_once_and_told_as_it_is(faulty, name, verb):
    Shelf.create(id="a")
    held = Shelf.get("a")
    calls = {
        "create": lambda: Shelf.create(id="b"),
        "upsert": lambda: Shelf.upsert(id="a", n=9),
        "get": lambda: Shelf.get("a"),
        "save": lambda: Shelf(id="b").save(),
        "batch_create": lambda: Shelf.batch_create([{"id": "b"}, {"id": "c"}]),
        "all": lambda: Shelf.all(),
        "count": lambda: Shelf.count(),
        "delete": lambda: held.delete(),
        "update": lambda: held.update(n=9),
    }
    fault, kind = ALWAYS[name]
    before = faulty.requests
    faulty.schedule = lambda request: fault
    error = refused(calls[verb])
    assert type(error) is kind
    assert not error.outcome_unknown
    assert faulty.requests == before + 1
    faulty.schedule = None
    assert [(one.id, one.n) for one in Shelf.all()] == [("a", 0)]
    assert held.n == 0


@pytest.mark.parametrize("fault", [TimeoutAfter(), Disconnect(sent=True)])
def test_a_write_whose_answer_is_lost_has_happened_and_is_told_as_unknown(faulty, fault):
    faulty.schedule = [("write", fault)]
    error = refused(lambda: Shelf.create(id="a", n=1))
    assert isinstance(error, BackendUnavailableError)
    assert error.outcome_unknown
    assert Shelf.get("a").n == 1


def test_a_read_whose_answer_is_lost_leaves_nothing_unknown(faulty):
    Shelf.create(id="a")
    faulty.schedule = [("get", TimeoutAfter())]
    assert not refused(lambda: Shelf.get("a")).outcome_unknown


def test_a_timeout_before_the_write_may_be_as_unknown_as_one_after_it(faulty):
    faulty.schedule = [("write", TimeoutBefore(unknown=True))]
    assert refused(lambda: Shelf.create(id="a")).outcome_unknown
    assert Shelf.get("a") is None


def test_the_lock_finds_a_write_that_was_thought_lost(faulty):
    paper = Paper.create(id="a", n=1)
    faulty.schedule = [("write", TimeoutAfter())]
    refused(lambda: paper.update(n=2))
    assert (paper.n, paper.version) == (1, 1)
    assert isinstance(refused(lambda: paper.update(n=3)), VersionConflictError)
    assert (paper.refresh().n, paper.version) == (2, 2)


def test_a_transaction_whose_answer_is_lost_has_happened_wholly(faulty):
    faulty.schedule = [("write", TimeoutAfter())]

    def together() -> None:
        with faulty.transaction():
            Shelf.create(id="a")
            Paper.create(id="b")

    assert refused(together).outcome_unknown
    assert Shelf.get("a") is not None
    assert len(Paper.history("b")) == 1


@pytest.mark.parametrize("verb", ["batch_create", "batch_upsert"])
@pytest.mark.parametrize("model", [Shelf, Paper], ids=lambda model: model.__name__)
def test_a_partial_batch_tells_which_rows_are_stored(faulty, model, verb):
    faulty.schedule = [("batch", Partial(2))]
    error = refused(lambda: getattr(model, verb)([{"id": key} for key in "abcd"]))
    assert isinstance(error, BatchError)
    assert [type(one) for one in error.outcomes] == [type(None), type(None), ThrottledError, ThrottledError]
    assert [one.id for one in model.where().order_by("id").all()] == ["a", "b"]


def test_a_write_by_query_that_stops_half_way_does_not_say_that_nothing_happened(faulty):
    Shelf.batch_create([{"id": key} for key in "abc"])
    writes = iter(range(3))
    faulty.schedule = lambda request: Throttle() if request.kind == "write" and next(writes) == 2 else None
    error = refused(lambda: Shelf.where(n=0).update(n=1))
    assert isinstance(error, ThrottledError)
    assert error.outcome_unknown
    assert "it had written 2 rows" in str(error)
    faulty.schedule = None
    assert Shelf.where(n=0).update(n=1) == 1
    faulty.schedule = [("write", Throttle())]
    assert not refused(lambda: Shelf.where().delete()).outcome_unknown


def test_a_duplicate_delivery_does_not_make_an_own_write_a_duplicate_key(faulty):
    faulty.schedule = lambda request: Duplicate() if request.writing else None
    paper = Paper.create(id="a", n=1)
    paper.update(n=2)
    Shelf.create(id="a", code="x")
    Shelf.get("a").update(n=5)
    Shelf.batch_create([{"id": "b"}, {"id": "c"}])
    assert len(faulty.injected) == 5
    faulty.schedule = None
    assert (paper.version, Paper.get("a").version, len(Paper.history("a"))) == (2, 2, 2)
    assert (Shelf.get("a").n, Shelf.count()) == (5, 3)
    assert isinstance(refused(lambda: Shelf.create(id="a")), DuplicateKeyError)


def test_an_addition_is_not_delivered_twice_unless_it_is_forced(faulty):
    row = Shelf.create(id="a")
    faulty.schedule = [("write", Duplicate())]
    add_to(row, {"n": 1})
    assert (row.n, faulty.injected) == (1, [])
    faulty.schedule = [("write", Duplicate(always=True))]
    add_to(row, {"n": 1})
    assert Shelf.get("a").n == 3


def test_a_slow_page_comes_late_and_lets_others_go_on(faulty):
    faulty.schedule = [("query", SlowPage(0.05))]
    started = time.perf_counter()
    Shelf.all()
    assert time.perf_counter() - started >= 0.05

    async def both() -> list[str]:
        faulty.schedule = [(lambda request: request.kind == "query", SlowPage(0.2))]
        done: list[str] = []

        async def note(name: str, work: Any) -> None:
            await work
            done.append(name)

        await asyncio.gather(note("slow", Shelf.aall()), note("quick", Shelf.aget("a")))
        return done

    assert asyncio.run(both()) == ["quick", "slow"]


async def test_faults_befall_what_is_awaited_just_so(faulty):
    faulty.schedule = [("write", Throttle()), ("write", TimeoutAfter()), ("write", Duplicate())]
    with pytest.raises(ThrottledError):
        await Shelf.acreate(id="a")
    with pytest.raises(BackendTimeoutError):
        await Shelf.acreate(id="b")
    await Shelf.acreate(id="c")
    assert [one.id for one in await Shelf.where().order_by("id").aall()] == ["b", "c"]
    assert [type(one.fault) for one in faulty.injected] == [Throttle, TimeoutAfter, Duplicate]


# -- schedules ------------------------------------------------------------------------------------------------------


def test_a_script_uses_each_entry_once_at_a_number_a_kind_or_what_a_function_says(faulty):
    faulty.schedule = [(1, Throttle()), ("get", Disconnect()), (lambda request: request.model is Shelf, Throttle())]
    refused(lambda: Shelf.create(id="a"))
    assert faulty.injected[0].request.number == 0
    refused(lambda: Shelf.create(id="a"))
    assert isinstance(refused(lambda: Shelf.get("a")), BackendUnavailableError)
    Shelf.create(id="a")
    assert [(one.request.kind, type(one.fault)) for one in faulty.injected] == [
        ("write", Throttle),
        ("write", Throttle),
        ("get", Disconnect),
    ]


def test_a_seed_gives_the_same_faults_again():
    def injected(seed: int) -> list[Any]:
        with mixstore.registry(), FaultyBackend(InMemoryBackend(), Schedule.seeded(seed, rate=0.5)) as backend:
            for number in range(40):
                try:
                    backend.create(Shelf, {"id": str(number)})
                except MixstoreError:
                    continue
            return [(one.request.number, one.fault) for one in backend.injected]

    assert injected(7) == injected(7) != injected(8)
    assert 10 < len(injected(7)) < 30


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([("wirte", Throttle())], "did you mean 'write'"),
        ([(0, "throttle")], r"pairs \(when, fault\)"),
        ([(0.5, Throttle())], "a number, a kind of request or a function"),
    ],
)
def test_a_wrong_script_is_refused_at_once(entries, told):
    with pytest.raises(ConfigurationError, match=told):
        FaultyBackend(InMemoryBackend(), entries)


def test_a_rate_is_a_share():
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        Schedule.seeded(1, rate=20)


def test_a_fault_that_can_not_befall_a_request_is_said_to(faulty):
    faulty.schedule = [(0, Partial())]
    with pytest.raises(ConfigurationError, match="can't befall request 0, a get"):
        Shelf.get("a")
