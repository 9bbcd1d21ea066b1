"""What the demo shows is what it runs: the source of these functions. So they are short, and narrow.

Each returns what it found; chapters.py tells whether that is right.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, NamedTuple

from mixstore import Backend, Explanation, VersionConflictError, connect
from mixstore.chain import Entry
from mixstore_extensions import retry_on_conflict
from mixstore_extensions.demo.models import MODELS, Airport, Session

Rows = list[dict[str, Any]]
Conflicts = list[VersionConflictError]


class Queried(NamedTuple):
    """What `by_country` found: the rows of a country, and the plans of a query with an index and of one without."""

    total: int
    highest: list[Airport]
    indexed: Explanation
    scanned: Explanation


class Paged(NamedTuple):
    """What `in_pages` saw: how many pages, and the keys in the order of their arrival."""

    pages: int
    keys: list[str]


class Expired(NamedTuple):
    """What `expiry` saw: the session before and after its time, how many were still there then, how many removed."""

    before: Session | None
    after: Session | None
    hidden: int
    purged: int


class Raced(NamedTuple):
    """What `race` saw: the record before and after two writers, and the conflicts that they met."""

    before: Airport
    after: Airport
    conflicts: Conflicts


def open_store(url: str) -> Backend:
    backend = connect(url)
    for model in MODELS:
        model.bind(backend)
    backend.initialize(*MODELS)
    return backend


def load(rows: Rows, done: Callable[[int], None]) -> None:
    for start in range(0, len(rows), 1000):
        batch = Airport.batch_create(rows[start : start + 1000])
        done(len(batch))


def by_country(country: str) -> Queried:
    there = Airport.where(country=country)
    high = there.filter(elevation__gt=5000).order_by("-elevation")
    return Queried(
        total=there.count(),
        highest=high.limit(5).all(),
        indexed=high.explain(),
        scanned=Airport.where(city="Lhasa").explain(),
    )


def by_name(text: str) -> list[Airport]:
    return Airport.search(text).order_by("name").all()


def in_pages(size: int) -> Paged:
    pages, keys = 0, []
    cursor = None
    while pages == 0 or cursor is not None:
        page = Airport.where().limit(size).cursor(cursor).paginate()
        keys += [airport.icao for airport in page]
        pages, cursor = pages + 1, page.cursor
    return Paged(pages, keys)


def expiry(backend: Backend) -> Expired:
    lifetime = timedelta(minutes=30)
    Session.create(id="s1", user="ada", expires_in=lifetime)
    before = Session.get("s1")
    later = backend.clock() + lifetime
    backend.clock = lambda: later
    after = Session.get("s1")
    hidden = Session.where().include_expired().count()
    return Expired(before, after, hidden, Session.purge_expired())


@retry_on_conflict()
def add_visit(
    icao: str,
    both_have_read: threading.Barrier,
    conflicts: Conflicts,
) -> None:
    airport = Airport.where(icao=icao).one()
    if not conflicts:  # so at the first attempt only
        both_have_read.wait()
    airport.visits += 1
    try:
        airport.save()
    except VersionConflictError as conflict:
        conflicts.append(conflict)
        raise  # then it is called again, and reads again


def race(icao: str) -> Raced:
    before = Airport.where(icao=icao).one()
    both_have_read = threading.Barrier(2, timeout=30)
    conflicts: Conflicts = []
    with ThreadPoolExecutor(max_workers=2) as threads:
        told = (icao, both_have_read, conflicts)
        writers = [threads.submit(add_visit, *told) for _ in range(2)]
    for writer in writers:
        writer.result()
    after = Airport.where(icao=icao).one()
    return Raced(before, after, conflicts)


def active() -> dict[str, list[Entry]]:
    return {model.__name__: model.extensions() for model in MODELS}
