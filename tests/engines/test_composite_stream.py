"""Composites that follow the stream of a table, with a real OpenSearch, and processes that are killed."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from mixstore_backends.composite import Relay
from mixstore_backends.composite.marks import SyncMark
from tests.backends.shared.support import ids
from tests.engines.composite_worker import STREAM, Record, composite
from tests.engines.on_dynoxide import client_at
from tests.engines.test_composite import kill_after, refreshed, worker

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


@pytest.fixture
def place(dynoxide, opensearch):
    """What the processes of a test need to find the same two stores, and the composite of them."""
    told = (STREAM + dynoxide.url, opensearch.url, f"c-{uuid4().hex[:8]}-")
    backend = composite(*told)
    with backend:
        Record.bind(backend)
        backend.initialize(Record)
        yield told, backend
        backend.search.client.indices.delete(index=f"{told[2]}*")
        client_at(dynoxide.url).delete_table(TableName="composite")
    Record.bind(None)


def test_a_relay_follows_the_stream_and_writers_leave_no_marks(place):
    _, backend = place
    Record.batch_create([{"id": f"r{n}", "text": "word even" if n % 2 == 0 else "word odd", "n": n} for n in range(50)])
    assert backend.query(SyncMark).count() == 0
    assert Relay(backend).once().applied == 50
    refreshed(backend)
    assert Record.search("even").count() == 25
    Record.get("r48").delete()
    with backend.guaranteeing("sync"):
        Record.get("r46").update(text="word odd")
        assert Record.search("odd").count() == 26
    assert Relay(backend).once().applied == 2
    refreshed(backend)
    assert sorted(ids(Record.where(n__gte=45).from_search().all())) == ["r45", "r46", "r47", "r49"]
    assert backend.verify(Record).differences == 0


def test_rows_that_are_deleted_by_the_engine_itself_take_their_copies_along(place):
    _, backend = place
    Record.create(id="a", text="word")
    Relay(backend).once()
    table = backend.bound(Record).native
    backend.storage.transport.client.delete_item(TableName=table.name, Key=table.keying.wire(("a",)))
    assert Relay(backend).once().applied == 1
    refreshed(backend)
    assert Record.search("word").all() == []


def test_a_relay_that_is_killed_in_the_middle_of_a_batch_loses_nothing(place):
    told, backend = place
    Record.batch_create([{"id": f"r{n}", "text": f"word{n}", "n": n} for n in range(600)])
    assert kill_after(worker(told, "relay"), 3)
    refreshed(backend)
    assert 0 < Record.where().from_search().count() < 600
    Relay(backend).once()
    refreshed(backend)
    found = backend.verify(Record)
    assert (found.differences, found.rows) == (0, 600)


def test_writers_that_are_killed_between_storage_and_search_leave_no_drift(place):
    told, backend = place
    acknowledged = []
    for number in range(3):
        acknowledged += kill_after(worker(told, "write-sync", f"w{number}"), 20)
    Relay(backend).once()
    refreshed(backend)
    assert backend.verify(Record).differences == 0
    stored = {row.id for row in Record.where().from_storage().all()}
    assert set(acknowledged) <= stored
    assert len(stored) <= len(acknowledged) + 3  # what was stored when the process died, and nobody was told


def test_two_relays_and_writers_at_once_end_with_the_same_on_both_sides(place):
    told, backend = place
    with worker(told, "relay") as one, worker(told, "relay") as other:
        with worker(told, "update", "1") as first, worker(told, "update", "2") as second:
            assert [process.wait(timeout=240) for process in (first, second)] == [0, 0]
        time.sleep(3)
        for process in (one, other):
            process.terminate()
            process.stdout.read()
            assert process.wait(timeout=60) == 0
    Relay(backend).once()
    refreshed(backend)
    found = backend.verify(Record)
    assert (found.differences, found.rows) == (0, 20)
