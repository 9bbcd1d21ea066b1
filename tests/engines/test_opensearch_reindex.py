"""Reindexing on OpenSearch itself, while others write: nothing acknowledged is lost, and nothing deleted returns."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from mixstore import Field, Model, NotFoundError, SchemaError, ValidationError, VersionConflictError
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import Counters, Versioned
from tests.engines.engines import Server
from tests.engines.opensearch_store import store

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Line(BaseModel):
    what: str
    number: int = 1


def of_form(backend: OpenSearchBackend, mixins: tuple[type, ...] = (), **fields: Any) -> type[Any]:
    """A form of one model: the same index, other fields."""
    base: Any = (*mixins, Model) if mixins else Model
    model: Any = create_model("Reindexed", __base__=base, id=(str, Field(primary_key=True)), **fields)
    backend._bounds.clear()
    backend._indexes.clear()
    model.bind(backend)
    return model  # type: ignore[no-any-return]


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"r{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix, settings={"number_of_replicas": 0, "number_of_shards": 2}) as made:
        yield made
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


def indexes(backend: OpenSearchBackend) -> dict[str, set[str]]:
    """{the end of an index's name: its aliases, without the prefix}."""
    found = backend.client.transport.perform_request("GET", f"/{backend.prefix}*", params={"filter_path": "*.aliases"})
    ends = {name.removeprefix(f"{backend.prefix}reindexed"): one["aliases"] for name, one in found.items()}
    return {end: {alias.removeprefix(backend.prefix) for alias in aliases} for end, aliases in ends.items()}


def test_a_changed_type_is_refused_with_the_command_and_done_by_it(backend: OpenSearchBackend) -> None:
    first = of_form(backend, n=(str, "0"), lines=(list[Line], Field(default_factory=list)))
    backend.initialize(first)
    first.batch_create([{"id": str(n), "n": str(n), "lines": [{"what": "x"}, {"what": "y"}]} for n in range(2500)])
    second = of_form(backend, n=(int, 0), lines=(list[Line], Field(default_factory=list)), more=(str, "new"))
    with pytest.raises(
        SchemaError, match=r"(?s)'n' is mapped as type keyword.*needs type long.*mixstore reindex tests\."
    ):
        backend.initialize(second)
    steps: list[tuple[str, int, int | None]] = []
    assert backend.reindex(second, told=lambda *told: steps.append(told)) == 2500
    assert ("copying", 2500, 2500) in steps
    assert [what for what, _, _ in steps if what.startswith("writers")] == ["writers wait", "writers go on"]
    backend.initialize(second)
    assert second.where(n__lt=10, more="new").count() == 10
    assert [row.n for row in second.where().order_by("-n").limit(2)] == [2499, 2498]
    row = second.get("7")
    assert (row.n, row.lines) == (7, [Line(what="x"), Line(what="y")])
    assert indexes(backend) == {"-000001": set(), "-000002": {"reindexed", "reindexed-000002.only"}}
    assert backend.reindex(second, keep=False) == 2500
    assert set(indexes(backend)) == {"-000001", "-000003"}


def test_a_value_that_does_not_fit_ends_it_and_nothing_has_changed(backend: OpenSearchBackend) -> None:
    first = of_form(backend, n=(str, "0"))
    backend.initialize(first)
    first.create(id="a", n="1")
    first.create(id="b", n="many")
    second = of_form(backend, n=(int, 0))
    with pytest.raises(ValidationError, match="the document 'b' holds 'many', which is no int") as caught:
        backend.reindex(second)
    assert caught.value.field == "n"
    old = of_form(backend, n=(str, "0"))
    old.create(id="c", n="2")
    assert [row.n for row in old.where().order_by("id")] == ["1", "many", "2"]
    second = of_form(backend, n=(int, 0))
    assert backend.abandon_reindex(second) is True
    assert backend.abandon_reindex(second) is False
    assert set(indexes(backend)) == {"-000001"}

    def fitting(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "n": "1000" if document["n"] == "many" else document["n"]}

    assert backend.reindex(second, change=fitting) == 3
    assert [row.n for row in second.where().order_by("n")] == [1, 2, 1000]


def test_a_new_field_that_documents_need_is_refused_before_anything_is_copied(backend: OpenSearchBackend) -> None:
    first = of_form(backend, n=(str, "0"))
    backend.initialize(first)
    assert backend.reindex(of_form(backend, n=(int, 0), at=(datetime, ...))) == 0, "there is nothing to lack it"
    of_form(backend, n=(int, 0), at=(datetime | None, None)).create(id="a")
    with pytest.raises(SchemaError, match=r"Reindexed\.more is new"):
        backend.reindex(of_form(backend, n=(str, "0"), at=(datetime | None, None), more=(str, ...)))


class Writers:
    """Threads that create, change, add, delete and create again, each its own documents, and know what must be there.

    Each has a backend of its own, as another process would.
    """

    def __init__(self, server: Server, prefix: str, count: int = 6, refresh: Any = False) -> None:
        self.model: Any = None
        self.known: dict[str, tuple[int, int] | None] = {}
        self.failed: list[BaseException] = []
        self.longest = 0.0
        self.stop = threading.Event()
        self.backends = [store(server, prefix=prefix, refresh=refresh) for _ in range(count)]
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(count)]

    def __enter__(self) -> Writers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(120)
        for backend in self.backends:
            backend.close()

    def _run(self, number: int) -> None:
        try:
            self._write(number)
        except BaseException as error:
            self.failed.append(error)

    def _write(self, number: int) -> None:
        class Reindexed(Counters, Versioned, Model):
            id: str = Field(primary_key=True)
            n: int = 0
            total: int = 0

        Reindexed.bind(self.backends[number])
        chance = random.Random(number)
        round = 0
        while not self.stop.is_set():
            id = f"{number}-{chance.randrange(60)}"
            round += 1
            started = time.monotonic()
            self.step(Reindexed, id, round, chance)
            self.longest = max(self.longest, time.monotonic() - started)

    def step(self, model: Any, id: str, round: int, chance: random.Random) -> None:
        """One change of one document, noted when it is acknowledged."""
        was = self.known.get(id)
        row = model.get(id)
        assert (None if row is None else (row.n, row.total)) == was, f"{id}: {row!r}, and it was {was}"
        if row is None:
            model.create(id=id, n=round)
            self.known[id] = (round, 0)
        elif chance.random() < 0.3:
            assert row.delete()
            self.known[id] = None
        elif chance.random() < 0.5:
            row.n = round
            row.save()
            self.known[id] = (round, was[1])  # type: ignore[index]
        else:
            row.increment("total")
            self.known[id] = (was[0], was[1] + 1)  # type: ignore[index]


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


