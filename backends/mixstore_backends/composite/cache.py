"""`Cache`: what a composite asks of a place where rows may be found without asking the storage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from mixstore import ConfigurationError

TTL = 60.0
"""Seconds that an entry stays, unless told otherwise: the most that a reader can be behind whatever fails."""
LEASE = 5.0
"""Seconds that a reader has to read what it did not find, and bring it."""
HOLD = 60.0
"""Seconds that a write which never ends keeps others from caching its records."""


class Found(NamedTuple):
    """What a cache has under a key, or else the lease with which the reader may bring it.

    Neither: a write is under way, or another reader has the lease.
    """

    value: bytes | None = None
    lease: str | None = None


NOTHING = Found()


class Cache(ABC):
    """Entries of bytes by text keys, for some seconds, that no reader can fill with what is out of date.

    Whoever finds nothing gets a lease, and can fill the entry with it unless somebody has written in between: a write
    takes away the entry and all leases, and nobody gets a new one until it is released (or HOLD seconds have passed,
    should its process die). Each method is atomic for each of its keys. What can't be done is a BackendError, and
    quickly so.
    """

    inline = False
    """Whether it answers at once, so that no thread is needed where it is awaited."""

    def __init__(self, ttl: float = TTL) -> None:
        if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not 0 < ttl < 10 * 365 * 86400:
            raise ConfigurationError(f"the ttl of a cache is a number of seconds above 0, not {ttl!r}")
        self.ttl = float(ttl)

    @abstractmethod
    def look(self, keys: Sequence[str]) -> list[Found]:
        """What is there, one a key."""

    @abstractmethod
    def fill(self, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Store (key, lease, value) for `ttl` seconds where the lease still holds. None gives the lease back."""

    @abstractmethod
    def hold(self, keys: Sequence[str], token: str) -> None:
        """A write of these begins: take away what is there, and let nobody fill it."""

    @abstractmethod
    def release(self, keys: Sequence[str], token: str) -> None:
        """The write has ended: take away what is there, and let it be filled unless another write is under way."""

    @abstractmethod
    def drop(self, keys: Sequence[str]) -> None:
        """Take away what is there, and leases."""

    def close(self) -> None:  # noqa: B027  (optional)
        """Let go of connections; nothing by default."""


def checked(cache: Any) -> Cache | None:
    """The third part of a composite; ConfigurationError for what is no cache."""
    if cache is None or isinstance(cache, Cache):
        return cache
    raise ConfigurationError(
        f"the cache of a composite must be a Cache, and {type(cache).__name__} is none",
        hint="MemoryCache() or RedisCache(url, prefix=...)",
    )
