"""`History`: every write of a row leaves a revision, in the same atomic unit, whatever path it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, field_validator

import mixstore
from mixstore import (
    Backend,
    BackendExtension,
    BatchError,
    Capability,
    ConfigurationError,
    ConflictError,
    CorruptRecordError,
    Declaration,
    DuplicateKeyError,
    Field,
    Key,
    Mixin,
    Model,
    NotFoundError,
    Q,
    QueryError,
    SchemaError,
    ValidationError,
    VersionConflictError,
    configure,
    connect,
    query_method,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import TTL, History, Timestamps, Versioned, acting_as
from mixstore_extensions.history import StoredRevision
from tests.backends.shared.support import NOON, Clock, together
from tests.extensions.turned import Sealed

BACKENDS: dict[str, Callable[[Any], Backend]] = {
    "memory": lambda folder: InMemoryBackend(),
    "sqlite": lambda folder: SQLiteBackend(folder / "store.db"),
}


@pytest.fixture(scope="module", autouse=True)
def registry() -> Iterator[None]:
    with mixstore.registry():
        yield


@pytest.fixture(params=BACKENDS)
def backend(request, tmp_path) -> Iterator[Backend]:
    with BACKENDS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def use(backend) -> Iterator[Callable[..., Any]]:
    bound: list[type[Model]] = []

    def bind(*models: type[Model]) -> Any:
        for model in models:
            model.bind(backend)
            bound.append(model)
        backend.initialize(*models)
        return models[0]

    yield bind
    for model in bound:
        model.bind(None)


@pytest.fixture
def clock(backend) -> Clock:
    backend.clock = moving = Clock()
    return moving


class Doc(History, Model):
    id: str = Field(primary_key=True)
    title: str = ""
    stars: int = 0
    tag: str | None = Field(None, unique=True)


class Locked(History, Versioned, Model):
    id: str = Field(primary_key=True)
    title: str = ""


def told(model: Any, key: Any) -> list[tuple[int, str]]:
    """(number, operation) of each revision, oldest first."""
    return [(one.number, one.operation) for one in reversed(model.history(key))]


def titles(model: Any, key: Any) -> list[str]:
    return [one.values["title"] for one in reversed(model.history(key))]


# -- every path leaves a revision --------------------------------------------------------------------------------------


def test_create_save_update_upsert_and_delete_each_leave_a_revision(use):
    doc = use(Doc).create(id="a", title="1")
    doc.title = "2"
    doc.save()
    doc.update(title="3")
    Doc.upsert(id="a", title="4")
    Doc.get("a").delete()
    assert told(Doc, "a") == [(1, "create"), (2, "update"), (3, "update"), (4, "upsert"), (5, "delete")]
    assert titles(Doc, "a") == ["1", "2", "3", "4", "4"]


def test_a_revision_tells_number_time_and_values(use, clock):
    use(Doc).create(id="a", title="x", stars=3)
    (revision,) = Doc.history(id="a")
    assert (revision.number, revision.at, revision.by, revision.operation) == (1, NOON, None, "create")
    assert revision.values == {"id": "a", "title": "x", "stars": 3, "tag": None}


def test_a_new_instance_that_is_saved_starts_a_history(use):
    use(Doc)(id="a", title="x").save()
    assert told(Doc, "a") == [(1, "create")]


def test_writes_by_query_leave_a_revision_for_each_row(use):
    use(Doc).batch_create([{"id": "a"}, {"id": "b"}])
    assert Doc.where(id="a").update(stars=5) == 1
    assert Doc.where(stars__gte=0).delete() == 2
    assert told(Doc, "a") == [(1, "create"), (2, "update"), (3, "delete")]
    assert told(Doc, "b") == [(1, "create"), (2, "delete")]


def test_batches_leave_a_revision_for_each_row(use):
    use(Doc).batch_create([{"id": "a", "title": "1"}, {"id": "b"}])
    Doc.batch_upsert([{"id": "a", "title": "2"}, {"id": "a", "title": "3"}, {"id": "c"}])
    assert (titles(Doc, "a"), told(Doc, "b"), told(Doc, "c")) == (["1", "3"], [(1, "create")], [(1, "upsert")])


def test_a_row_of_a_batch_that_fails_leaves_no_revision(use):
    use(Doc).create(id="a", tag="x")
    with pytest.raises(BatchError):
        Doc.batch_create([{"id": "a"}, {"id": "b", "tag": "x"}, {"id": "c"}])
    assert [told(Doc, key) for key in "abc"] == [[(1, "create")], [], [(1, "create")]]


def test_a_transaction_leaves_all_revisions_or_none(use, backend):
    doc = use(Doc).create(id="a")
    with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012  (the transaction is the block)
        doc.update(title="x")
        Doc.create(id="b")
        Doc.create(id="b2", tag="t")
        Doc.create(id="b3", tag="t")
    assert [len(Doc.history(key)) for key in ("a", "b", "b2")] == [1, 0, 0]
    with backend.transaction():
        doc.update(title="y")
        Doc.create(id="b")
    assert (titles(Doc, "a"), told(Doc, "b")) == (["", "y"], [(1, "create")])


def test_a_transaction_that_another_writer_overtakes_conflicts_at_the_commit(use, backend):
    doc = use(Doc).create(id="a")
    with pytest.raises(ConflictError, match="changed while"), backend.transaction():  # noqa: PT012
        doc.update(title="mine")
        together(1, lambda _: Doc.get("a").update(title="theirs"))
    assert titles(Doc, "a") == ["", "theirs"]


async def test_async_writes_leave_revisions_too(use):
    doc = await use(Doc).acreate(id="a", title="1")
    await doc.aupdate(title="2")
    await doc.arevert(1)
    await doc.adelete()
    assert [one.operation for one in await Doc.ahistory("a")] == ["delete", "update", "update", "create"]
    assert await doc.adiff(1, 2) == {"title": ("1", "2")}
    assert await Doc.aas_of(datetime.max.replace(tzinfo=NOON.tzinfo), "a") is None
    assert await Doc.aprune_history() == 0


def test_a_write_that_fails_leaves_no_revision(use):
    doc = use(Doc).create(id="a", tag="x")
    with pytest.raises(DuplicateKeyError):
        Doc.create(id="a")
    with pytest.raises(DuplicateKeyError):
        Doc.create(id="b", tag="x")
    with pytest.raises(ValidationError):
        doc.update(stars="many")
    with pytest.raises(NotFoundError):
        Doc(id="c").update(title="x")
    assert Doc(id="c").delete() is False
    assert [told(Doc, key) for key in "abc"] == [[(1, "create")], [], []]


def test_saving_what_did_not_change_leaves_no_revision(use):
    doc = use(Doc).create(id="a")
    doc.save()
    assert told(Doc, "a") == [(1, "create")]


def test_numbers_go_on_when_a_deleted_row_is_created_again(use):
    use(Doc).create(id="a", title="1").delete()
    Doc.create(id="a", title="2")
    assert told(Doc, "a") == [(1, "create"), (2, "delete"), (3, "create")]
    Doc.get("a").delete()
    Doc.upsert(id="a", title="3")
    assert told(Doc, "a")[3:] == [(4, "delete"), (5, "upsert")]


def test_a_revision_has_the_row_as_stored_not_as_a_stale_writer_believes_it_to_be(use):
    use(Doc).create(id="a", title="1", stars=1)
    mine, theirs = Doc.get("a"), Doc.get("a")
    theirs.update(stars=2)
    mine.update(title="2")
    newest = Doc.history("a")[0]
    assert newest.values == vars(Doc.get("a")) == {"id": "a", "title": "2", "stars": 2, "tag": None}


def test_a_deletion_by_a_stale_writer_keeps_the_row_as_it_was_stored(use):
    stale = use(Doc).create(id="a", title="1")
    Doc.get("a").update(title="2")
    stale.delete()
    assert (Doc.history("a")[0].deleted, Doc.history("a")[0].values["title"]) == (True, "2")


def test_a_row_from_before_its_history_starts_with_its_next_write(use, backend):
    use(Doc)
    bound = backend.bound(Doc)
    record = bound.encode(Doc(id="a", title="old", stars=7))
    backend.execute(backend.compile_plain(bound, "create", ("a",), record, None))
    assert Doc.history("a") == []
    Doc.get("a").update(title="new")
    assert Doc.history("a")[0].values["stars"] == 7


# -- who ---------------------------------------------------------------------------------------------------------------


def test_a_revision_tells_who_acted(use, backend):
    with acting_as("ann"):
        doc = use(Doc).create(id="a")
        with acting_as("bob"):
            doc.update(title="x")
        doc.update(title="y")
    doc.update(title="z")
    with backend.transaction(), acting_as("eve"):
        doc.delete()
    assert [one.by for one in reversed(Doc.history("a"))] == ["ann", "bob", "ann", None, "eve"]


async def test_tasks_act_for_themselves(use):
    use(Doc)

    async def write(who: str) -> None:
        with acting_as(who):
            await asyncio.sleep(0)
            await Doc.acreate(id=who)

    await asyncio.gather(write("ann"), write("bob"))
    assert [(await Doc.ahistory(who))[0].by for who in ("ann", "bob")] == ["ann", "bob"]


@pytest.mark.parametrize("who", ["", 1, b"ann"])
def test_whoever_acts_has_a_name(who):
    with pytest.raises(ValidationError, match="takes a name"), acting_as(who):
        pass


# -- looking back ------------------------------------------------------------------------------------------------------


def test_as_of_gives_the_row_as_it_was_then(use, clock):
    doc = use(Doc).create(id="a", title="1")
    clock.forward(hours=1)
    doc.update(title="2")
    clock.forward(hours=1)
    doc.delete()
    clock.forward(hours=1)
    Doc.create(id="a", title="3")
    moments = [Doc.as_of(NOON + timedelta(hours=hours), "a") for hours in (-1, 0, 0.5, 1, 2, 2.5, 3)]
    assert [one and one.title for one in moments] == [None, "1", "1", "2", None, None, "3"]


def test_as_of_takes_the_key_by_name(use):
    use(Doc).create(id="a")
    assert Doc.as_of(datetime.now(NOON.tzinfo), id="a") == Doc.get("a")


def test_a_row_as_it_was_is_a_new_instance(use, clock):
    use(Doc).create(id="a", title="1")
    with pytest.raises(DuplicateKeyError):
        Doc.as_of(NOON, "a").save()


def test_a_time_without_zone_is_refused(use):
    use(Doc).create(id="a")
    with pytest.raises(QueryError):
        Doc.as_of(datetime(2025, 1, 1), "a")


def test_a_history_is_asked_for_by_a_key(use):
    use(Doc)
    with pytest.raises(QueryError, match="not the key"):
        Doc.history()
    with pytest.raises(QueryError, match="no field"):
        Doc.history(idd="a")


def test_a_row_that_had_expired_then_is_not_there_as_of_then(use, clock):
    class Session(History, TTL, Model):
        id: str = Field(primary_key=True)

    use(Session).create(id="a", expires_in=60)
    clock.forward(hours=1)
    Session.create(id="a", expires_in=60)
    there = [Session.as_of(NOON + timedelta(minutes=minutes), "a") is not None for minutes in (0, 0.5, 2, 60)]
    assert there == [True, True, False, True]
    assert told(Session, "a") == [(1, "create"), (2, "create")]


def test_purging_expired_rows_is_part_of_their_history(use, clock):
    class Token(History, TTL, Model):
        id: str = Field(primary_key=True)
        title: str = "x"

    use(Token).create(id="a", expires_in=60)
    clock.forward(hours=1)
    assert Token.purge_expired() == 1
    assert (told(Token, "a"), Token.history("a")[0].values["title"]) == ([(1, "create"), (2, "delete")], "x")


def test_the_times_of_a_row_never_go_back_even_if_a_clock_does(use, clock):
    doc = use(Doc).create(id="a", title="1")
    clock.forward(hours=-1)
    doc.update(title="2")
    assert [one.at for one in Doc.history("a")] == [NOON, NOON]
    assert Doc.as_of(NOON, "a").title == "2"


def test_diff_tells_what_differs(use):
    doc = use(Doc).create(id="a", title="1", stars=1)
    doc.update(title="2")
    doc.update(title="3", tag="t")
    assert doc.diff(1, 3) == {"title": ("1", "3"), "tag": (None, "t")}
    assert doc.diff(3, 2) == {"title": ("3", "2"), "tag": ("t", None)}
    newest, _, oldest = Doc.history("a")
    assert doc.diff(oldest, newest) == doc.diff(1, newest) == doc.diff(1, 3)
    assert doc.diff(2, 2) == {}


def test_diff_to_a_deletion_has_nothing_on_that_side(use):
    doc = use(Doc).create(id="a", title="1")
    doc.delete()
    assert doc.diff(1, 2) == {"id": ("a", None), "title": ("1", None), "stars": (0, None)}


def test_a_revision_that_is_not_kept_is_not_found(use):
    doc = use(Doc).create(id="a")
    with pytest.raises(NotFoundError, match="Doc has no revision 2"):
        doc.diff(1, 2)
    with pytest.raises(NotFoundError, match="Doc has no revision 7"):
        doc.revert(7)
    with pytest.raises(QueryError, match="a number or a Revision, not str"):
        doc.revert("1")


# -- going back --------------------------------------------------------------------------------------------------------


def test_revert_stores_old_values_as_a_new_revision(use):
    doc = use(Doc).create(id="a", title="1", stars=1, tag="t")
    doc.update(title="2", stars=2, tag=None)
    assert doc.revert(1) is doc
    assert vars(doc) == vars(Doc.get("a")) == {"id": "a", "title": "1", "stars": 1, "tag": "t"}
    assert told(Doc, "a") == [(1, "create"), (2, "update"), (3, "update")]
    doc.revert(Doc.history("a")[1])
    assert Doc.get("a").title == "2"


def test_what_a_revert_can_not_store_leaves_the_instance_as_it_was(use):
    doc = use(Doc).create(id="a", tag="t")
    doc.update(tag=None)
    Doc.create(id="b", tag="t")
    with pytest.raises(DuplicateKeyError):
        doc.revert(1)
    assert doc.tag is None


def test_revert_is_refused_on_a_deletion_and_on_what_is_gone(use):
    doc = use(Doc).create(id="a")
    doc.delete()
    with pytest.raises(QueryError, match="revision 2 of Doc is its deletion"):
        doc.revert(2)
    doc.title = "x"
    with pytest.raises(NotFoundError):
        doc.revert(1)


def test_validators_of_the_model_do_not_run_again_on_what_comes_back(use):
    class Account(History, Model):
        id: str = Field(primary_key=True)
        password: str

        @field_validator("password")
        @classmethod
        def hash(cls, value: str) -> str:
            return f"#{value}"

    account = use(Account).create(id="a", password="x")
    account.update(password="y")
    account.revert(1)
    assert Account.get("a").password == Account.history("a")[0].values["password"] == "#x"


def test_a_revert_is_a_locked_write_that_counts_on(use):
    doc = use(Locked).create(id="a", title="1")
    doc.update(title="2")
    stale = Locked.get("a")
    doc.revert(1)
    assert (doc.title, doc.version) == ("1", 3)
    with pytest.raises(VersionConflictError):
        stale.revert(1)


# -- with others -------------------------------------------------------------------------------------------------------


def test_a_lock_still_holds_on_what_the_caller_has_seen(use):
    stale = use(Locked).create(id="a", title="1")
    Locked.get("a").update(title="2")
    with pytest.raises(VersionConflictError):
        stale.update(title="3")
    with pytest.raises(VersionConflictError):
        stale.delete()
    assert titles(Locked, "a") == ["1", "2"]


def test_a_revision_has_what_the_other_mixins_set(use, clock):
    class Page(Timestamps, History, Versioned, Model):
        id: str = Field(primary_key=True)

    use(Page).create(id="a")
    values = Page.history("a")[0].values
    assert (values["created_at"], values["version"]) == (NOON, 1)


class Hidden(Mixin):
    gone: bool = False

    class Hiding(BackendExtension):
        rewrites = {"delete": "update"}
        reveals = "include_gone"

        def before_write(self, context):
            return mixstore.WriteChange({"gone": True}) if context.asked == "delete" != context.operation else None

        def veiled(self):
            return Q(gone=True)

    @query_method
    def include_gone(query):
        return query.option(include_gone=True)


def test_a_row_that_is_only_hidden_keeps_its_history_and_is_not_there_since(use, clock):
    class Note(Hidden, History, Model):
        id: str = Field(primary_key=True)

    note = use(Note).create(id="a")
    clock.forward(hours=1)
    note.delete()
    assert told(Note, "a") == [(1, "create"), (2, "delete")]
    assert (Note.as_of(NOON, "a") is None, Note.as_of(clock.now, "a") is None) == (False, True)
    assert Note.include_gone().delete(physical=True) == 1
    assert [one.deleted for one in Note.history("a")] == [True, False, False]


class Owned(Mixin):
    owner: str = ""
    Declares = Declaration(required=True)

    class Ownership(BackendExtension):
        asking = "ann"

        def veiled(self):
            return ~Q(owner=mixstore.Deferred("owner", lambda environment: Owned.Ownership.asking))


def test_what_nothing_reveals_is_hidden_in_the_history_too(use, clock):
    class Letter(Owned, History, Model):
        id: str = Field(primary_key=True)

    use(Letter).create(id="a", owner="bob")
    assert (Letter.history("a"), Letter.as_of(clock.now, "a")) == ([], None)
    Letter.create(id="b", owner="ann").delete()
    assert len(Letter.history("b")) == 2


def test_what_is_encrypted_in_the_row_is_so_in_its_history(use, backend, clock):
    class Patient(Sealed, History, Model):
        id: str = Field(primary_key=True)
        name: str = ""
        illness: str | None = Field(None, sealed=True)

    patient = use(Patient).create(id="a", name="Ann", illness="measles")
    patient.update(name="Anna")
    patient.update(illness="mumps")
    patient.delete()
    assert "measles" not in repr([vars(one) for one in backend.query(StoredRevision).all()])
    found = [one.values["illness"] for one in reversed(Patient.history("a"))]
    assert found == ["measles", "measles", "mumps", "mumps"]


def test_what_was_sealed_is_not_read_without_the_extension_that_sealed_it(use, backend):
    class Secret(Sealed, History, Model):
        id: str = Field(primary_key=True)
        text: str = Field("", sealed=True)

    use(Secret).create(id="a", text="x")

    class Open(History, Model):
        class Meta:
            entity = "Secret"

        id: str = Field(primary_key=True)
        text: str = ""

    del backend._bounds[Secret]
    Open.bind(backend)
    with pytest.raises(
        ConfigurationError, match=r"Open\.text of revision 1 was sealed by an extension that is not active"
    ):
        Open.history("a")


def test_a_history_that_is_switched_off_stays_readable_and_goes_on_later(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for disable in ([], ["history"], []):
        with mixstore.registry():
            configure(backends={"default": {"url": "sqlite:///a.db", "extensions": {"disable": disable}}})
            connect("default").initialize(Doc)
            Doc.upsert(id="a", title=str(disable))
            assert titles(Doc, "a")[0] == "[]"
            numbers = [one.number for one in Doc.history("a")]
    assert numbers == [2, 1]


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_write_removes_the_revisions_beyond_those_to_keep(use, backend):
    class Short(History, Model):
        class Meta:
            history_keep = 2

        id: str = Field(primary_key=True)
        title: str = ""

    doc = use(Short).create(id="a")
    for title in "bcd":
        doc.update(title=title)
    assert [one.number for one in Short.history("a")] == [4, 3]
    with pytest.raises(ValidationError):
        doc.update(title=5)
    assert backend.count(StoredRevision) == 2
    assert (Short.prune_history(), len(Short.history("a"))) == (0, 2)


def test_pruning_applies_a_lower_number_to_what_is_there(use, backend):
    use(Doc)
    for key in ("a", "b"):
        doc = Doc.create(id=key)
        for stars in range(1, 4):
            doc.update(stars=stars)

    class Fewer(History, Model):
        class Meta:
            entity = "Doc"
            history_keep = 3

        id: str = Field(primary_key=True)
        title: str = ""
        stars: int = 0
        tag: str | None = Field(None, unique=True)

    del backend._bounds[Doc]
    Doc.bind(None)
    use(Fewer)
    assert Fewer.prune_history() == 2
    assert [one.number for one in Fewer.history("a")] == [4, 3, 2]


def test_pruning_keeps_what_as_of_needs_for_the_time_that_is_kept(use, clock):
    class Aging(History, Model):
        class Meta:
            history_for = timedelta(days=30)

        id: str = Field(primary_key=True)
        title: str = ""

    doc = use(Aging).create(id="a", title="1")
    Aging.create(id="b")
    for title in ("2", "3"):
        clock.forward(days=20)
        doc.update(title=title)
    clock.forward(days=20)
    assert Aging.prune_history() == 1
    assert titles(Aging, "a") == ["2", "3"]
    assert Aging.as_of(clock.now - timedelta(days=30), "a").title == "2"
    assert len(Aging.history("b")) == 1


def test_the_history_of_a_row_that_was_deleted_long_ago_goes_whole(use, clock, backend):
    class Fading(History, Model):
        class Meta:
            history_for = timedelta(days=30)

        id: str = Field(primary_key=True)

    use(Fading).create(id="a").delete()
    clock.forward(days=29)
    assert Fading.prune_history() == 0
    clock.forward(days=2)
    assert (Fading.prune_history(), backend.count(StoredRevision)) == (2, 0)
    Fading.create(id="a")
    assert told(Fading, "a") == [(1, "create")]


@pytest.mark.parametrize(("key", "value"), [("history_keep", 0), ("history_keep", True), ("history_for", timedelta(0))])
def test_what_can_not_be_kept_is_refused_at_bind(key, value):
    class Odd(History, Model):
        id: str = Field(primary_key=True)

        class Meta:
            locals()[key] = value

    with pytest.raises(SchemaError, match=f"Odd.Meta.{key} must be"):
        InMemoryBackend().bound(Odd)


# -- keys, types, fields -----------------------------------------------------------------------------------------------


def test_rows_whose_keys_look_alike_have_histories_of_their_own(use):
    class Part(History, Model):
        class Meta:
            key = Key(partition="P#{a}", sort="S#{b}")

        a: str
        b: str
        n: int = 0

    class Pair(History, Model):
        a: str = Field(primary_key=True)
        b: int = Field(primary_key=True)

    use(Part, Pair)
    Part.create(a="x#y", b="z")
    Part.create(a="x", b="y#z")
    Part.get(a="x", b="y#z").update(n=1)
    Pair.create(a="1,2", b=3)
    Pair.create(a="1", b=23)
    assert [len(Part.history(a="x#y", b="z")), len(Part.history(a="x", b="y#z"))] == [1, 2]
    assert [len(Pair.history(("1,2", 3))), len(Pair.history(("1", 23))), len(Pair.history(("1", 3)))] == [1, 1, 0]


class Inner(BaseModel):
    when: date
    price: Decimal


class Wide(History, Model):
    id: UUID = Field(primary_key=True)
    raw: bytes = b"\xff\x00"
    at: datetime = NOON
    price: Decimal = Decimal("1.10")
    inner: Inner = Inner(when=date(2025, 1, 2), price=Decimal("3.5"))
    names: set[str] = {"b", "a"}
    deep: dict[str, list[Inner]] = {}
    free: Any = None
    lapse: timedelta = timedelta(microseconds=1)


def test_values_of_every_kind_come_back_as_they_were(use):
    key = UUID(int=5)
    wide = use(Wide).create(
        id=key, deep={"x": [Inner(when=date(2025, 1, 3), price=Decimal("9"))]}, free={"a": [1, None]}
    )
    assert Wide.history(key)[0].values == vars(wide)
    assert Wide.as_of(datetime.now(NOON.tzinfo), key) == wide


def test_a_field_that_came_later_has_its_default_in_old_revisions(use, backend):
    class Growing(History, Model):
        id: str = Field(primary_key=True)
        dropped: int = 1

    use(Growing).create(id="a")

    class Grown(History, Model):
        class Meta:
            entity = "Growing"

        id: str = Field(primary_key=True)
        added: list[str] = ["x"]

    del backend._bounds[Growing]
    Grown.bind(backend)
    assert Grown.history("a")[0].values == {"id": "a", "added": ["x"]}


def test_a_damaged_revision_is_named(use, backend):
    use(Doc).create(id="a", stars=1)
    (stored,) = backend.query(StoredRevision).all()
    stored.values["stars"] = "many"
    stored.save()
    with pytest.raises(CorruptRecordError, match=r"Doc\.stars of revision 1 does not decode"):
        Doc.history("a")


def test_a_backend_that_can_not_write_together_is_refused():
    class Loose(InMemoryBackend):
        capabilities = InMemoryBackend.capabilities & ~Capability.ATOMIC_WRITES

    with pytest.raises(ConfigurationError, match="'history' of Doc requires ATOMIC_WRITES"):
        Loose().bound(Doc)


# -- threads -----------------------------------------------------------------------------------------------------------


def test_eight_threads_leave_no_gap_and_no_duplicate(use):
    use(Doc).create(id="a")

    def work(thread: int) -> None:
        for number in range(1, 11):
            Doc.get("a").update(stars=thread * 1000 + number)

    assert together(8, work) == [None] * 8
    revisions = Doc.history("a")
    assert [one.number for one in reversed(revisions)] == list(range(1, len(revisions) + 1))
    assert len(revisions) == 81
    assert revisions[0].values == vars(Doc.get("a"))


def test_of_eight_creators_and_deleters_each_leaves_what_it_did(use):
    use(Doc)

    def work(thread: int) -> int:
        done = 0
        for _ in range(5):
            try:
                Doc.create(id="a")
                done += 1
            except DuplicateKeyError:
                pass
            done += Doc(id="a").delete()
        return done

    done = together(8, work)
    revisions = list(reversed(Doc.history("a")))
    assert [one.number for one in revisions] == list(range(1, sum(done) + 1))
    assert {one.operation for one in revisions[::2]} == {"create"}
    assert {one.operation for one in revisions[1::2]} == {"delete"}
