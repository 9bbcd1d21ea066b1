"""Looking back and going back, also with other mixins on the model."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pydantic import field_validator

import mixstore
from mixstore import (
    BackendExtension,
    ConfigurationError,
    Declaration,
    DuplicateKeyError,
    Field,
    Mixin,
    Model,
    NotFoundError,
    Q,
    QueryError,
    VersionConflictError,
    configure,
    connect,
    query_method,
)
from mixstore_extensions import TTL, History, Timestamps, Versioned
from mixstore_extensions.history import StoredRevision
from tests.backends.shared.support import NOON
from tests.extensions.documents import Doc, Locked, titles, told
from tests.extensions.turned import Sealed

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


@pytest.mark.parametrize("time", [datetime(2025, 1, 1), NOON.date(), "2025-01-01", 2025, None])
def test_as_of_refuses_what_is_no_moment(use, time):
    use(Doc).create(id="a")
    with pytest.raises(QueryError, match="takes a datetime with a time zone"):
        Doc.as_of(time, "a")


@pytest.mark.parametrize("verb", ["revert", "diff"])
def test_a_revision_of_another_row_is_refused(use, verb):
    doc, other = use(Doc).create(id="a", title="1"), Doc.create(id="b", title="2")
    doc.update(title="3")
    (theirs,), (_, mine) = Doc.history("b"), Doc.history("a")
    arguments = (theirs,) if verb == "revert" else (mine, theirs)
    with pytest.raises(QueryError, match="revision 1 is one of another row") as caught:
        getattr(doc, verb)(*arguments)
    assert caught.value.key == "a"
    assert (doc.title, Doc.get("b")) == ("3", other)
    assert doc.revert(mine).title == "1"


def test_a_revision_of_a_row_of_another_model_is_refused(use):
    doc = use(Doc).create(id="a", title="1")
    use(Locked).create(id="a", title="2")
    with pytest.raises(QueryError, match="another row"):
        doc.revert(Locked.history("a")[0])


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
