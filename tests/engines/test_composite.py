"""Composites whose search side is a real OpenSearch, and whose processes are killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from mixstore_backends.composite import Relay
from tests.backends.shared.support import ids
from tests.engines.composite_worker import Record, composite
from tests.engines.on_dynoxide import client_at

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(params=["sqlite", "dynoxide"])
def place(request, opensearch, tmp_path):
    """What the processes of a test need to find the same two stores: a file or an address, an address and a prefix."""
    dynoxide = request.param == "dynoxide"
    storage = request.getfixturevalue("dynoxide").url if dynoxide else str(tmp_path / "store.db")
    told = (storage, opensearch.url, f"c-{uuid4().hex[:8]}-")
    backend = composite(*told)
    with backend:
        Record.bind(backend)
        backend.initialize(Record)
        yield told, backend
        backend.search.client.indices.delete(index=f"{told[2]}*")
        if dynoxide:
            client_at(storage).delete_table(TableName="composite")
    Record.bind(None)


def worker(told, *what):
    """A process that works on the same stores, and prints a line for each thing that it knows is done."""
    command = [sys.executable, "-m", "tests.engines.composite_worker", *told, *what]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_after(process, lines):
    """Read so many lines of a process, and kill it; all that it has told."""
    with process:
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.read().splitlines(keepends=True)
    return [line.strip() for line in told if line.endswith("\n")]


def test_searches_facets_and_hydration_on_the_engine(place):
    _, backend = place
    Record.batch_create([{"id": f"r{n}", "text": "word even" if n % 2 == 0 else "word odd", "n": n} for n in range(50)])
    assert Relay(backend).once().applied == 50
    refreshed(backend)
    assert Record.search("even").count() == 25
    assert Record.search("even").order_by("-n").limit(2).all() == [
        Record(id="r48", text="word even", n=48),
        Record(id="r46", text="word even", n=46),
    ]
    assert Record.where(n__gte=45).count() == 5
    assert Record.where(n__gte=45).explain().backend == "composite"
    Record.get("r48").update(text="word odd")
    assert ids(Record.search("even").order_by("-n").limit(1).all()) == ["r48"]
    assert ids(Record.search("even").fresh().order_by("-n").limit(1).all()) == ["r46"]


def refreshed(backend):
    """Searches see all that the search side has."""
    there = backend.copies(backend.bound(Record)).there
    backend.search.client.indices.refresh(index=there.native.name)


@pytest.mark.parametrize("guarantee", ["sync"])
def test_searches_see_a_write_that_promised_it(place, guarantee):
    _, backend = place
    with backend.guaranteeing(guarantee):
        record = Record.create(id="a", text="first")
        assert ids(Record.search("first").all()) == ["a"]
        record.update(text="second")
        assert ids(Record.search("second").all()) == ["a"]
        record.delete()
        Record.create(id="a", text="third")
        assert ids(Record.search("third").all()) == ["a"]
    assert backend.behind().waiting == 0


def test_writers_that_are_killed_between_storage_and_search_leave_no_drift(place):
    told, backend = place
    acknowledged = []
    for number in range(3):
        acknowledged += kill_after(worker(told, "write-sync", f"w{number}"), 20)
    Relay(backend).once()
    assert backend.verify(Record).differences == 0
    stored = {row.id for row in Record.where().from_storage().all()}
    assert set(acknowledged) <= stored
    assert len(stored) <= len(acknowledged) + 3  # what was stored when the process died, and nobody was told


def test_a_relay_that_is_killed_in_the_middle_of_a_batch_loses_nothing(place):
    told, backend = place
    many = 3000 if backend.storage.backend_name == "sqlite" else 600  # a transaction each there
    Record.batch_create([{"id": f"r{n}", "text": f"word{n}", "n": n} for n in range(many)])
    assert kill_after(worker(told, "relay"), 3)
    assert 0 < backend.behind().waiting < many
    Relay(backend).once()
    assert backend.verify(Record).differences == 0
    assert backend.behind().waiting == 0


def test_two_relays_and_writers_at_once_end_with_the_same_on_both_sides(place):
    told, backend = place
    with worker(told, "relay") as one, worker(told, "relay") as other:
        with worker(told, "update", "1") as first, worker(told, "update", "2") as second:
            assert [process.wait(timeout=240) for process in (first, second)] == [0, 0]
        deadline = time.monotonic() + 60
        while backend.behind().waiting and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in (one, other):
            process.terminate()
            process.stdout.read()
            assert process.wait(timeout=60) == 0
    assert backend.behind().waiting == 0
    refreshed(backend)
    found = backend.verify(Record)
    assert (found.differences, found.rows) == (0, 20)
