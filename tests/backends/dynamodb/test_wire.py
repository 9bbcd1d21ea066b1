"""Faults between mixstore and DynamoDB, over HTTP: nothing is lost, nothing doubled, and the right error is raised.

`tests/engines` runs the same against a real engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

import mixstore
from mixstore import (
    BackendTimeoutError,
    BackendUnavailableError,
    BatchError,
    ConflictError,
    DuplicateKeyError,
    Field,
    Model,
    ThrottledError,
)
from mixstore.testing import check_faults
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_extensions import Counters, History, Versioned
from tests.backends.dynamodb.proxy import PATIENCE, WHATS, FaultyProxy, OverTheWire, to_moto
from tests.backends.shared.support import LONGER

ATTEMPTS = 4
LOST = ("reset after", "failed after", "cut", "slow")
"""The request was carried out, and no answer tells so."""
MIXINS: list[tuple[type, ...]] = [(), (Versioned,), (History,), (Counters,), (Versioned, History)]


class Note(Model):
    id: str = Field(primary_key=True)
    text: str = ""


class Tally(Counters, Model):
    id: str = Field(primary_key=True)
    hits: int = 0


class Draft(Versioned, Model):
    id: str = Field(primary_key=True)
    text: str = ""


class Named(Model):
    id: str = Field(primary_key=True)
    name: str | None = Field(None, unique=True)


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with mixstore.registry():
        yield


@pytest.fixture
def proxy(dynamodb_client: Any) -> FaultyProxy:
    """In front of moto, which does not know a transaction again by its token."""
    return FaultyProxy(to_moto(dynamodb_client), tokens=False)


@pytest.fixture
def store(proxy: FaultyProxy) -> Iterator[DynamoDBBackend]:
    """An empty table behind the proxy, by a client that is as impatient as tests are."""
    from botocore.config import Config
    from botocore.session import Session

    config = Config(parameter_validation=False, read_timeout=PATIENCE, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    with proxy.serving() as url:
        client = Session().create_client("dynamodb", "eu-west-1", endpoint_url=url, config=config, **keys)
        with DynamoDBBackend(f"wire-{uuid4().hex}", client=client) as backend:
            backend.scan_policy = "allow"
            backend.transport.attempts = ATTEMPTS
            backend.transport.pause = lambda seconds: None
            yield backend
        proxy.disarm()
        for name in client.list_tables()["TableNames"]:
            if name == backend.table_name:
                client.delete_table(TableName=name)
        client.close()


@pytest.fixture
def use(store: DynamoDBBackend) -> Iterator[Any]:
    bound: list[type[Model]] = []

    def bind(*models: type[Model]) -> Any:
        for model in models:
            model.bind(store)
            bound.append(model)
        store.initialize(*models)
        return models[0]

    yield bind
    for model in bound:
        model.bind(None)


@pytest.mark.parametrize("what", [what for what in WHATS if what != "partial"])
def test_what_passes_is_tried_again_and_nobody_hears_of_it(use, proxy, what):
    use(Note)
    writes = {
        "PutItem": lambda: Note.create(id="a", text="new"),
        "UpdateItem": lambda: Note.get("a").update(text="changed"),
        "GetItem": lambda: Note.get("a"),
        "Query": lambda: Note.where(id="a").filter(text="changed").all(),
        "DeleteItem": lambda: Note.get("a").delete(),
    }
    for number, (operation, write) in enumerate(writes.items()):
        proxy.arm(what)
        write()
        assert proxy.hits == {what: number + 1}, operation
        found = Note.where().all()
        assert found == ([] if operation == "DeleteItem" else [Note(id="a", text="new" if number == 0 else "changed")])


@pytest.mark.parametrize("what", LOST)
def test_a_create_whose_answer_was_lost_meets_itself_and_not_another_row(use, proxy, what):
    use(Note)
    proxy.arm(what)
    assert Note.create(id="a", text="mine").text == "mine"
    proxy.arm(what)
    with pytest.raises(DuplicateKeyError):
        Note.create(id="a", text="another")
    assert Note.all() == [Note(id="a", text="mine")]


@pytest.mark.parametrize("what", ["failed", "reset before"])
def test_of_two_who_create_the_very_same_row_one_hears_that_it_is_there(use, proxy, store, what):
    use(Note)
    proxy.meanwhile = lambda: store.create(Note, {"id": "a", "text": "same"})
    proxy.arm(what)
    with pytest.raises(DuplicateKeyError):
        Note.create(id="a", text="same")
    assert proxy.hits == {what: 1}


@pytest.mark.parametrize("what", ["failed", "reset before"])
def test_of_two_locked_updates_that_write_the_very_same_one_is_a_conflict(use, proxy, what):
    mine, yours = use(Draft).create(id="a"), Draft.get("a")
    proxy.meanwhile = lambda: yours.update(text="same")
    proxy.arm(what)
    with pytest.raises(ConflictError):
        mine.update(text="same")
    assert (Draft.get("a").version, proxy.hits) == (2, {what: 1})


@pytest.mark.parametrize("what", LOST)
def test_a_sum_whose_answer_was_lost_is_unknown_and_never_added_twice(use, proxy, what):
    row = use(Tally).create(id="a")
    proxy.arm(what)
    with pytest.raises(BackendUnavailableError) as caught:
        row.increment("hits", 5)
    assert caught.value.outcome_unknown
    assert caught.value.key == "a"
    assert Tally.get("a").hits == 5
    assert proxy.asked.count("UpdateItem") == 1


@pytest.mark.parametrize("what", LOST)
def test_a_lock_is_no_conflict_with_oneself(use, proxy, what):
    row = use(Draft).create(id="a")
    stale = Draft.get("a")
    proxy.arm(what)
    row.update(text="b")
    assert (Draft.get("a").version, Draft.get("a").text) == (2, "b")
    proxy.arm(what)
    with pytest.raises(ConflictError):
        stale.update(text="c")
    assert Draft.get("a").text == "b"


@pytest.mark.parametrize(
    ("what", "expected", "unknown"),
    [
        ("throttled", ThrottledError, False),
        ("busy", BackendUnavailableError, False),
        ("failed", BackendUnavailableError, True),
        ("reset before", BackendTimeoutError, True),
        ("reset after", BackendTimeoutError, True),
        ("slow", BackendTimeoutError, True),
    ],
)
def test_a_storm_ends_after_so_many_attempts_in_the_right_error(use, proxy, what, expected, unknown):
    use(Note)
    proxy.asked.clear()
    proxy.arm(what, 99)
    with pytest.raises(expected) as caught:
        Note.upsert(id="a", text="x")
    assert caught.value.outcome_unknown is unknown
    assert caught.value.key == "a"
    assert proxy.asked == ["PutItem"] * ATTEMPTS
    with pytest.raises(BackendUnavailableError) as caught:
        Note.get("a")
    assert not caught.value.outcome_unknown
    proxy.disarm()
    assert Note.count() == (1 if what in LOST else 0)


def test_rows_of_a_batch_that_are_left_are_sent_again(use, proxy):
    use(Note)
    rows = [{"id": f"{number:02d}", "text": "x"} for number in range(60)]
    proxy.arm("partial", 9)
    assert len(Note.batch_upsert(rows)) == 60
    assert [row.id for row in Note.where().order_by("id")] == [row["id"] for row in rows]
    assert proxy.hits == {"partial": 9}


def test_a_batch_in_a_storm_tells_which_rows_are_there(use, proxy, store):
    use(Note)
    rows = [{"id": f"{number:02d}", "text": "x"} for number in range(60)]
    forward, calls = proxy.forward, []

    def storm(headers: Any, body: bytes) -> Any:
        calls.append(body)
        if len(calls) == 1:
            proxy.arm("throttled", 99)
        return forward(headers, body)

    proxy.forward = storm
    with pytest.raises(BatchError) as caught:
        Note.batch_upsert(rows)
    proxy.disarm()
    assert isinstance(caught.value.failed[25], ThrottledError)
    there = {row.id for row in Note.all()}
    assert there == {row["id"] for number, row in enumerate(rows) if number not in caught.value.failed}
    assert len(there) == 25


@pytest.mark.parametrize("what", LOST)
def test_a_transaction_whose_answer_was_lost_happens_once(use, proxy, store, what):
    if not proxy.tokens:
        pytest.skip("moto does not know a transaction again by its token")
    use(Named)
    proxy.arm(what)
    Named.create(id="a", name="ann")
    proxy.arm(what)
    with store.transaction():
        Named.create(id="b", name="bob")
        Named.create(id="c")
    assert proxy.hits == {what: 2}
    assert sorted(row.id for row in Named.all()) == ["a", "b", "c"]
    proxy.arm(what)
    with pytest.raises(DuplicateKeyError) as caught:
        Named.create(id="d", name="ann")
    assert caught.value.field == "name"


def over_the_wire(proxy: FaultyProxy) -> list[OverTheWire]:
    """One of each for a moment, and those that end a request; slow ones would take too long."""
    storms = [OverTheWire(proxy, what, 99) for what in ("throttled", "reset before", "reset after", "failed after")]
    moments = [OverTheWire(proxy, what) for what in WHATS if what != "slow"]
    return [*storms, *moments, OverTheWire(proxy, "partial", 3)]


@pytest.mark.parametrize("mixins", MIXINS, ids=lambda mixins: "-".join(one.__name__ for one in mixins) or "plain")
def test_the_books_match_whatever_happens_on_the_way(store, proxy, mixins):
    for seed in range(max(1, int(LONGER))):
        report = check_faults(store, seed=seed, mixins=mixins, faults=over_the_wire(proxy))
        assert report.acknowledged > 5
        assert sum(proxy.hits.values()) > 5
