"""A process that works on a composite whose cache is in Redis: `python -m tests.engines.cached_worker FILE URL WHAT`.

count N         adds one to a row, N times, by reading it from the cache, and prints what it has stored
die             changes the row, and dies when the storage has it and before the cache hears of that
"""

from __future__ import annotations

import os
import sys

from mixstore import Field, Model, NotFoundError
from mixstore_backends.composite import CompositeBackend, RedisCache
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import Versioned, retry_on_conflict


class Counted(Versioned, Model):
    """A row that many processes change."""

    id: str = Field(primary_key=True)
    n: int = 0


class Dying(SQLiteBackend):
    """It stores, and the process is gone."""

    def execute(self, plan):
        super().execute(plan)
        os._exit(9)


def composite(path: str, url: str) -> CompositeBackend:
    """A file, and a cache that all share who use it."""
    storage = SQLiteBackend(path, timeout=60, synchronous="off")
    return CompositeBackend(storage, InMemoryBackend(), RedisCache(url, prefix=f"{path}:", timeout=10))


@retry_on_conflict(attempts=1000)
def add_one() -> int:
    """One more; what it is then."""
    row = Counted.get("a")
    if row is None:
        raise NotFoundError("somebody took it away")
    row.update(n=row.n + 1)
    return row.n


def main(path: str, url: str, what: str, *more: str) -> None:
    with composite(path, url) as backend:
        Counted.bind(backend)
        if what == "count":
            for _ in range(int(more[0])):
                sys.stdout.write(f"{add_one()}\n")
                sys.stdout.flush()
            return
        row = Counted.get("a")
        backend.storage.__class__ = Dying
        row.update(n=row.n + 1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
