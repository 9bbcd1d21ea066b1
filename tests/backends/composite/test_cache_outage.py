"""A cache that can't be asked, and writes of which nobody knows what became of them."""

from __future__ import annotations

import asyncio
import socket
import sys
import time

import pytest

from mixstore import (
    AccessDeniedError,
    BackendTimeoutError,
    BackendUnavailableError,
    BatchError,
    ConfigurationError,
    Field,
    Model,
    Outcome,
    connect,
    registry,
)
from mixstore.write import OK
from mixstore_backends.composite import Cached, CompositeBackend, RedisCache
from mixstore_backends.composite import caching as tuned
from mixstore_backends.memory import InMemoryBackend
from tests.backends.composite.test_cache_races import Losing


class Item(Model):
    """A plain one."""

    id: str = Field(primary_key=True)
    n: int = 0


class Failing(InMemoryBackend):
    """A storage that stores, and then says that it did not hear."""

    says = None
    tells = None
    waits = None

    def execute(self, plan):
        answer = super().execute(plan)
        if self.tells is not None:
            return self.tells
        if self.says is not None:
            raise self.says
        return answer

    async def aexecute(self, plan):
        answer = super().execute(plan)
        if self.waits is not None:
            await self.waits.wait()
        return answer


@pytest.fixture
def moment():
    return [1000.0]


@pytest.fixture
def backend(moment):
    """A composite whose cache and storage can fail, in a time that stands still."""
    made = CompositeBackend(Failing(), InMemoryBackend(), Losing(clock=lambda: moment[0]))
    made._caching.clock = lambda: moment[0]
    Item.bind(made)
    made.initialize(Item)
    yield made
    Item.bind(None)


@pytest.fixture
def other(backend, moment):
    """The same storage and cache in another process."""
    made = CompositeBackend(backend.storage, backend.search, backend.cache)
    made._caching.clock = lambda: moment[0]
    return made


def away(backend, work):
    """Do something while the cache is away."""
    backend.cache.away = True
    try:
        return work()
    finally:
        backend.cache.away = False


def test_a_cache_that_is_away_fails_nothing(backend):
    Item.create(id="a", n=1)
    Item.get("a")

    def work():
        row = Item.get("a")
        row.update(n=2)
        Item.batch_create([{"id": "b"}, {"id": "c"}])
        with backend.transaction():
            Item.get("b").delete()
        return [one and one.n for one in Item.batch_get(["a", "b", "c"])]

    assert away(backend, work) == [2, None, 0]
    assert backend.cached().errors == 1  # and then it is left alone


def test_it_is_asked_again_after_a_second(backend, moment, caplog):
    Item.create(id="a")
    Item.get("a")
    assert away(backend, lambda: Item.get("a").n) == 0
    assert "the cache is left alone for 1.0 s: nobody answers" in caplog.text
    assert (Item.get("a").n, backend.cached()) == (0, Cached(0, 3, 1))
    moment[0] += 1.1
    assert (Item.get("a").n, backend.cached()) == (0, Cached(1, 3, 1))


def test_observers_are_told_of_each_request_that_fails(backend):
    events = []
    with registry() as fresh:
        fresh.register_observer(events.append)
        away(backend, lambda: Item.get("a"))
    (failed,) = [event for event in events if event.operation == "cache"]
    assert (failed.model, failed.backend, failed.rows) == (Item, "composite", 0)
    assert isinstance(failed.error, BackendUnavailableError)


def test_what_was_written_meanwhile_is_taken_away_before_anything_is_asked(backend, other, moment):
    Item.create(id="a", n=1)
    Item.get("a")
    assert away(backend, lambda: Item.get("a").update(n=2).n) == 2
    assert other.get(Item, id="a")["n"] == 1  # it reaches the cache, which nobody could tell: this ends with the ttl
    assert Item.get("a").n == 2
    moment[0] += 1.1
    assert Item.get("a").n == 2
    assert other.get(Item, id="a")["n"] == 2
    moment[0] += 61
    assert [Item.get("a").n, Item.get("a").n] == [2, 2]


