"""What went wrong in comparable libraries, and does not here: one test for each of the worst seven."""

from __future__ import annotations

import pytest

import mixstore
from mixstore import (
    BackendExtension,
    BatchError,
    DuplicateKeyError,
    Field,
    Mixin,
    Model,
    NotFoundError,
    PluginError,
    VersionConflictError,
    WriteChange,
)
from mixstore_extensions import TTL, SoftDelete, Timestamps, Versioned
from tests.backends.shared.support import ids


class Page(Versioned, Model):
    id: str = Field(primary_key=True)
    title: str = ""


class Note(SoftDelete, Model):
    id: str = Field(primary_key=True)
    title: str = ""


class Member(TTL, Model):
    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)


def test_a_batch_keeps_the_lock(use):
    """There a batch wrote rows without their version, so that a stale copy overwrote them unnoticed."""
    use(Page)
    stale = Page.create(id="a", title="mine")
    Page.batch_upsert([{"id": "a", "title": "batched"}, {"id": "b"}])
    assert [(row.id, row.version) for row in Page.where().order_by("id")] == [("a", 2), ("b", 1)]
    with pytest.raises(VersionConflictError):
        stale.update(title="stale")
    with pytest.raises(BatchError):
        Page.batch_create([{"id": "a", "title": "again"}])
    assert (Page.get("a").title, Page.get("a").version) == ("batched", 2)


def test_a_delete_is_checked(use):
    """There a delete ran past the hooks, so that a stale copy deleted what somebody else had just written."""
    use(Page)
    stale = Page.create(id="a")
    Page.get("a").update(title="newer")
    with pytest.raises(VersionConflictError):
        stale.delete()
    assert Page.get("a").title == "newer"
    assert Page.get("a").delete() is True
    assert Page.get("a") is None


def test_a_delete_by_query_honours_soft_delete(use):
    """There it removed the rows."""
    use(Note)
    Note.batch_create([{"id": "a", "title": "x"}, {"id": "b", "title": "x"}, {"id": "c"}])
    assert Note.where(title="x").delete() == 2
    assert ids(Note.all()) == ["c"]
    assert ids(Note.include_deleted().order_by("id").all()) == ["a", "b", "c"]
    Note.include_deleted().filter(id="a").one().restore()
    assert Note.get("a").title == "x"


def test_a_unique_value_dies_with_its_row_also_by_expiry(use, clock):
    """There the guard of a row that had expired kept its value taken for ever."""
    use(Member)
    Member.create(id="deleted", email="ann@example.org").delete()
    Member.create(id="changed", email="ann@example.org").update(email=None)
    Member.create(id="expires", email="ann@example.org", expires_in=60)
    with pytest.raises(DuplicateKeyError):
        Member.create(id="next", email="ann@example.org")
    clock.forward(seconds=61)
    assert Member.create(id="next", email="ann@example.org").email == "ann@example.org"
    assert Member.get(email="ann@example.org").id == "next"
    with pytest.raises(NotFoundError):
        Member.where(id="expires").one()


@pytest.mark.parametrize("applied", [False, True], ids=["by its mixin", "by the config"])
def test_what_is_registered_after_the_model_was_defined_applies_or_is_an_error(applied):
    """There it was ignored: models had taken what was there when they were defined."""

    class Shouted(Mixin):
        text: str = ""

    class Sign(Shouted, Model):
        id: str = Field(primary_key=True)

    class Late(BackendExtension):
        name = "shouted"
        extends = None if applied else Shouted

        def before_write(self, context):
            return WriteChange({"text": context.values["text"].upper()})

    class Later(Late):
        backend_name = "memory"

    with mixstore.registry() as fresh:
        told = {"extensions": {"apply": ["shouted"]}} if applied else {}
        mixstore.configure(backends={"default": {"url": "memory://", **told}})
        fresh.register_extension(Late)
        assert Sign.create(id="a", text="stop").text == "STOP"
        with pytest.raises(PluginError, match=r"'shouted' .* for backend 'memory' is too late: Sign is bound"):
            fresh.register_extension(Later)  # it would take the place of the other


def test_adding_an_extension_drops_no_other():
    """There a list of extensions, once given, replaced the one that was built in."""

    class Stamped(BackendExtension):
        extends = Versioned
        name = "stamped"

    class Everything(TTL, Versioned, Timestamps, SoftDelete, Model):
        class Own(BackendExtension):
            name = "own"

        id: str = Field(primary_key=True)

    with mixstore.registry() as fresh:
        mixstore.configure(backends={"default": {"url": "memory://", "extensions": {"apply": ["audited"]}}})
        fresh.register_extension(Stamped)
        active = [entry.name for entry in Everything.extensions() if entry.state == "active"]
        assert sorted(active) == ["audited", "own", "soft_delete", "stamped", "timestamps", "ttl", "versioned"]
        row = Everything.create(id="a")
        assert (row.version, row.created_at is None) == (1, False)


def test_an_extension_that_comes_through_two_bases_runs_once(use):
    """There it ran once a base, and counted two versions for one write."""

    class Left(Versioned, Model):
        class Meta:
            abstract = True

    class Right(Versioned, Model):
        class Meta:
            abstract = True

    class Both(Left, Right):
        id: str = Field(primary_key=True)

    use(Both)
    row = Both.create(id="a")
    row.save()
    assert row.version == 2
    assert [entry.name for entry in Both.extensions()] == ["versioned"]
