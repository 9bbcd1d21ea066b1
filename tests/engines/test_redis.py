"""Caches in a real Redis, also where it is stopped, and where processes that write are killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from mixstore import ConfigurationError, connect, registry
from mixstore.testing.cases.crud import CrudCases
from mixstore.testing.cases.hidden import HiddenCases
from mixstore.testing.cases.transactions import TransactionCases
from mixstore.testing.cases.values import ValueCases
from mixstore_backends.composite import CompositeBackend, RedisCache
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.composite.leases import CacheCases
from tests.backends.composite.test_conformance import ReadingTwice
from tests.engines.cached_worker import Counted, composite
from tests.engines.engines import HOST, REDIS, running

ROOT = Path(__file__).resolve().parent.parent.parent
# Lets time pass for all keys of a prefix, as far as their ends are concerned.
AGE = """
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local left = redis.call('PTTL', key) - ARGV[2]
  if redis.call('TYPE', key).ok == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      redis.call('ZINCRBY', key, -ARGV[2], member)
    end
  end
  if left <= 0 then redis.call('DEL', key) else redis.call('PEXPIRE', key, left) end
end
"""


def url_of(server):
    return f"redis://{HOST}:{server.port}/0"


class TestRedisCache(CacheCases):
    @pytest.fixture
    def made(self, redis):
        prefix, caches = uuid4().hex, []

        def make(**options):
            caches.append(RedisCache(url_of(redis), **{"prefix": prefix, "ttl": 30, "timeout": 10, **options}))
            return caches[-1]

        yield make
        for one in caches:
            one.close()

    @pytest.fixture
    def cache(self, made):
        return made()

    @pytest.fixture
    def other(self, made):
        return made()

    @pytest.fixture
    def wait(self, cache):
        return lambda seconds: cache.client.eval(AGE, 0, cache.prefix, round(seconds * 1000))

    def test_two_prefixes_know_nothing_of_each_other(self, cache, made):
        self.filled(cache, a=b"one")
        assert self.values(made(prefix="another"), "a") == [None]

    def test_what_is_left_in_redis_ends_by_itself(self, cache):
        self.filled(cache, a=b"one")
        cache.look(["b"])
        cache.hold(["c"], "killed")
        keys = cache.client.keys(f"{cache.prefix}*")
        assert len(keys) == 3
        assert all(0 < cache.client.pttl(key) <= 60_000 for key in keys)

    def test_scripts_that_redis_has_forgotten_are_sent_again(self, cache):
        self.filled(cache, a=b"one")
        cache.client.script_flush()
        assert self.values(cache, "a") == [b"one"]

    def test_a_connection_that_was_closed_meanwhile_is_opened_again(self, cache):
        self.filled(cache, a=b"one")
        with Redis.from_url(cache_url(cache)) as admin:
            admin.client_kill_filter(_type="normal", skipme=True)
        assert self.values(cache, "a") == [b"one"]


def cache_url(cache):
    told = cache.client.connection_pool.connection_kwargs
    return f"redis://{told['host']}:{told['port']}/0"


def test_a_client_of_ones_own_is_taken_and_stays_open(redis):
    with Redis(HOST, redis.port) as client:
        cache = RedisCache(client, prefix=uuid4().hex)
        (found,) = cache.look(["a"])
        cache.fill([("a", found.lease, b"one")])
        cache.close()
        assert cache.look(["a"])[0].value == b"one"
    with pytest.raises(ConfigurationError, match="must not decode answers"):
        RedisCache(Redis(HOST, redis.port, decode_responses=True), prefix="shop:")


class Cached:
    @pytest.fixture
    def backend(self, redis):
        cache = RedisCache(url_of(redis), prefix=uuid4().hex, timeout=10)
        with ReadingTwice(InMemoryBackend(), InMemoryBackend(), cache, guarantee="sync") as backend:
            yield backend
            assert backend.cached().errors == 0


class TestCompositeWithRedis(Cached, CrudCases, HiddenCases, TransactionCases, ValueCases):
    """Those parts of the kit that read rows by their keys."""


@pytest.fixture
def place(redis, tmp_path):
    """What the processes of a test need to find the same storage and cache."""
    told = (str(tmp_path / "store.db"), url_of(redis))
    with composite(*told) as backend:
        Counted.bind(backend)
        backend.initialize(Counted)
        Counted.create(id="a")
        yield told, backend
    Counted.bind(None)


def worker(told, *what):
    """A process that uses the same storage and cache."""
    command = [sys.executable, "-m", "tests.engines.cached_worker", *told, *what]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_processes_that_read_what_others_have_cached_lose_no_update(place):
    told, backend = place
    stop, seen = threading.Event(), []

    def look():
        while not stop.is_set():
            seen.append(Counted.get("a").n)

    reader = threading.Thread(target=look)
    reader.start()
    with worker(told, "count", "40") as one, worker(told, "count", "40") as other:
        lines = [process.communicate(timeout=120)[0].split() for process in (one, other)]
    stop.set()
    reader.join()
    assert sorted(int(line) for some in lines for line in some) == list(range(1, 81))
    assert Counted.get("a").n == 80
    assert seen == sorted(seen)  # nobody ever went back
    assert backend.cached().hits > 0
    assert backend.cached().errors == 0


def test_what_a_killed_writer_has_stored_is_seen_by_all_at_once(place):
    told, backend = place
    assert (Counted.get("a").n, Counted.get("a").n) == (0, 0)
    assert backend.cached().hits == 1
    with worker(told, "die") as process:
        assert process.wait(timeout=60) == 9
    assert [Counted.get("a").n for _ in range(3)] == [1000] * 3
    assert backend.cached().hits == 1  # the row is held: nobody knows whether the write still goes on


def test_a_redis_that_is_stopped_and_comes_back_fails_nothing_and_shows_nothing_old(tmp_path):
    if reason := REDIS.missing():
        pytest.skip(reason)
    REDIS.install()
    with running(REDIS) as server, composite(str(tmp_path / "store.db"), url_of(server)) as backend:
        Counted.bind(backend)
        backend.initialize(Counted)
        row = Counted.create(id="a")
        assert (Counted.get("a").n, Counted.get("a").n) == (0, 0)
        server.kill()
        row.update(n=1)
        assert [Counted.get("a").n for _ in range(2)] == [1, 1]
        assert (backend.cached().hits, backend.cached().errors > 0) == (1, True)
        server.start()
        backend._caching.clock = lambda: float("inf")  # a moment later
        assert [Counted.get("a").n for _ in range(2)] == [1, 1]
        assert backend.cached().hits == 2
    Counted.bind(None)


async def test_what_is_awaited_is_cached_too(place):
    _, backend = place
    assert [(await Counted.aget("a")).n for _ in range(2)] == [0, 0]
    assert backend.cached().hits == 1
    await (await Counted.aget("a")).aupdate(n=5)
    assert [one.n for one in await Counted.abatch_get(["a", "a"])] == [5, 5]
    assert (await Counted.aget("a")).n == 5


def test_a_url_of_a_composite_names_its_redis(redis, tmp_path):
    with registry():
        connect(f"sqlite:///{tmp_path}/a.db", name="main")
        connect("memory://", name="words")
        url = f"composite://?storage=main&search=words&cache={url_of(redis)}&cache_prefix={uuid4().hex}&cache_ttl=5"
        with connect(url) as backend:
            Counted.bind(backend)
            backend.initialize(Counted)
            Counted.create(id="a")
            assert (Counted.get("a"), Counted.get("a")) == (Counted(id="a", version=1), Counted(id="a", version=1))
            assert (backend.cached().hits, backend.cache.ttl) == (1, 5.0)
    Counted.bind(None)


def test_two_storages_with_a_prefix_each_never_show_each_others_rows(redis, tmp_path):
    for prefix, expected in (("one", 1), ("two", 2)):
        cache = RedisCache(url_of(redis), prefix=f"{tmp_path}{prefix}")
        with CompositeBackend(SQLiteBackend(tmp_path / f"{prefix}.db"), InMemoryBackend(), cache) as backend:
            Counted.bind(backend)
            backend.initialize(Counted)
            Counted.create(id="a", n=expected)
            assert [Counted.get("a").n for _ in range(2)] == [expected] * 2
    Counted.bind(None)
