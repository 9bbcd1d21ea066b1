"""Plans as they are executed: captured, counted, and no scan among them; on any backend."""

from __future__ import annotations

import asyncio
import threading

import pytest

import mixstore
from mixstore import QueryPlan, ThrottledError
from mixstore.testing import Clock, Throttle, assert_no_scan, captured_plans, count_requests
from tests.kernel.test_direct_backends import DictBackend
from tests.testing.models import Paper, Plain, Shelf


def test_the_plans_of_a_block_are_captured_in_order(faulty):
    Shelf.create(id="before")
    with captured_plans() as plans:
        Shelf.create(id="a")
        Shelf.where(n=0).all()
        Paper.create(id="p")
    Shelf.create(id="after")
    assert [(one.operation, one.model.__name__) for one in plans] == [
        ("create", "Shelf"),
        ("all", "Shelf"),
        ("create", "Paper"),  # History looks for the last revision
        ("create", "Paper"),
    ]
    assert all(one.backend is faulty for one in plans)
    assert isinstance(plans[1].plan, QueryPlan)
    assert plans[1].plan.scan


def test_a_request_that_fails_is_captured_with_its_error(faulty):
    faulty.schedule = lambda request: Throttle()
    with captured_plans() as plans, pytest.raises(ThrottledError):
        Shelf.get("a")
    assert [type(one.error) for one in plans] == [ThrottledError]


def test_requests_are_counted_by_operation(faulty):
    with count_requests() as requests:
        Shelf.batch_create([{"id": str(number)} for number in range(20)])
        Shelf.get("1")
        Shelf.get("2")
    assert (requests.count, requests.by_operation) == (3, {"batch_create": 1, "get": 2})
    assert repr(requests) == "3 requests: batch_create 1, get 2"


def test_more_requests_than_allowed_fail_the_block(faulty):
    def careless() -> None:
        with count_requests(most=2):
            for key in "abc":
                Shelf.get(key)

    with pytest.raises(AssertionError, match="at most 2 were expected, not 3 requests: get 3"):
        careless()


def test_an_error_in_the_block_is_not_hidden_by_what_it_asked(faulty):
    def fails() -> None:
        with assert_no_scan(), count_requests(most=0):
            Shelf.all()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fails()


def test_blocks_nest_and_each_sees_its_own(faulty):
    with count_requests() as outer:
        Shelf.get("a")
        with count_requests() as inner:
            Shelf.get("b")
    assert (outer.count, inner.count) == (2, 1)


def test_what_is_awaited_and_what_other_threads_ask_is_seen(faulty):
    async def ask() -> None:
        await asyncio.gather(*(Shelf.aget(key) for key in "abc"))

    with count_requests() as requests:
        asyncio.run(ask())
        thread = threading.Thread(target=lambda: Shelf.get("d"))
        thread.start()
        thread.join()
    assert requests.by_operation == {"get": 4}


def test_a_model_that_was_bound_in_another_registry_is_seen(faulty):
    Shelf.get("a")
    with mixstore.registry(), count_requests() as requests:
        Shelf.get("a")
    assert requests.count == 1


def test_a_backend_that_is_not_planned_is_seen():
    with mixstore.registry(), captured_plans() as plans:
        backend = DictBackend()
        Plain.bind(backend)
        try:
            Plain.create(id="a")
        finally:
            Plain.bind(None)
    assert [one.operation for one in plans] == ["create"]


def test_nothing_is_left_behind_a_block(faulty):
    Shelf.get("a")
    bound = mixstore.bound_of(Shelf)
    before = bound.run.__code__
    with captured_plans():
        assert bound.watched
    assert not bound.watched
    assert bound.run.__code__ is before


def test_a_clock_wants_an_aware_moment():
    from datetime import datetime

    with pytest.raises(ValueError, match="aware"):
        Clock(datetime(2025, 1, 1))
