"""`RedisCache`: rows in Redis, where all processes that write them take them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from mixstore import AccessDeniedError, BackendUnavailableError, ConfigurationError
from mixstore_backends.composite.cache import HOLD, LEASE, NOTHING, TTL, Cache, Found

SCHEMES = ("redis://", "rediss://", "unix://")
TIMEOUT = 0.25
AT_ONCE = 500
"""Keys in one script, during which Redis answers nobody else."""

_NOW = """
local told = redis.call('TIME')
local now = told[1] * 1000 + math.floor(told[2] / 1000)
local half = #KEYS / 2
"""
# An entry is 'v' and its value, or 'l' and the lease of who may bring it. A hold is a member of a sorted set beside it,
# whose score is the millisecond when it ends.
_LOOK = f"""{_NOW}
local answers = {{}}
for i = 1, half do
  local entry = redis.call('GET', KEYS[i])
  answers[i] = ''
  if entry then
    if string.sub(entry, 1, 1) == 'v' then answers[i] = entry end
  elseif redis.call('ZCOUNT', KEYS[half + i], '(' .. now, '+inf') == 0 then
    redis.call('SET', KEYS[i], 'l' .. ARGV[1], 'PX', ARGV[2])
    answers[i] = 'l'
  end
end
return answers
"""
_FILL = """
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == 'l' .. ARGV[2 * i] then
    local value = ARGV[2 * i + 1]
    if value == '' then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], 'v' .. value, 'PX', ARGV[1])
    end
  end
end
"""
_HOLD = f"""{_NOW}
for i = 1, half do
  redis.call('DEL', KEYS[i])
  redis.call('ZREMRANGEBYSCORE', KEYS[half + i], '-inf', now)
  redis.call('ZADD', KEYS[half + i], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[half + i], ARGV[2])
end
"""
_RELEASE = """
local half = #KEYS / 2
for i = 1, half do
  redis.call('DEL', KEYS[i])
  redis.call('ZREM', KEYS[half + i], ARGV[1])
end
"""


class RedisCache(Cache):
    """Entries in one Redis (5 or newer; not a cluster), shared by all who use the same `prefix`.

    server: a URL, or a `redis.Redis` that does not decode answers, and which is then its owner's to close. prefix: of
    all keys; it stands for the storage, and two storages must never share one. timeout: seconds to wait for an answer,
    after which the storage is asked instead; that of a client that is given is its own.
    """

    def __init__(self, server: Any, *, prefix: str, ttl: float = TTL, timeout: float = TIMEOUT) -> None:
        super().__init__(ttl)
        if not isinstance(prefix, str) or not prefix:
            raise ConfigurationError(
                "a cache in Redis needs a prefix of its keys, which stands for the storage", hint='prefix="shop:"'
            )
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= 60:
            raise ConfigurationError(f"the timeout of a cache is a number of seconds above 0, not {timeout!r}")
        self.prefix = prefix
        self._redis = _driver()
        self._own = isinstance(server, str)
        self.client = self._connected(server, timeout) if self._own else self._checked(server)
        made: Callable[[str], Any] = self.client.register_script
        self._look, self._fill, self._hold, self._release = map(made, (_LOOK, _FILL, _HOLD, _RELEASE))

    def _connected(self, url: str, timeout: float) -> Any:
        """A client that gives up soon, and asks again only where a connection was closed while nobody used it."""
        redis = self._redis
        if not url.startswith(SCHEMES):
            raise ConfigurationError("the URL of a cache is redis://, rediss:// or unix://", hint="redis://host:6379/0")
        again = redis.retry.Retry(redis.backoff.NoBackoff(), 1, supported_errors=(redis.exceptions.ConnectionError,))
        limits = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        try:
            return redis.Redis.from_url(url, retry=again, **limits)
        except ValueError:
            raise ConfigurationError("this is no URL of a Redis", hint="redis://host:6379/0") from None

    def _checked(self, client: Any) -> Any:
        if not isinstance(client, self._redis.Redis):
            raise ConfigurationError(f"a cache in Redis takes a URL or a redis.Redis, not a {type(client).__name__}")
        if client.get_encoder().decode_responses:
            raise ConfigurationError("the client of a cache must not decode answers", hint="decode_responses=False")
        return client

    def look(self, keys: Sequence[str]) -> list[Found]:
        lease = uuid4().hex
        answers: list[bytes] = []
        for some in _some(keys):
            with self._translated():
                answers += self._look(keys=self._pairs(some), args=(lease, _milliseconds(LEASE)))
        return [_found(answer, lease) for answer in answers]

    def fill(self, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        for some in _some(entries):
            told = [part for _, lease, value in some for part in (lease, value or b"")]
            with self._translated():
                self._fill(keys=self._entries([key for key, _, _ in some]), args=(_milliseconds(self.ttl), *told))

    def hold(self, keys: Sequence[str], token: str) -> None:
        for some in _some(keys):
            with self._translated():
                self._hold(keys=self._pairs(some), args=(token, _milliseconds(HOLD)))

    def release(self, keys: Sequence[str], token: str) -> None:
        for some in _some(keys):
            with self._translated():
                self._release(keys=self._pairs(some), args=(token,))

    def drop(self, keys: Sequence[str]) -> None:
        for some in _some(keys):
            with self._translated():
                self.client.delete(*self._entries(some))

    def close(self) -> None:
        if self._own:
            self.client.close()

    def _entries(self, keys: Sequence[str]) -> list[str]:
        return [f"{self.prefix}e:{key}" for key in keys]

    def _pairs(self, keys: Sequence[str]) -> list[str]:
        """The entries of keys, and after them their holds."""
        return [*self._entries(keys), *(f"{self.prefix}h:{key}" for key in keys)]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the driver leave as mixstore's, chained."""
        redis = self._redis.exceptions
        try:
            yield
        except (redis.AuthenticationError, redis.NoPermissionError) as error:
            raise AccessDeniedError("Redis does not allow it", backend="redis") from error
        except redis.RedisError as error:
            raise BackendUnavailableError(f"Redis can't do it now: {type(error).__name__}", backend="redis") from error


def _driver() -> Any:
    try:
        import redis
        import redis.backoff
        import redis.exceptions
        import redis.retry
    except ImportError as error:
        raise ConfigurationError("a cache in Redis needs redis: pip install 'mixstore[redis]'") from error
    return redis


def _some(several: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (several[start : start + AT_ONCE] for start in range(0, len(several), AT_ONCE))


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _found(answer: bytes, lease: str) -> Found:
    if answer[:1] == b"v":
        return Found(answer[1:])
    return Found(None, lease) if answer == b"l" else NOTHING
