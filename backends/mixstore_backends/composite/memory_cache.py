"""`MemoryCache`: rows in this process, of which other processes know nothing."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

from mixstore import ConfigurationError
from mixstore_backends.composite.cache import HOLD, LEASE, NOTHING, TTL, Cache, Found

ENTRIES = 10_000


class _Entry(NamedTuple):
    """A value, or the lease of who may bring it; until `ends`."""

    ends: float
    value: bytes | None
    lease: str | None


class MemoryCache(Cache):
    """At most `max_entries` entries, of which those go first that were not asked for the longest.

    What other processes write is not heard of: their writes are seen when `ttl` seconds have passed. clock: seconds
    that only go forward.
    """

    inline = True

    def __init__(
        self, max_entries: int = ENTRIES, *, ttl: float = TTL, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(ttl)
        if isinstance(max_entries, bool) or not isinstance(max_entries, int) or max_entries < 1:
            raise ConfigurationError(f"max_entries of a cache is a number from 1 on, not {max_entries!r}")
        self.max_entries = max_entries
        self.clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._holds: dict[str, dict[str, float]] = {}
        self._leases = count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def look(self, keys: Sequence[str]) -> list[Found]:
        now = self.clock()
        with self._lock:
            return [self._found(key, now) for key in keys]

    def _found(self, key: str, now: float) -> Found:
        entry = self._entries.get(key)
        if entry is not None and entry.ends > now:
            if entry.value is None:
                return NOTHING
            self._entries.move_to_end(key)
            return Found(entry.value)
        if self._held(key, now):
            return NOTHING
        lease = str(next(self._leases))
        self._put(key, _Entry(now + LEASE, None, lease))
        return Found(None, lease)

    def _put(self, key: str, entry: _Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self.max_entries:
            self._entries.popitem(last=False)

    def _held(self, key: str, now: float) -> bool:
        holds = self._holds.get(key)
        if holds is None:
            return False
        for token in [token for token, ends in holds.items() if ends <= now]:
            del holds[token]
        if not holds:
            del self._holds[key]
        return bool(holds)

    def fill(self, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        now = self.clock()
        with self._lock:
            for key, lease, value in entries:
                there = self._entries.get(key)
                if there is None or there.lease != lease or there.ends <= now:
                    continue
                if value is None:
                    del self._entries[key]
                else:
                    self._put(key, _Entry(now + self.ttl, value, None))

    def hold(self, keys: Sequence[str], token: str) -> None:
        now = self.clock()
        with self._lock:
            if len(self._holds) > self.max_entries:  # of writes that never ended
                for key in list(self._holds):
                    self._held(key, now)
            for key in keys:
                self._entries.pop(key, None)
                self._holds.setdefault(key, {})[token] = now + HOLD

    def release(self, keys: Sequence[str], token: str) -> None:
        now = self.clock()
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)
                self._holds.get(key, {}).pop(token, None)
                self._held(key, now)

    def drop(self, keys: Sequence[str]) -> None:
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