def stored(model: Any) -> dict[str, tuple[int, int]]:
    return {row["id"]: (row["n"], row["total"]) for row in model.where().select("id", "n", "total").all()}


def test_nobody_who_writes_all_along_loses_a_write_or_a_delete(opensearch: Server, backend: OpenSearchBackend) -> None:
    model = of_form(backend, (Counters, Versioned), n=(int, 0), total=(int, 0))
    backend.initialize(model)
    model.batch_create([{"id": f"still-{n}", "n": n} for n in range(3000)])
    with Writers(opensearch, backend.prefix) as writers:
        wait_until(lambda: len(writers.known) > 100)
        for _ in range(4):
            backend.reindex(model, keep=False)
            time.sleep(0.2)
    assert writers.failed == []
    backend.refresh(model)
    expected = {id: one for id, one in writers.known.items() if one is not None}
    found = stored(model)
    assert {id: one for id, one in found.items() if not id.startswith("still")} == expected
    assert sum(id.startswith("still") for id in found) == 3000
    assert set(indexes(backend)) == {"-000005"}
    assert writers.longest < 20, "writers wait, and not for long"


def test_locked_updates_lose_nothing_while_the_index_is_changed(opensearch: Server, backend: OpenSearchBackend) -> None:
    model = of_form(backend, (Versioned,), n=(int, 0))
    backend.initialize(model)
    for id in "abc":
        model.create(id=id)
    done = threading.Event()
    deposits = [0] * 6
    failed: list[BaseException] = []

    def deposit(number: int) -> None:
        class Reindexed(Versioned, Model):
            id: str = Field(primary_key=True)
            n: int = 0

        with store(opensearch, prefix=backend.prefix, refresh=False) as own:
            Reindexed.bind(own)
            while not done.is_set():
                row: Any = Reindexed.get("abc"[number % 3])
                row.n += 1
                try:
                    row.save()
                except VersionConflictError:
                    continue
                except BaseException as error:
                    failed.append(error)
                    return
                deposits[number] += 1

    threads = [threading.Thread(target=deposit, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        backend.reindex(model, keep=False)
    done.set()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert sum(model.get(id).n for id in "abc") == sum(deposits)
    assert all(deposits)


def test_a_place_in_the_old_index_means_nothing_in_the_new_one(backend: OpenSearchBackend) -> None:
    """A document may have the same `_seq_no` in both, and be another by then."""
    model = of_form(backend, (Versioned,), n=(int, 0))
    backend.initialize(model)
    row = model.create(id="a")
    ask = backend.client.transport.perform_request
    places: list[tuple[int, int]] = []

    def place(told: Any) -> tuple[int, int]:
        return told["_seq_no"], told["_primary_term"]

    class Between:
        """After the first look at the document, another writer changes it, and another index takes its place."""

        def perform_request(self, method: str, url: str, **options: Any) -> Any:
            answer = ask(method, url, **options)
            if url.endswith("/_mget") and not places:
                places.append(place(answer["docs"][0]))
                with OpenSearchBackend(client, prefix=backend.prefix, settings=backend.settings) as other:
                    other.update(model, model(id="a", n=7, version=1))
                    other.reindex(model, keep=False)
                places.append(place(ask("GET", f"/{backend.prefix}reindexed/_doc/a")))
            return answer

    backend.client, client = type("Client", (), {"transport": Between()})(), backend.client
    try:
        with pytest.raises(VersionConflictError):
            row.update(n=5)
    finally:
        backend.client = client
    assert places[0] == places[1], "or this shows nothing"
    assert model.get("a").n == 7


def test_two_who_reindex_at_once_do_not_harm_each_other(opensearch: Server, backend: OpenSearchBackend) -> None:
    model = of_form(backend, (Counters, Versioned), n=(int, 0), total=(int, 0))
    backend.initialize(model)
    model.batch_create([{"id": f"still-{n}", "n": n} for n in range(2000)])
    failed: list[BaseException] = []

    def reindex() -> None:
        with store(opensearch, prefix=backend.prefix, settings=backend.settings) as own:
            for _ in range(3):
                try:
                    own.reindex(model, keep=False)
                except BaseException as error:
                    failed.append(error)

    with Writers(opensearch, backend.prefix, 4) as writers:
        threads = [threading.Thread(target=reindex) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert writers.failed == []
    assert len(failed) < 6
    assert all("taken over" in str(error) or isinstance(error, NotFoundError) for error in failed), failed
    backend.refresh(model)
    expected = {id: one for id, one in writers.known.items() if one is not None}
    assert {id: one for id, one in stored(model).items() if not id.startswith("still")} == expected
