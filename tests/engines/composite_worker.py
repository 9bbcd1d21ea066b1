"""A process that works on a composite of a storage and an OpenSearch: `python -m tests.engines.composite_worker`.

The storage is a SQLite file, or the table `composite` at the address of an engine that speaks DynamoDB's protocol;
`stream+` before the address: its stream is followed instead of marks.
After these two and the prefix of indexes it takes one of

- a guarantee and a name: creates records, and prints the key of each when it is told that it is stored
- `relay`: relays until SIGTERM, and prints a line for each batch
- `update` and a seed: changes twenty records at random, a hundred times, and deletes some
"""

from __future__ import annotations

import random
import signal
import sys
import threading

from mixstore import Field, Model, NotFoundError, PlannedBackend
from mixstore_backends.composite import CompositeBackend, Relay, Relayed
from mixstore_backends.dynamodb import DynamoDBBackend, TableOptions
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.engines.on_dynoxide import client_at

STREAM = "stream+"
SETTINGS = {"number_of_replicas": 0}


class Record(Model):
    """What is written."""

    id: str = Field(primary_key=True)
    text: str = Field("", searchable=True)
    n: int = 0


def storage_at(place: str) -> PlannedBackend:
    """The storage of a test."""
    if place.startswith(STREAM):
        address = place.removeprefix(STREAM)
        clients = {"client": client_at(address), "streams_client": client_at(address, "dynamodbstreams")}
        return DynamoDBBackend("composite", table=TableOptions(stream="NEW_AND_OLD_IMAGES"), **clients)
    if place.startswith("http"):
        return DynamoDBBackend("composite", client=client_at(place))
    return SQLiteBackend(place, timeout=60, synchronous="off")


def composite(place: str, url: str, prefix: str) -> CompositeBackend:
    """The two stores of a test."""
    search = OpenSearchBackend(hosts=[url], prefix=prefix, settings=SETTINGS)
    return CompositeBackend(storage_at(place), search, follow="stream" if place.startswith(STREAM) else "marks")


def main(file: str, url: str, prefix: str, what: str, *more: str) -> None:
    """Work until the end, or until this process is ended."""
    with composite(file, url, prefix) as backend:
        Record.bind(backend)
        if what == "relay":
            stop = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            Relay(backend, batch=50, note=_told).run(stop)
        elif what == "update":
            _update(random.Random(more[0]))
        else:
            _create(backend, what, more[0])


def _told(done: Relayed) -> None:
    sys.stdout.write(f"{done.applied}\n")
    sys.stdout.flush()


def _create(backend: CompositeBackend, guarantee: str, name: str) -> None:
    number = 0
    with backend.guaranteeing(guarantee):  # type: ignore[arg-type]
        while True:
            key = f"{name}-{number}"
            Record.create(id=key, text=f"word {name}", n=number)
            sys.stdout.write(f"{key}\n")
            sys.stdout.flush()
            number += 1


def _update(choose: random.Random) -> None:
    for number in range(100):
        key = f"r{choose.randrange(20)}"
        Record.upsert(id=key, text=f"word{number}", n=number)
        if choose.random() < 0.1:
            try:
                Record(id=key).delete()
            except NotFoundError:
                continue
    for n in range(20):
        Record.upsert(id=f"r{n}", text="last", n=n)


if __name__ == "__main__":
    main(*sys.argv[1:])
