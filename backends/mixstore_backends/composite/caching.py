"""How a composite uses its cache: reads that look there first, and writes that take away what they change.

A cache may be away: then the storage is asked, nothing fails, and what was written meanwhile is taken away as soon as
the cache can be asked again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

from mixstore import BackendError, Outcome, PlannedBackend, Write
from mixstore.events import Event
from mixstore.registry import current
from mixstore_backends.composite.cache import LEASE, NOTHING, Cache, Found
from mixstore_backends.composite.entries import CachedRow, Entries
from mixstore_backends.composite.plans import On, Steps, Stepwise

if TYPE_CHECKING:
    from mixstore import Bound
    from mixstore.write import KeyValue

PAUSE = 1.0
"""Seconds that a cache which did not answer is left alone."""
MOST_OWED = 10_000
"""Keys of writes that the cache could not be told of. Are they more, it is left alone until its entries have ended."""
T = TypeVar("T")
_log = logging.getLogger("mixstore")


class Cached(NamedTuple):
    """How a cache served: `hits` rows were found there and `misses` not; `errors` requests to it failed."""

    hits: int
    misses: int
    errors: int


class Caching:
    """A cache in front of a storage. It executes steps as a backend does: calls of its own methods, none of which fail.

    clock: seconds that only go forward.
    """

    def __init__(self, cache: Cache, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.cache = cache
        self.name = name
        self.clock = clock
        self._entries: dict[type, Entries | None] = {}
        self._resumes = 0.0
        self._owed: set[str] = set()
        self._lock = threading.Lock()
        self._hits = self._misses = self._errors = 0

    def counts(self) -> Cached:
        """How it served so far."""
        return Cached(self._hits, self._misses, self._errors)

    def entries(self, bound: Bound) -> Entries | None:
        """How rows of a model are cached; None for what extensions keep beside rows."""
        if bound.model not in self._entries:
            internal = bound.schema.definition.internal
            self._entries[bound.model] = None if internal else Entries(bound)
        return self._entries[bound.model]

    # -- executing ---------------------------------------------------------------------------------------------------

    def execute(self, plan: Callable[[], Any]) -> Any:
        return plan()

    async def aexecute(self, plan: Callable[[], Any]) -> Any:
        return plan() if self.cache.inline else await asyncio.to_thread(plan)

    # -- asking ------------------------------------------------------------------------------------------------------

    def look(self, model: type, keys: Sequence[str]) -> list[Found]:
        """What is there; nothing at all, and no leases, while the cache is away."""
        found = self._ask(model, partial(self.cache.look, keys), [NOTHING] * len(keys))
        hits = sum(one.value is not None for one in found)
        with self._lock:
            self._hits += hits
            self._misses += len(found) - hits
        return found

    def fill(self, model: type, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Bring what was read, where the lease still holds."""
        self._ask(model, partial(self.cache.fill, entries), None)

    def drop(self, model: type, keys: Sequence[str]) -> None:
        """Take away what can't be read."""
        self._ask(model, partial(self.cache.drop, keys), None)

    def hold(self, model: type, keys: Sequence[str], token: str) -> bool:
        """A write begins; whether the cache knows of it."""
        return self._ask(model, lambda: self.cache.hold(keys, token) or True, False)

    def release(self, model: type, keys: Sequence[str], token: str) -> None:
        """A write has ended."""
        if not self._ask(model, lambda: self.cache.release(keys, token) or True, False):
            self.owe(keys)

    def owe(self, keys: Iterable[str]) -> None:
        """These were written, and the cache does not know: it is told before it is asked for anything."""
        with self._lock:
            self._owed.update(keys)
            if len(self._owed) > MOST_OWED:
                self._owed.clear()
                self._resumes = self.clock() + self.cache.ttl + LEASE

    def _ask(self, model: type, request: Callable[[], T], otherwise: T) -> T:
        started = self.clock()
        if started < self._resumes:
            return otherwise
        try:
            self._pay()
            return request()
        except BackendError as error:
            with self._lock:
                self._errors += 1
                self._resumes = max(self._resumes, self.clock() + PAUSE)
            _log.warning("the cache is left alone for %s s: %s", PAUSE, error)
            current().notify(Event("cache", model, self.name, self.clock() - started, 0, error))
            return otherwise

    def _pay(self) -> None:
        if not self._owed:
            return
        with self._lock:
            owed = list(self._owed)
            if owed:
                self.cache.drop(owed)
                self._owed.difference_update(owed)

    # -- plans -------------------------------------------------------------------------------------------------------

    def reading(self, storage: PlannedBackend, bound: Bound, keys: Sequence[KeyValue]) -> Any:
        """The plan that finds these keys in the cache, and the others in the storage."""
        entries = self.entries(bound)
        return storage.compile_get(bound, keys) if entries is None else _Reading(self, entries, storage, keys)

    def writing(self, storage: PlannedBackend, plan: Any, bound: Bound, writes: Sequence[Write]) -> Any:
        """The plan of the storage, after which nobody finds in the cache what these writes have changed."""
        names = [list(self._names(write)) for write in writes]
        return _Writing(self, bound.model, On(storage, plan), names) if any(names) else plan

    def _names(self, write: Write) -> Iterable[str]:
        for one in (write, *write.side_writes):
            entries = self.entries(one.bound)
            if entries is not None:
                yield entries.key(one.key)


