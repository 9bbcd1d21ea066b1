"""Unique values on OpenSearch, which has no transactions: never two rows with one value, whoever stops or is slow."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from mixstore import (
    BackendExtension,
    Capability,
    ConfigurationError,
    DuplicateKeyError,
    Field,
    Mixin,
    MixstoreError,
    Model,
    SideWrite,
    UnsupportedOperationError,
    VersionConflictError,
    WriteContext,
)
from mixstore_backends.opensearch import OpenSearchBackend, guarding
from mixstore_extensions import TTL, SoftDelete, Unique, Versioned
from mixstore_extensions.guards import UniqueGuard
from tests.engines.engines import Server
from tests.engines.opensearch_store import SETTINGS, store
from tests.engines.test_opensearch import in_threads

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Person(Model):
    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)
    phone: str | None = Field(None, unique=True)
    name: str = ""


class Seat(Unique, TTL, SoftDelete, Versioned, Model):
    class Meta:
        unique_together = [("row", "number")]
        soft_delete_frees_unique = True

    id: str = Field(primary_key=True)
    row: str = "a"
    number: int = 1


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"u{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix) as made:
        Person.bind(made)
        Seat.bind(made)
        made.initialize(Person, Seat)
        yield made
        Person.bind(None)
        Seat.bind(None)
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


def owners(backend: OpenSearchBackend) -> dict[str, str]:
    """{email: id} of all rows; no email is there twice, and each has its guard."""
    backend.refresh(Person, UniqueGuard)
    rows = backend.query(Person).all()
    for field in ("email", "phone"):
        counted = Counter(getattr(row, field) for row in rows if getattr(row, field) is not None)
        assert all(number == 1 for number in counted.values()), f"{field}: {counted}"
    guards = {guard.value: guard.owner for guard in backend.query(UniqueGuard).all()}
    for row in rows:
        if row.email is not None:
            assert guards[f'["Person","email",["{row.email}"]]'] == f'["{row.id}"]', row
    return {row.email: row.id for row in rows if row.email is not None}


def test_a_value_is_one_rows_until_it_gives_it_up(backend: OpenSearchBackend) -> None:
    ann = Person.create(id="a", email="x", phone="1")
    with pytest.raises(DuplicateKeyError) as caught:
        Person.create(id="b", email="x")
    assert caught.value.field == "email"
    assert Person.get("b") is None
    assert Person.count() == 1, "the place that was reserved for it is given back"
    with pytest.raises(DuplicateKeyError) as caught:
        Person.create(id="b", email="y", phone="1")
    assert caught.value.field == "phone"
    bob = Person.create(id="b", email="y", phone="2")
    with pytest.raises(DuplicateKeyError):
        bob.update(email="x")
    ann.update(email="z")
    bob.update(email="x")
    ann.delete()
    Person.upsert(id="c", email="z", phone="1")
    assert owners(backend) == {"x": "b", "z": "c"}
    assert Person.get(email="z").id == "c"
    with pytest.raises(DuplicateKeyError):
        Person.create(id="c")
    Person.batch_create([{"id": "d", "email": "d"}, {"id": "e"}, {"id": "f"}])
    assert Person.where(email=None).count() == 2


def test_several_fields_together_and_rows_that_expire_or_are_hidden(backend: OpenSearchBackend) -> None:
    first = Seat.create(id="a")
    with pytest.raises(DuplicateKeyError, match="row, number"):
        Seat.create(id="b")
    first.delete()
    second = Seat.create(id="b", expires_in=10)
    with pytest.raises(DuplicateKeyError):
        Seat.create(id="c")
    moment = backend.clock()
    backend.clock = lambda: moment + timedelta(seconds=11)
    third = Seat.create(id="c")
    assert [seat.id for seat in Seat.where()] == ["c"]
    with pytest.raises((VersionConflictError, MixstoreError)):
        second.update(number=5)
    third.update(number=2)
    assert Seat.create(id="d").number == 1


@pytest.mark.parametrize("round", range(4))
def test_of_sixteen_threads_that_want_a_value_one_gets_it(backend: OpenSearchBackend, round: int) -> None:
    failed = in_threads(16, lambda number: Person.create(id=f"{number}", email="wanted"))
    assert sum(error is None for error in failed) == 1, failed
    assert all(isinstance(error, DuplicateKeyError) for error in failed if error is not None), failed
    assert owners(backend).keys() == {"wanted"}
    assert Person.count() == 1


def test_threads_that_move_values_about_never_share_one(backend: OpenSearchBackend) -> None:
    values = ["red", "green", "blue", "black"]
    stop = time.monotonic() + 12
    done: Counter[str] = Counter()

    def move(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < stop:
            id, value = f"p{chance.randrange(6)}", chance.choice(values)
            row = Person.get(id)
            try:
                if row is None:
                    Person.create(id=id, email=value)
                elif chance.random() < 0.3:
                    row.delete()
                else:
                    row.update(email=value)
            except MixstoreError as error:
                done[type(error).__name__] += 1
            else:
                done["ok"] += 1

    assert in_threads(8, move) == [None] * 8
    owners(backend)
    assert done["ok"] > 20, done
    assert done.keys() <= {"ok", "DuplicateKeyError", "NotFoundError", "ConflictError"}, done


# -- somebody who stops, or is slow -----------------------------------------------------------------------------------


class CutOffError(Exception):
    """This process has ended."""


class Meanwhile:
    """A client that does something else before its n-th request; it may not go on then."""

    def __init__(self, client: Any, left: int, do: Callable[[], None]) -> None:
        self.client, self.left, self.do = client, left, do
        self.met = False
        self.transport = self

    def perform_request(self, *args: Any, **options: Any) -> Any:
        if self.left == 0:
            self.met = True
            self.do()
        self.left -= 1
        return self.client.transport.perform_request(*args, **options)


def create(other: OpenSearchBackend) -> None:
    other.create(Person, {"id": "slow", "email": "wanted", "phone": "p"})


def upsert(other: OpenSearchBackend) -> None:
    other.upsert(Person, {"id": "slow", "email": "wanted"})


def update(other: OpenSearchBackend) -> None:
    other.update(Person, Person(id="there", email="wanted"))


def delete(other: OpenSearchBackend) -> None:
    other.delete(Person, Person(id="has"))


STARTS: dict[Callable[[OpenSearchBackend], None], list[dict[str, Any]]] = {
    create: [],
    upsert: [{"id": "slow", "email": "before"}],
    update: [{"id": "there", "email": "before"}],
    delete: [{"id": "has", "email": "wanted"}],
}


def rival(backend: OpenSearchBackend) -> None:
    """Somebody else who wants the value, and may have to be content without."""
    with contextlib.suppress(DuplicateKeyError):
        backend.create(Person, {"id": "rival", "email": "wanted"})


@pytest.mark.parametrize("slow", STARTS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("dies", [False, True], ids=["is slow", "dies"])
def test_whoever_stops_between_two_steps_shares_with_nobody(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch, slow: Any, dies: bool
) -> None:
    monkeypatch.setattr(guarding, "GRACE", ())  # nobody is left in peace: the rival takes what it can
    winners: Counter[str] = Counter()
    step = 0
    while True:
        for row in backend.query(Person).all():
            row.delete()
        for values in STARTS[slow]:
            backend.create(Person, values)

        def meanwhile() -> None:
            rival(backend)
            if dies:
                raise CutOffError

        client = Meanwhile(backend.client, step, meanwhile)
        other = OpenSearchBackend(client, prefix=backend.prefix, settings=SETTINGS, refresh=False)
        with contextlib.suppress(CutOffError, DuplicateKeyError):
            slow(other)
        found = owners(backend)
        winners[found.get("wanted", "nobody")] += 1
        if dies:  # and nothing is left in anybody's way
            rival(backend)
            assert "wanted" in owners(backend)
        if not client.met:
            break
        step += 1
    assert step >= 4, winners
    assert winners["rival"]
    if slow is not delete:
        assert winners["rival"] < sum(winners.values()), "late enough, the rival comes in vain"


class Note(Model):
    class Meta:
        internal = True

    id: str = Field(primary_key=True)


class Logging(Mixin):
    class Log(BackendExtension):
        requires: ClassVar[tuple[str | Capability, ...]] = (Capability.ATOMIC_WRITES,)

        def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
            return (Note,)

        def write_beside(self, context: WriteContext, found: Any) -> Iterator[SideWrite]:
            yield SideWrite("create", Note(id="the same for all"))

    class Careless(Log):
        """Is in the wrong: what it writes is nobody's own."""

        backend_name = "careless"
        requires = (Capability.OWNED_ROWS,)


