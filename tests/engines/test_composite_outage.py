"""An OpenSearch that is killed under load, and DynamoDB's protocol beside OpenSearch: both sides end with the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from mixstore_backends.composite import CompositeBackend, Relay
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import TTL, Versioned
from tests.backends.shared.support import together
from tests.engines.composite_worker import Record
from tests.engines.engines import OPENSEARCH, Server, running
from tests.engines.on_dynoxide import Dynoxide

AWAY = 8
"""Seconds without a search side."""


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A node of its own, which may be killed."""
    reason = OPENSEARCH.missing()
    if reason is not None:
        pytest.skip(reason)
    OPENSEARCH.install()
    with running(OPENSEARCH) as server:
        yield server


def search_at(url: str, prefix: str) -> OpenSearchBackend:
    """A search side that gives up soon."""
    settings = {"number_of_replicas": 0}
    return OpenSearchBackend(
        hosts=[{"host": "127.0.0.1", "port": int(url.rpartition(":")[2])}], prefix=prefix, settings=settings
    )


def test_a_search_side_that_is_killed_under_load_fails_no_write_and_loses_none(mortal, tmp_path):
    with CompositeBackend(
        SQLiteBackend(tmp_path / "store.db", timeout=60, synchronous="off"), search_at(mortal.url, "o-")
    ) as backend:
        Record.bind(backend)
        backend.initialize(Record)
        stop, acknowledged = threading.Event(), [[], []]

        def write(number: int, guarantee: str) -> None:
            with backend.guaranteeing(guarantee):
                while not stop.is_set():
                    key = f"{guarantee}-{len(acknowledged[number])}"
                    Record.create(id=key, text=f"word {guarantee}", n=number)
                    acknowledged[number].append(key)

        relay = threading.Thread(target=Relay(backend, batch=50).run, args=(stop,))
        writers = [threading.Thread(target=write, args=one) for one in ((0, "async"), (1, "write-sync"))]
        for thread in (relay, *writers):
            thread.start()
        time.sleep(2)
        mortal.kill()
        time.sleep(AWAY)
        before = [len(keys) for keys in acknowledged]
        time.sleep(1)
        assert len(acknowledged[0]) > before[0], "writes go on without a search side"
        mortal.start()
        time.sleep(2)
        stop.set()
        for thread in (relay, *writers):
            thread.join(120)
            assert not thread.is_alive()
        deadline = time.monotonic() + 60
        while backend.behind().waiting and time.monotonic() < deadline:
            Relay(backend).once()
        found = backend.verify(Record)
        assert (found.differences, found.waiting) == (0, 0)
        assert found.rows == len(acknowledged[0]) + len(acknowledged[1])
    Record.bind(None)


class Order(TTL, Versioned, Record):
    """A locked one that may expire."""


def test_dynamodb_and_opensearch_end_with_the_same(tables: Callable[[], Dynoxide], opensearch: Server):
    prefix = f"d-{uuid4().hex[:8]}-"
    search = search_at(opensearch.url, prefix)
    storage = tables()
    storage.scan_policy = "warn"  # as it is out of tests
    backend = CompositeBackend(storage, search)
    Order.bind(backend)
    try:
        backend.initialize(Order)
        Order.batch_create(
            [{"id": f"r{n}", "text": "word even" if n % 2 == 0 else "word odd", "n": n} for n in range(40)]
        )

        def work(number: int) -> None:
            for n in range(15):
                if number == 0:
                    Relay(backend).once()
                else:
                    Order.upsert(id=f"r{n}", text=f"last {number}", n=n)

        assert together(3, work) == [None] * 3
        Order.get("r20").delete()
        with backend.guaranteeing("sync"):
            Order.create(id="new", text="zebra")
            assert [row.id for row in Order.search("zebra").all()] == ["new"]
        Relay(backend).once()
        found = backend.verify(Order)
        assert (found.differences, found.rows) == (0, 40)
        assert backend.behind() == (0, None, 0)
        search.client.indices.refresh(index=f"{prefix}*")
        assert Order.search("even").count() == len([n for n in range(16, 40, 2) if n != 20])
        assert "answered by the search side (opensearch)" in " ".join(Order.where(n__gte=30).explain().notes)
        assert Order.where(n__gte=30).count() == 10
    finally:
        Order.bind(None)
        search.client.indices.delete(index=f"{prefix}*")
