"""Deletes by query on OpenSearch itself: exact numbers, others who write, an index that is replaced meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from opensearchpy import AsyncOpenSearch

from mixstore import Field, Model
from mixstore.drivers import driver
from mixstore.watching import watching
from mixstore_backends.opensearch import OpenSearchBackend, removals
from mixstore_backends.opensearch.requests import Request
from mixstore_extensions import TTL, Versioned
from tests.engines.engines import Server
from tests.engines.opensearch_store import SETTINGS, store

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Session(TTL, Versioned, Model):
    id: int = Field(primary_key=True)
    note: str = ""


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"d{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix, settings={**SETTINGS, "number_of_shards": 3}) as made:
        Session.bind(made)
        made.initialize(Session)
        yield made
        Session.bind(None)
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


def expired(count: int, others: int = 0) -> None:
    Session.batch_create([{"id": n, "expires_in": -1 if n < count else 1000} for n in range(count + others)])


def kinds(work: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What it answers, and which plans it took."""
    plans: list[str] = []
    with watching(lambda one: plans.append(type(one.plan).__name__)):
        answer = work()
    return answer, plans


@pytest.mark.parametrize("refresh", ["lazy", "wait_for", True])
def test_expired_rows_are_deleted_piece_by_piece_and_searches_see_it(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch, refresh: Any
) -> None:
    monkeypatch.setattr(removals, "AT_ONCE", 100)
    expired(250, others=10)
    backend.refresh(Session)
    with backend.refreshing(refresh):
        assert kinds(Session.purge_expired) == (250, ["Removal"] * 3)
        assert Session.include_expired().count() == 10
        assert kinds(Session.purge_expired) == (0, ["Removal"])
        assert kinds(lambda: Session.where(id__lt=255).delete()) == (5, ["Removal"])
        assert sorted(row.id for row in Session.all()) == [255, 256, 257, 258, 259]


def test_what_searches_do_not_see_yet_is_not_counted_twice(backend: OpenSearchBackend) -> None:
    expired(20)
    backend.refresh(Session)
    with backend.refreshing(False):
        for n in range(5):  # searches still find these, and others
            assert Session.where(id=n).include_expired().delete() == 1
        number, plans = kinds(Session.purge_expired)
    assert (number, plans[0]) == (15, "Removal")
    assert len(plans) > 1, "what had changed is looked at row by row"
    backend.refresh(Session)
    assert Session.include_expired().count() == 0


async def test_it_is_awaited_too(opensearch: Server, backend: OpenSearchBackend) -> None:
    expired(30)
    async with AsyncOpenSearch(hosts=[opensearch.url]) as client:
        backend.async_client = client
        assert await Session.apurge_expired() == 30
        backend.async_client = None


def test_purging_all_along_while_the_index_is_replaced_brings_nothing_back(
    opensearch: Server, backend: OpenSearchBackend
) -> None:
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    backend.clock = lambda: now
    Session.batch_create([{"id": n, "expires_at": now + timedelta(seconds=n)} for n in range(3000)])
    failed: list[BaseException] = []
    deleted: list[int] = []
    stop = threading.Event()

    def purge() -> None:
        nonlocal now
        try:
            while not stop.is_set():
                now += timedelta(seconds=3)
                deleted.append(Session.purge_expired())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=purge)
    thread.start()
    try:
        for _ in range(5):
            backend.reindex(Session, keep=False)
    finally:
        stop.set()
        thread.join(120)
    assert failed == []
    backend.refresh(Session)
    passed = int((now - datetime(2026, 1, 1, tzinfo=timezone.utc)).total_seconds())
    left = [row.id for row in Session.include_expired().order_by("id")]
    assert left == list(range(passed + 1, 3000))
    assert sum(deleted) == 3000 - len(left)
    assert len(deleted) > 10


def test_rows_that_come_back_as_another_index_takes_the_place_are_deleted_there(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that was lifted too early lets the delete through after the last look at the index."""
    expired(20)
    backend.refresh(Session)
    send, moved = backend._send, threading.Event()

    def meanwhile(request: Any) -> Any:
        if isinstance(request, Request) and request.path.endswith("/_delete_by_query") and not moved.is_set():
            moved.set()
            alive = send(Request("GET", f"{request.path.removesuffix('/_delete_by_query')}/_alias"))
            backend.reindex(Session)
            old = next(iter(alive))
            send(Request("PUT", f"/{old}/_settings", '{"index.blocks.write": null}', writes=True))
            return send(request._replace(path=f"/{old}/_delete_by_query"))
        return send(request)

    monkeypatch.setattr(backend, "_send", meanwhile)
    monkeypatch.setattr(backend, "_drive", driver(meanwhile))
    Session.purge_expired()
    assert moved.is_set()
    backend.refresh(Session)
    assert Session.include_expired().count() == 0