def test_where_too_much_was_written_meanwhile_the_cache_is_left_alone_until_its_entries_have_ended(
    backend, moment, monkeypatch
):
    monkeypatch.setattr(tuned, "MOST_OWED", 5)
    Item.batch_create([{"id": f"{n}"} for n in range(10)])
    Item.batch_get([f"{n}" for n in range(10)])
    away(backend, lambda: Item.batch_upsert([{"id": f"{n}", "n": 1} for n in range(10)]))
    for seconds in (2, backend.cache.ttl - 1, 10):
        moment[0] += seconds
        assert [one.n for one in Item.batch_get([f"{n}" for n in range(10)])] == [1] * 10
    assert backend.cached().hits == 0
    assert [one.n for one in Item.batch_get([f"{n}" for n in range(10)])] == [1] * 10
    assert backend.cached().hits == 10


def test_a_write_of_unknown_outcome_keeps_its_record_out_of_the_cache_for_a_minute(backend, other, moment):
    row = Item.create(id="a", n=1)
    Item.get("a")
    backend.storage.says = BackendTimeoutError("no answer", outcome_unknown=True)
    with pytest.raises(BackendTimeoutError):
        row.update(n=2)
    backend.storage.says = None
    assert [other.get(Item, id="a")["n"], Item.get("a").n] == [2, 2]
    backend.storage.update(Item, Item(id="a", n=3))  # it is carried out only now, past the composite
    assert [other.get(Item, id="a")["n"], Item.get("a").n] == [3, 3]
    hits = backend.cached().hits
    moment[0] += 61
    assert [Item.get("a").n, Item.get("a").n] == [3, 3]
    assert backend.cached().hits == hits + 1


def test_a_write_of_unknown_outcome_while_the_cache_is_away_is_not_forgotten(backend, moment):
    row = Item.create(id="a", n=1)
    Item.get("a")
    backend.storage.says = BackendTimeoutError("no answer", outcome_unknown=True)
    with pytest.raises(BackendTimeoutError):
        away(backend, lambda: row.update(n=2))
    backend.storage.says = None
    moment[0] += 1.1
    assert Item.get("a").n == 2


def test_rows_of_a_batch_that_the_storage_gave_up_stay_held(backend):
    Item.create(id="a", n=1)
    Item.get("a")
    backend.storage.tells = [OK, Outcome("failed", error=BackendUnavailableError("gone"))]
    with pytest.raises(BatchError):
        Item.batch_upsert([{"id": "b", "n": 2}, {"id": "a", "n": 2}])
    backend.storage.tells = None
    assert [one.n for _ in range(2) for one in Item.batch_get(["a", "b"])] == [2, 2, 2, 2]
    assert backend.cached().hits == 1  # of "b"


