"""Scans in segments: as exact and as complete as others, and read at once."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from mixstore import QueryError
from tests.backends.dynamodb.models import Task, User


@pytest.fixture
def tasks(use):
    """Sixty tasks of an entity, beside rows of another."""
    use(Task, User)
    Task.batch_upsert([{"id": f"t{n:02d}", "rank": n, "text": "x" * 20_000, "state": "od"[n % 2]} for n in range(60)])
    User.batch_upsert([{"id": str(n)} for n in range(5)])
    return Task.where().option(segments=4)


def test_all_rows_come_once_and_in_the_order_that_is_asked_for(tasks):
    assert sorted(task.id for task in tasks.all()) == [f"t{n:02d}" for n in range(60)]
    assert [task.rank for task in tasks.order_by("-rank")] == list(range(59, -1, -1))
    assert [task.rank for task in tasks.order_by("rank").offset(3).limit(2).all()] == [3, 4]


@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (7, 0), (7, 5), (60, 0), (100, 55), (0, 0), (3, 60)])
def test_limits_and_offsets_are_exact(tasks, limit, offset):
    found = [task.id for task in tasks.limit(limit).offset(offset).all()]
    assert len(found) == len(set(found)) == min(limit, max(0, 60 - offset))
    assert tasks.limit(limit).offset(offset).count() == len(found)


def test_filters_counts_and_what_is_left_to_mixstore_agree_with_an_undivided_scan(tasks):
    plain = Task.where()
    for terms in ({"state": "d"}, {"text__icontains": "X", "rank__lt": 9}, {"state": "none"}):
        asked = tasks.filter(**terms)
        assert asked.count() == plain.filter(**terms).count()
        assert Counter(task.id for task in asked.all()) == Counter(task.id for task in plain.filter(**terms).all())
    assert tasks.filter(state="d").update(text="") == 30
    assert Task.where(text="").count() == 30


def test_segments_are_read_at_once(tasks, store, monkeypatch):
    together = threading.Barrier(4, timeout=10)
    call = store.transport.call
    asked = []

    def meet(operation, table, request, repeatable=True):
        if operation == "scan":
            asked.append((request["Segment"], request["TotalSegments"]))
            if len(asked) <= 4:
                together.wait()
        return call(operation, table, request, repeatable)

    monkeypatch.setattr(store.transport, "call", meet)
    assert len(tasks.all()) == 60
    assert {segment for segment, _ in asked} == {0, 1, 2, 3}
    assert {total for _, total in asked} == {4}


def test_explain_shows_the_request_of_each_segment(tasks):
    told = tasks.explain()
    assert [request["Segment"] for request in told.request] == [0, 1, 2, 3]


def test_what_is_no_scan_is_not_divided(tasks):
    told = tasks.filter(id="t01").explain()
    assert told.operation == "GetItem"
    assert "Segment" not in told.request


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "4", True, 1_000_001])
def test_a_number_of_segments_that_can_not_be_is_refused(tasks, wrong):
    with pytest.raises(QueryError, match="segments is a number from 1 to"):
        tasks.option(segments=wrong).all()
