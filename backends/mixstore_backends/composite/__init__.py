"""The composite backend: a storage of record, and a search side that follows it."""

from __future__ import annotations

from mixstore_backends.composite.backend import CompositeBackend
from mixstore_backends.composite.cache import Cache, Found
from mixstore_backends.composite.caching import Cached
from mixstore_backends.composite.comparing import Comparison, Difference
from mixstore_backends.composite.errors import NotSearchableError
from mixstore_backends.composite.handling import composite_handler
from mixstore_backends.composite.lag import Behind
from mixstore_backends.composite.memory_cache import MemoryCache
from mixstore_backends.composite.redis_cache import RedisCache
from mixstore_backends.composite.relay import Relay, Relayed

__all__ = [
    "Behind",
    "Cache",
    "Cached",
    "Comparison",
    "CompositeBackend",
    "Difference",
    "Found",
    "MemoryCache",
    "NotSearchableError",
    "RedisCache",
    "Relay",
    "Relayed",
    "composite_handler",
]
