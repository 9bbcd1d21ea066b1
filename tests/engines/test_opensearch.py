"""OpenSearch itself: what a stub can't show."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from opensearchpy import AsyncOpenSearch

from mixstore import (
    BackendError,
    BatchError,
    Field,
    MixstoreError,
    Model,
    SchemaError,
    ValidationError,
    VersionConflictError,
)
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import TTL, Counters, Versioned
from tests.engines.engines import OPENSEARCH, Server, running
from tests.engines.opensearch_store import SETTINGS, store

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Account(Versioned, Model):
    id: str = Field(primary_key=True)
    balance: int = 0
    note: str = ""


class Row(Model):
    id: int = Field(primary_key=True)
    group: int = 0
    at: datetime | None = None
    price: Decimal | None = None


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    """A backend with indexes of its own, which are deleted."""
    prefix = f"t{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix) as made:
        for model in (Account, Row):
            model.bind(made)
        made.initialize(Account, Row)
        yield made
        for model in (Account, Row):
            model.bind(None)
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


def in_threads(count: int, work: Any) -> list[Any]:
    """Run `work(n)` in threads that start together; the exception of each, or None."""
    gate, failed = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        gate.wait()
        try:
            work(number)
        except Exception as error:
            failed[number] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return failed


def test_sixteen_threads_of_locked_updates_lose_nothing(backend: OpenSearchBackend) -> None:
    Account.create(id="a")

    def deposit(number: int) -> None:
        for _ in range(3):
            while True:
                account = Account.get("a")
                account.balance += 1
                try:
                    account.save()
                except VersionConflictError:
                    continue
                break

    assert in_threads(16, deposit) == [None] * 16
    account = Account.get("a")
    assert (account.balance, account.version) == (48, 49)


def test_threads_that_add_lose_nothing_and_read_nothing(backend: OpenSearchBackend) -> None:
    class Tally(Counters, Model):
        id: str = Field(primary_key=True)
        count: int = 0
        total: Decimal = Decimal(0)

    Tally.bind(backend)
    backend.initialize(Tally)
    Tally.create(id="a")

    def add(number: int) -> None:
        tally = Tally.get("a")
        for _ in range(5):
            tally.increment("count", 2)
            tally.increment("total", Decimal("0.1"))

    assert in_threads(8, add) == [None] * 8
    tally = Tally.get("a")
    assert (tally.count, tally.total) == (80, Decimal(4))
    tally.update(count=2**63 - 1)
    with pytest.raises(ValidationError, match="64 bits"):
        tally.increment("count")
    assert Tally.get("a").count == 2**63 - 1


def test_one_of_many_threads_creates_a_row(backend: OpenSearchBackend) -> None:
    failed = in_threads(8, lambda number: Row.create(id=1, group=number))
    assert sum(error is None for error in failed) == 1


def test_an_expired_row_makes_room_for_one_writer(backend: OpenSearchBackend) -> None:
    class Session(TTL, Model):
        id: str = Field(primary_key=True)
        user: int = 0

    Session.bind(backend)
    backend.initialize(Session)
    now = datetime(2025, 6, 1, tzinfo=timezone.utc)
    backend.clock = lambda: now
    Session.create(id="s", expires_in=10)
    later = now.replace(minute=1)
    backend.clock = lambda: later
    failed = in_threads(6, lambda number: Session.create(id="s", user=number, expires_in=10))
    assert sum(error is None for error in failed) == 1
    assert Session.where().count() == 1


# -- reading -----------------------------------------------------------------------------------------------------------


def test_more_rows_than_the_window_come_whole_while_others_write(backend: OpenSearchBackend) -> None:
    count = 12_000
    Row.batch_create([{"id": n, "group": n % 7} for n in range(count)])
    plan = backend.compile_query(backend.bound(Row), Row.where().query)
    answer = backend.execute(plan)
    Row.batch_create([{"id": n} for n in range(count, count + 50)])
    Row.where(id__lt=20).delete()
    ids = [row["id"] for row in answer.rows]
    while answer.more is not None:
        answer = backend.execute(answer.more)
        ids += [row["id"] for row in answer.rows]
    assert ids == list(range(count)), "of one moment"
    assert Row.count() == count + 30
    assert [row.id for row in Row.where().order_by("-id").offset(11_990).limit(3)] == [59, 58, 57]
    assert [row.id for row in Row.where().order_by("id").limit(11_000).all()][-1] == 11_019
    assert Row.where(group=3).count() == len([n for n in range(20, count) if n % 7 == 3])
    assert not backend._abandoned


def test_no_point_in_time_is_left_open(backend: OpenSearchBackend) -> None:
    Row.batch_create([{"id": n} for n in range(2500)])
    assert Row.where(price__lt=1).count() == 0
    assert len(Row.all()) == 2500
    assert Row.where(id__gte=0).order_by("price").first().id == 0
    Row.count()
    found = backend.client.transport.perform_request("GET", "/_nodes/stats/indices/search")
    (node,) = found["nodes"].values()
    assert node["indices"]["search"]["point_in_time_current"] == 0


def test_a_write_is_seen_by_searches_as_its_policy_says(opensearch: Server) -> None:
    with store(opensearch, prefix="refresh-", refresh="wait_for", settings={"number_of_replicas": 0}) as backend:
        Row.bind(backend)
        backend.initialize(Row)
        Row.create(id=1)
        assert Row.count() == 1
        with backend.refreshing(True):
            Row.create(id=2)
        assert Row.count() == 2
        Row.batch_create([{"id": n} for n in range(10, 2010)])
        assert Row.count() == 2002
        with backend.refreshing(False):
            Row.get(1).delete()
            assert Row.get(1) is None, "a read by key always sees it"
        backend.refresh(Row)
        assert Row.count() == 2001
        Row.bind(None)
        backend.client.transport.perform_request("DELETE", "/refresh-*")


async def test_an_async_client_does_all_of_it(opensearch: Server) -> None:
    client = AsyncOpenSearch(hosts=[opensearch.url])
    with store(opensearch, prefix="async-", async_client=client) as backend:
        Account.bind(backend)
        backend.initialize(Account)
        account = await Account.acreate(id="a", balance=1)
        account.balance = 2
        await account.asave()
        assert (await Account.aget("a")).balance == 2
        assert await Account.where(balance=2).acount() == 1
        stale = await Account.aget("a")
        await account.aupdate(balance=3)
        with pytest.raises(VersionConflictError):
            await stale.aupdate(balance=4)
        Account.bind(None)
        backend.client.transport.perform_request("DELETE", "/async-*")
    await client.close()


# -- the index ---------------------------------------------------------------------------------------------------------


def test_a_model_without_an_index_is_an_error_and_makes_none(opensearch: Server) -> None:
    with store(opensearch, prefix="absent-") as backend:
        for call in (
            lambda: backend.create(Row, {"id": 1}),
            lambda: backend.get(Row, id=1),
            lambda: backend.count(Row),
            lambda: backend.query(Row).all(),
        ):
            with pytest.raises(BackendError, match=r"initialize\(\)"):
                call()
        assert backend.client.transport.perform_request("GET", "/absent-*") == {}


def evolving(backend: OpenSearchBackend, **fields: Any) -> type[Model]:
    from pydantic import create_model

    model: Any = create_model("Evolving", __base__=Model, id=(int, Field(primary_key=True)), **fields)
    backend._bounds.clear()
    backend._indexes.clear()
    model.bind(backend)
    return model  # type: ignore[no-any-return]


def test_new_fields_are_added_and_old_documents_get_their_default(backend: OpenSearchBackend) -> None:
    first = evolving(backend, name=(str, ""))
    backend.initialize(first)
    backend.initialize(first)
    first.batch_create([{"id": n} for n in range(3)])
    second = evolving(backend, name=(str, ""), state=(str, "new"), score=(float | None, None))
    backend.initialize(second)
    assert second.where(state="new").count() == 3
    assert second.where(score=None).count() == 3
    second.create(id=3, state="old", score=1.5)
    assert [row.id for row in second.where(state__ne="new")] == [3]


def test_a_number_that_may_now_be_none_is_indexed_anew(backend: OpenSearchBackend) -> None:
    first = evolving(backend, n=(int, 0))
    backend.initialize(first)
    first.batch_create([{"id": n, "n": n - 5} for n in range(3)])
    second = evolving(backend, n=(int | None, None))
    backend.initialize(second)
    second.create(id=9, n=None)
    assert [row.id for row in second.where().order_by("n").all()] == [9, 0, 1, 2]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": (int, 0)}, "'name' is mapped as type keyword, the model needs type long"),
        ({"name": (str, Field("", searchable=True))}, "'name' is mapped as type keyword"),
        ({"name": (str, ""), "more": (int, ...)}, "'more' is new"),
        ({"name": (str, ""), "more": (list[str], Field(default_factory=list))}, "'more' is new"),
        ({"name": (str, ""), "text": (str, Field("", searchable=True))}, "it lacks the analyzer mixstore_words"),
    ],
)
def test_what_can_not_be_changed_is_refused_with_a_plan(backend: OpenSearchBackend, changed: Any, problem: str) -> None:
    first = evolving(backend, name=(str, ""))
    backend.initialize(first)
    first.create(id=1, name="x")
    second = evolving(backend, **changed)
    with pytest.raises(SchemaError, match=problem) as caught:
        backend.initialize(second)
    assert "mixstore reindex" in str(caught.value) or "default" in str(caught.value)


def test_an_index_of_somebody_else_is_refused(backend: OpenSearchBackend) -> None:
    ask = backend.client.transport.perform_request
    ask("PUT", f"/{backend.prefix}evolving", body="{}")
    with pytest.raises(SchemaError, match="must be an alias"):
        backend.initialize(evolving(backend))
    ask("DELETE", f"/{backend.prefix}evolving")
    ask("PUT", f"/{backend.prefix}other", body={"aliases": {f"{backend.prefix}evolving": {}}})
    with pytest.raises(SchemaError, match="not made by mixstore"):
        backend.initialize(evolving(backend))


def test_processes_that_initialize_at_once_make_one_index(backend: OpenSearchBackend, opensearch: Server) -> None:
    class Raced(Model):
        id: int = Field(primary_key=True)

    def initialize(number: int) -> None:
        with store(opensearch, prefix=backend.prefix) as own:
            own.initialize(Raced)

    assert in_threads(6, initialize) == [None] * 6


def test_what_is_nested_and_too_long_is_refused_by_the_engine_and_named(backend: OpenSearchBackend) -> None:
    model = evolving(backend, tags=(list[str], Field(default_factory=list)))
    backend.initialize(model)
    with pytest.raises(ValidationError, match="immense term") as caught:
        model.create(id=1, tags=["x" * 40_000])
    assert caught.value.field == "tags"
    assert model.count() == 0


def test_a_read_only_index_is_told_apart(backend: OpenSearchBackend) -> None:
    path = f"/{backend.prefix}row/_settings"
    backend.client.transport.perform_request("PUT", path, body={"index.blocks.read_only_allow_delete": True})
    try:
        with pytest.raises(MixstoreError, match="can't be written"):
            Row.create(id=1)
    finally:
        backend.client.transport.perform_request("PUT", path, body={"index.blocks.read_only_allow_delete": None})


# -- a crash -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(OPENSEARCH.missing() is not None, reason=str(OPENSEARCH.missing()))
def test_every_acknowledged_document_is_there_after_a_crash_in_the_middle_of_a_bulk() -> None:
    OPENSEARCH.install()
    with running(OPENSEARCH) as server, store(server, prefix="crash-", settings=SETTINGS) as backend:
        Row.bind(backend)
        backend.initialize(Row)
        acknowledged: list[int] = []
        stopped: list[BaseException] = []

        def write() -> None:
            for start in range(0, 1_000_000, 500):
                try:
                    rows = Row.batch_create([{"id": n, "group": n} for n in range(start, start + 500)])
                except (MixstoreError, BatchError) as error:
                    stopped.append(error)
                    return
                acknowledged.extend(row.id for row in rows)

        writer = threading.Thread(target=write)
        writer.start()
        deadline = time.monotonic() + 60
        while len(acknowledged) < 3000 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.kill()
        writer.join(60)
        assert stopped, "the writer met the crash"
        server.start()
        assert len(acknowledged) >= 3000
        backend.refresh(Row)
        stored = {row["id"] for row in Row.where().select("id").all()}
        assert stored >= set(acknowledged)
        assert stored - set(acknowledged) <= set(range(len(acknowledged), len(acknowledged) + 500))
        Row.bind(None)