async def test_a_write_that_is_cancelled_keeps_its_record_out_of_the_cache(backend, moment):
    row = await Item.acreate(id="a", n=1)
    await Item.aget("a")
    backend.storage.waits = asyncio.Event()
    task = asyncio.create_task(row.aupdate(n=2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    backend.storage.waits = None
    assert [(await Item.aget("a")).n for _ in range(2)] == [2, 2]
    assert backend.cached().hits == 0
    moment[0] += 61
    assert [(await Item.aget("a")).n for _ in range(2)] == [2, 2]
    assert backend.cached().hits == 1


def nobodys_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_redis_that_is_not_there_costs_little_and_fails_nothing():
    cache = RedisCache(f"redis://:testing@127.0.0.1:{nobodys_port()}/0", prefix="shop:", timeout=0.2)
    with pytest.raises(BackendUnavailableError, match="Redis can't do it now: ConnectionError") as caught:
        cache.look(["a"])
    assert not isinstance(caught.value, AccessDeniedError)
    assert "testing" not in f"{caught.value} {caught.value!r} {cache!r}"
    with CompositeBackend(InMemoryBackend(), InMemoryBackend(), cache) as backend:
        Item.bind(backend)
        started = time.monotonic()
        for n in range(50):
            Item.upsert(id="a", n=n)
            assert Item.get("a").n == n
        assert time.monotonic() - started < 5
        assert backend.cached().errors > 0
    Item.bind(None)


def test_a_redis_that_never_answers_is_waited_for_once_a_second():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with CompositeBackend(
            InMemoryBackend(), InMemoryBackend(), RedisCache(url, prefix="shop:", timeout=0.1)
        ) as backend:
            Item.bind(backend)
            started = time.monotonic()
            for n in range(50):
                Item.upsert(id="a", n=n)
                assert Item.get("a").n == n
            assert time.monotonic() - started < 5
            assert backend.cached().errors > 0
        Item.bind(None)


# -- what a cache is made of -------------------------------------------------------------------------------------------


def test_a_cache_in_redis_says_what_is_wrong_with_it(monkeypatch):
    for wrong, problem in [
        ({"server": "redis://127.0.0.1", "prefix": ""}, "needs a prefix"),
        ({"server": "redis://127.0.0.1", "prefix": None}, "needs a prefix"),
        ({"server": "http://:testing@127.0.0.1", "prefix": "shop:"}, "is redis://, rediss:// or unix://"),
        ({"server": "redis://:testing@127.0.0.1:port/0", "prefix": "shop:"}, "this is no URL of a Redis"),
        ({"server": object(), "prefix": "shop:"}, "takes a URL or a redis.Redis, not a object"),
        ({"server": "redis://127.0.0.1", "prefix": "shop:", "timeout": 0}, "the timeout of a cache is a number"),
        ({"server": "redis://127.0.0.1", "prefix": "shop:", "ttl": 0}, "the ttl of a cache is a number"),
    ]:
        with pytest.raises(ConfigurationError, match=problem) as caught:
            RedisCache(**wrong)
        assert "testing" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"needs redis: pip install 'mixstore\[redis\]'"):
        RedisCache("redis://127.0.0.1", prefix="shop:")


def test_a_url_names_a_cache():
    with registry():
        connect("memory://", name="main")
        connect("memory://", name="words")
        sides = "composite://?storage=main&search=words"
        with connect(f"{sides}&cache=memory&cache_ttl=5&cache_entries=7") as backend:
            assert (backend.cache.ttl, backend.cache.max_entries) == (5.0, 7)
        with connect(f"{sides}&cache=rediss://:testing@127.0.0.1:1/3&cache_prefix=shop:&cache_timeout=2") as backend:
            told = backend.cache.client.connection_pool.connection_kwargs
            assert (told["db"], told["password"], told["socket_timeout"]) == (3, "testing", 2.0)
            assert (backend.cache.prefix, backend.cache.ttl) == ("shop:", 60.0)
        for options, problem, hint in [
            ("cache=memroy", "there is no such cache", "cache=memory"),
            ("cache=memory&cache_tll=5", "there is no option 'cache_tll'", "did you mean 'cache_ttl'?"),
            ("cache=memory&cache_ttl=soon", "cache_ttl is a number, not 'soon'", None),
            ("cache=memory&cache_ttl=-1", "a number of seconds above 0, not -1.0", None),
            ("cache=memory&cache_entries=1.5", "a number from 1 on, not 1.5", None),
            ("cache=memory&cache_prefix=shop:", "cache_prefix is an option of a cache in Redis", None),
            ("cache=redis://:testing@h&cache_prefix=a&cache_entries=1", "is an option of cache=memory", None),
            ("cache=redis://:testing@h", "needs a prefix", None),
            ("cahce=redis://:testing@h", "there is no option 'cahce'", "did you mean 'cache'?"),
            ("cache_ttl=5", "cache_ttl is an option of", None),
        ]:
            with pytest.raises(ConfigurationError, match=problem) as caught:
                connect(f"{sides}&{options}")
            assert "testing" not in str(caught.value)
            assert hint is None or hint in caught.value.hint
