"""What relaying, reindexing and verifying many records takes: `python tests/benchmarks/composite.py [ROWS] [URL]`.

The storage is a SQLite file; the search side is the OpenSearch at the URL (`http://127.0.0.1:9200`), or without one a
second SQLite file. Each number of rows is measured in a process of its own, since memory is told as the most that the
process ever had; a tenth of the rows should take about as much. The bulk is the search side's own: the same rows sent
to it with no composite, which is what a relay can be at most. Relay and bulk take turns, a batch each, so that a
machine that is busy with other work slows down both.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter
from typing import Any
from uuid import uuid4

from moving import tell, timed

from mixstore import Field, Model, PlannedBackend
from mixstore_backends.composite import CompositeBackend, Relay, Relayed
from mixstore_backends.sqlite import SQLiteBackend

BATCH = 500


class Record(Model):
    """About 300 bytes."""

    id: int = Field(primary_key=True)
    text: str = Field("", searchable=True)
    number: int = 0


def search_side(url: str, folder: str, name: str) -> PlannedBackend:
    """An empty one."""
    if not url:
        return SQLiteBackend(f"{folder}/{name}.db", synchronous="off")
    from mixstore_backends.opensearch import OpenSearchBackend

    settings = {"number_of_replicas": 0, "number_of_shards": 1}
    return OpenSearchBackend(hosts=[url], prefix=f"bench-{uuid4().hex[:8]}-", refresh=False, settings=settings)


def rows_from(first: int, most: int) -> list[dict[str, Any]]:
    """A batch of rows."""
    return [{"id": n, "text": f"word{n % 1000} " * 30, "number": n} for n in range(first, min(first + BATCH, most))]


def in_batches(write: Callable[[list[dict[str, Any]]], Any], rows: int) -> None:
    """All rows, a batch at a time."""
    for first in range(0, rows, BATCH):
        write(rows_from(first, rows))


def measure(rows: int, url: str) -> None:
    """In a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        alone = search_side(url, folder, "alone")
        alone.initialize(Record)
        backend = CompositeBackend(
            SQLiteBackend(f"{folder}/store.db", synchronous="off"), search_side(url, folder, "search")
        )
        backend.initialize(Record)
        timed("write", rows, lambda: in_batches(lambda some: backend.batch_create(Record, some), rows))
        relay_and_bulk(backend, alone, rows)
        timed("verify", rows, lambda: check(backend, rows))
        timed("reindex", rows, lambda: backend.reindex(Record))


def relay_and_bulk(backend: CompositeBackend, alone: PlannedBackend, rows: int) -> None:
    """Relay all rows, and after each batch send as many to the search side alone; print both, and their ratio."""
    sent, in_bulk, started = 0, 0.0, perf_counter()

    def bulk(done: Relayed) -> None:
        nonlocal sent, in_bulk
        some = rows_from(sent, sent + done.applied)
        began = perf_counter()
        alone.batch_create(Record, some)
        in_bulk += perf_counter() - began
        sent += done.applied

    Relay(backend, batch=BATCH, note=bulk).once()
    in_relay = perf_counter() - started - in_bulk
    if sent != rows:
        raise SystemExit(f"{sent} of {rows} rows were relayed")
    tell("bulk alone", rows, in_bulk)
    tell("relay", rows, in_relay)
    print(f"the relay does {in_bulk / in_relay:.2f} of the bulk")


def check(backend: CompositeBackend, rows: int) -> None:
    """Nothing differs."""
    found = backend.verify(Record)
    if found.differences or found.waiting or found.rows != rows:
        raise SystemExit(f"they differ: {found}")


if __name__ == "__main__":
    most, address = int((sys.argv[1:] or ["100000"])[0]), (sys.argv[2:] or [""])[0]
    if len(sys.argv) > 3:
        measure(most, address)
    else:
        for many in (most // 10, most):
            subprocess.run([sys.executable, __file__, str(many), address, "alone"], check=True)
