"""`SoftDelete` by itself, on every backend."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest

from mixstore import (
    BatchError,
    DuplicateKeyError,
    Field,
    Key,
    Model,
    NotFoundError,
    QueryError,
    after_delete,
    before_delete,
)
from mixstore_extensions import TTL, SoftDelete, Timestamps, Versioned
from tests.backends.shared.support import NOON, ids

HOUR = timedelta(hours=1)


class Doc(SoftDelete, Model):
    id: str = Field(primary_key=True)
    title: str = ""
    tag: str = Field("", index=True)
    slug: str | None = Field(None, unique=True)


class Page(SoftDelete, Model):
    class Meta:
        soft_delete_frees_unique = True

    id: str = Field(primary_key=True)
    slug: str | None = Field(None, unique=True)


class Lease(SoftDelete, Versioned, Timestamps, TTL, Model):
    class Meta:
        soft_delete_frees_unique = True

    id: str = Field(primary_key=True)
    name: str = ""
    slug: str | None = Field(None, unique=True)


class Item(SoftDelete, Model):
    class Meta:
        key = Key("LIST#{owner}", "ITEM#{number:04d}")

    owner: str
    number: int
    text: str = ""


class Watched(SoftDelete, Model):
    id: str = Field(primary_key=True)
    seen: ClassVar[list[str]] = []

    @before_delete
    def leaving(self, context):
        self.seen.append(f"before {context.asked}")

    @after_delete
    def left(self, context):
        self.seen.append(f"{context.asked} as {context.operation}")


@pytest.fixture(autouse=True)
def ready(use, clock):
    use(Doc, Page, Lease, Item, Watched)


def every() -> list[tuple[str, bool]]:
    return [(doc.id, doc.deleted_at is not None) for doc in Doc.include_deleted().order_by("id")]


# -- deleting --------------------------------------------------------------------------------------------------------


def test_a_deleted_row_is_hidden_from_every_read():
    Doc.create(id="a", slug="s", tag="t").delete()
    Doc.create(id="b", tag="t")
    assert (Doc.get("a"), Doc.get(slug="s"), Doc.exists(id="a")) == (None, None, False)
    assert ids(Doc.all()) == ids(Doc.where(tag="t")) == ["b"]
    assert (Doc.count(), Doc.where(tag="t").count()) == (1, 1)
    assert [doc and doc.id for doc in Doc.batch_get(["a", "b"])] == [None, "b"]


def test_the_instance_knows_when_it_was_deleted():
    doc = Doc.create(id="a")
    assert doc.delete() is True
    assert doc.deleted_at == NOON
    assert Doc.include_deleted().where(id="a").one() == doc


def test_hidden_rows_take_no_place_in_a_page():
    Doc.batch_create([{"id": f"{n}"} for n in range(6)])
    Doc.where(id__in=["0", "1", "3"]).delete()
    page = Doc.where().limit(2).paginate()
    assert ids(page.items) == ["2", "4"]
    assert ids(Doc.where().limit(2).cursor(page.cursor).paginate().items) == ["5"]


def test_deleting_a_deleted_row_answers_false_and_changes_nothing(clock):
    doc, other = Doc.create(id="a"), Doc.get("a")
    doc.delete()
    clock.forward(hours=1)
    assert (doc.delete(), other.delete(), Doc(id="a").delete()) == (False, False, False)
    assert Doc.include_deleted().one().deleted_at == NOON


def test_a_row_can_be_deleted_by_its_key_alone():
    Doc.create(id="a", title="kept")
    assert Doc(id="a").delete() is True
    assert Doc.include_deleted().one().title == "kept"


def test_deleting_saves_nothing_that_was_not_saved():
    doc = Doc.create(id="a", title="stored")
    doc.title = "unsaved"
    doc.delete()
    assert Doc.include_deleted().one().title == "stored"


def test_delete_by_query_hides_rows():
    Doc.batch_create([{"id": "a", "tag": "x"}, {"id": "b", "tag": "x"}, {"id": "c"}])
    assert Doc.where(tag="x").delete() == 2
    assert every() == [("a", True), ("b", True), ("c", False)]


def test_deleting_among_deleted_rows_keeps_when_they_were_deleted(clock):
    Doc.create(id="a").delete()
    clock.forward(hours=1)
    Doc.create(id="b")
    assert Doc.include_deleted().delete() == 1  # the other was deleted before
    assert Doc.include_deleted().filter(id="a").one().deleted_at == NOON


def test_delete_hooks_run_and_know_what_was_done():
    Watched.seen.clear()
    Watched.create(id="a").delete()
    assert Watched.seen == ["before delete", "delete as update"]


def test_in_a_transaction_rows_are_hidden_together_or_not_at_all(backend):
    a = Doc.create(id="a")
    Doc.create(id="b")
    with backend.transaction():
        a.delete()
        Doc.where(id="b").delete()
        assert Doc.count() == 2
    assert every() == [("a", True), ("b", True)]
    assert a.deleted_at == NOON

    def fail() -> None:
        with backend.transaction():
            Doc.create(id="c")
            Doc.create(id="b")

    assert a.restore().deleted_at is None
    with pytest.raises(DuplicateKeyError):
        fail()
    assert every() == [("a", False), ("b", True)]


def test_a_rendered_key_is_hidden_and_restored_as_any():
    item = Item.create(owner="ada", number=1)
    Item.create(owner="ada", number=2)
    item.delete()
    assert [one.number for one in Item.where(owner="ada")] == [2]
    assert item.restore() == Item.get(owner="ada", number=1)


# -- writing what is deleted -----------------------------------------------------------------------------------------


def test_a_deleted_row_can_be_neither_updated_nor_refreshed():
    doc, stale = Doc.create(id="a"), Doc.get("a")
    doc.delete()
    for one in (doc, stale):
        with pytest.raises(NotFoundError):
            one.update(title="x")
        with pytest.raises(NotFoundError):
            one.refresh()
    assert Doc.where(id="a").update(title="x") == 0
    assert Doc.include_deleted().one().title == ""


def test_showing_a_row_takes_restore_and_no_assignment():
    doc = Doc.create(id="a")
    doc.delete()
    doc.deleted_at = None
    with pytest.raises(NotFoundError):
        doc.save()
    assert Doc.count() == 0


@pytest.mark.parametrize("verb", ["create", "upsert"])
def test_the_key_of_a_deleted_row_stays_taken(verb):
    Doc.create(id="a", title="old").delete()
    with pytest.raises(DuplicateKeyError) as caught:
        getattr(Doc, verb)(id="a", title="new")
    assert caught.value.key == "a"
    if verb == "upsert":
        assert caught.value.hint == "that row is out of sight here"
    assert Doc.include_deleted().one().title == "old"


@pytest.mark.parametrize("verb", ["batch_create", "batch_upsert"])
def test_a_batch_tells_which_keys_are_those_of_deleted_rows(verb):
    Doc.create(id="a").delete()
    with pytest.raises(BatchError) as caught:
        getattr(Doc, verb)([{"id": "a"}, {"id": "b"}])
    assert [type(error) for error in caught.value.outcomes] == [DuplicateKeyError, type(None)]
    assert every() == [("a", True), ("b", False)]


# -- restoring -------------------------------------------------------------------------------------------------------


def test_restore_shows_the_row_again():
    doc = Doc.create(id="a", title="t")
    doc.delete()
    assert doc.restore() is doc
    assert doc.deleted_at is None
    assert Doc.get("a") == doc
    assert doc.update(title="u").title == "u"


def test_restore_works_from_any_instance_of_the_row():
    doc, stale = Doc.create(id="a", title="t"), Doc.get("a")
    doc.delete()
    stale.restore()
    found = Doc.get("a")
    found.delete()
    assert Doc(id="a").restore().title == "t"


def test_restore_of_what_is_not_deleted_is_not_found():
    doc = Doc.create(id="a")
    for one in (doc, Doc(id="nowhere")):
        with pytest.raises(NotFoundError, match="there is no deleted row to restore"):
            one.restore()


def test_restore_by_query():
    Doc.batch_create([{"id": "a"}, {"id": "b"}])
    Doc.where().delete()
    assert Doc.include_deleted().filter(id="a").update(deleted_at=None) == 1
    assert ids(Doc.all()) == ["a"]


def test_restore_in_a_transaction_happens_with_the_commit(backend):
    doc = Doc.create(id="a")
    doc.delete()
    with backend.transaction():
        doc.restore()
        assert (Doc.count(), doc.deleted_at) == (0, NOON)
    assert (Doc.count(), doc.deleted_at) == (1, None)


async def test_everything_can_be_awaited(clock):
    doc = await Doc.acreate(id="a")
    assert await doc.adelete() is True
    assert await Doc.aget("a") is None
    assert await doc.arestore() is doc
    with pytest.raises(NotFoundError, match="no deleted row"):
        await doc.arestore()
    assert await Doc.where(id="a").adelete() == 1
    clock.forward(hours=2)
    assert await Doc.apurge_deleted(older_than=3 * HOUR) == 0
    assert await Doc.apurge_deleted(older_than=HOUR) == 1
    assert await Doc.include_deleted().acount() == 0


# -- purging ---------------------------------------------------------------------------------------------------------


def test_purge_removes_deleted_rows_for_good():
    Doc.batch_create([{"id": "a"}, {"id": "b"}])
    Doc.where(id="a").delete()
    assert Doc.purge_deleted() == 1
    assert every() == [("b", False)]
    assert Doc.create(id="a").title == ""


def test_purge_leaves_what_was_deleted_lately(clock):
    old, new = Doc.create(id="old"), Doc.create(id="new")
    old.delete()
    clock.forward(hours=1)
    new.delete()
    assert Doc.purge_deleted(older_than=2 * HOUR) == 0
    assert Doc.purge_deleted(older_than=HOUR) == 1
    assert Doc.purge_deleted(older_than=timedelta(0)) == 1


@pytest.mark.parametrize("age", [5, "1h", -HOUR, timedelta.max])
def test_purge_takes_an_age_that_can_be(age):
    with pytest.raises(QueryError, match="purge_deleted"):
        Doc.purge_deleted(older_than=age)


def test_a_row_can_be_deleted_physically_at_once():
    Doc.create(id="a")
    assert Doc.where(id="a").delete(physical=True) == 1
    assert every() == []