class _Reading(Stepwise):
    __slots__ = ("caching", "entries", "keys", "storage")

    def __init__(self, caching: Caching, entries: Entries, storage: PlannedBackend, keys: Sequence[KeyValue]) -> None:
        self.caching = caching
        self.entries = entries
        self.storage = storage
        self.keys = keys

    def steps(self) -> Steps:
        caching, entries, bound = self.caching, self.entries, self.entries.bound
        names = [entries.key(key) for key in self.keys]
        found: list[Found] = yield On(caching, partial(caching.look, bound.model, names))
        rows: list[Any] = [self._row(name, one) for name, one in zip(names, found, strict=True)]
        spoilt = [names[at] for at, one in enumerate(found) if one.value is not None and rows[at] is None]
        if spoilt:
            yield On(caching, partial(caching.drop, bound.model, spoilt))
        missing = [at for at, row in enumerate(rows) if row is None]
        if not missing:
            return rows
        read = yield On(self.storage, self.storage.compile_get(bound, [self.keys[at] for at in missing]))
        fills: list[tuple[str, str, bytes | None]] = []
        for at, row in zip(missing, read, strict=True):
            rows[at], lease = row, found[at].lease
            if lease is not None:
                value = None if row is None else entries.dumps(names[at], bound.stored_of(row))
                fills.append((names[at], lease, value))
        if fills:
            yield On(caching, partial(caching.fill, bound.model, fills))
        return rows

    def _row(self, name: str, found: Found) -> CachedRow | None:
        record = None if found.value is None else self.entries.loads(name, found.value)
        return None if record is None else CachedRow(record)


class _Writing(Stepwise):
    """Writes of the storage, between the two things that a cache must be told of them.

    Where it is not known what became of a write, it stays held until that runs out: it may still be carried out.
    """

    __slots__ = ("caching", "model", "names", "plan")

    def __init__(self, caching: Caching, model: type, plan: On, names: Sequence[Sequence[str]]) -> None:
        self.caching = caching
        self.model = model
        self.plan = plan
        self.names = names

    def steps(self) -> Steps:
        caching, token = self.caching, uuid4().hex
        every = list(dict.fromkeys(name for names in self.names for name in names))
        held = yield On(caching, partial(caching.hold, self.model, every, token))
        try:
            outcomes: list[Outcome] = yield self.plan
        finally:  # also when the task is cancelled
            if not held:
                caching.owe(every)
        unsure = {name for names, one in zip(self.names, outcomes, strict=True) if _unsure(one) for name in names}
        ended = [name for name in every if name not in unsure]
        if ended:
            yield On(caching, partial(caching.release, self.model, ended, token))
        return outcomes


def _unsure(outcome: Outcome) -> bool:
    return outcome.status != "ok" and outcome.error is not None