class Logged(Logging, Model):
    id: str = Field(primary_key=True)


def test_what_needs_two_rows_to_be_one_is_still_refused() -> None:
    with store(None, object()) as backend, pytest.raises(ConfigurationError, match="ATOMIC_WRITES"):  # type: ignore[arg-type]
        backend.bound(Logged)


def test_what_is_not_a_rows_own_is_refused_before_anything_is_written(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Logging.Careless, "backend_name", "opensearch")
    backend.initialize(Logged)
    with pytest.raises(UnsupportedOperationError, match="one document at a time"):
        backend.create(Logged, {"id": "a"})
    assert backend.get(Logged, id="a") is None


def test_an_index_moves_under_those_who_claim_values(opensearch: Server, backend: OpenSearchBackend) -> None:
    stop = threading.Event()
    failed: list[BaseException] = []

    def move(number: int) -> None:
        chance = random.Random(number)
        with store(opensearch, prefix=backend.prefix) as own:
            while not stop.is_set():
                id, value = f"p{chance.randrange(6)}", chance.choice("xyz")
                try:
                    own.upsert(Person, {"id": id, "email": value})
                except DuplicateKeyError:
                    continue
                except BaseException as error:
                    failed.append(error)
                    return

    threads = [threading.Thread(target=move, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for model in (Person, UniqueGuard, Person):
        backend.reindex(model, keep=False)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert owners(backend)
