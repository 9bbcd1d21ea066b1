"""`SoftDelete`, by itself and beside the other mixins, on every backend."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest

from mixstore import (
    BatchError,
    Capability,
    DuplicateKeyError,
    Field,
    Key,
    Model,
    NotFoundError,
    QueryBuilder,
    QueryError,
    UnsupportedOperationError,
    VersionConflictError,
    after_delete,
    before_delete,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import TTL, SoftDelete, Timestamps, Versioned
from tests.backends.shared.support import NOON, ids, together

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


# -- unique values ---------------------------------------------------------------------------------------------------


def test_unique_values_of_deleted_rows_stay_taken_by_default():
    doc = Doc.create(id="a", slug="s")
    doc.delete()
    with pytest.raises(DuplicateKeyError) as caught:
        Doc.create(id="b", slug="s")
    assert caught.value.field == "slug"
    assert doc.restore().slug == "s"


def test_unique_values_of_deleted_rows_free_up_when_meta_says_so():
    Page.create(id="a", slug="s").delete()
    Page.create(id="b", slug="s").delete()
    page = Page.create(id="c", slug="s")
    assert Page.get(slug="s") == page
    assert ids(Page.include_deleted().where(slug="s").order_by("id")) == ["a", "b", "c"]
    with pytest.raises(DuplicateKeyError):
        Page.create(id="d", slug="s")


def test_a_freed_value_that_somebody_has_is_in_the_way_of_restore():
    page = Page.create(id="a", slug="s")
    page.delete()
    other = Page.create(id="b", slug="s")
    with pytest.raises(DuplicateKeyError) as caught:
        page.restore()
    assert caught.value.field == "slug"
    assert page.deleted_at == NOON
    other.update(slug=None)
    assert page.restore().slug == "s"


def test_purging_a_row_leaves_its_freed_value_with_whom_has_it_now():
    Page.create(id="a", slug="s").delete()
    Page.create(id="b", slug="s")
    assert Page.purge_deleted() == 1
    with pytest.raises(DuplicateKeyError):
        Page.create(id="c", slug="s")


def test_a_backend_that_cannot_free_values_refuses_the_model():
    class Old(InMemoryBackend):
        capabilities = InMemoryBackend.capabilities & ~Capability.PARTIAL_UNIQUE

    Page.bind(Old())
    with pytest.raises(UnsupportedOperationError, match=r"frees unique values of Page .*lacks PARTIAL_UNIQUE"):
        Page.count()
    Doc.bind(Old())
    assert Doc.count() == 0


# -- at the same time ------------------------------------------------------------------------------------------------


def test_of_many_who_delete_or_restore_a_row_one_does():
    Doc.create(id="a")
    assert sum(together(8, lambda n: Doc(id="a").delete())) == 1
    restored = together(8, lambda n: Doc(id="a").restore())
    assert sorted(type(one).__name__ for one in restored) == ["Doc"] + ["NotFoundError"] * 7


def test_of_many_who_want_a_freed_value_one_gets_it():
    gone = Page.create(id="gone", slug="s")
    gone.delete()
    found = together(8, lambda n: gone.restore() if n == 0 else Page.create(id=f"{n}", slug="s"))
    assert sorted(type(one).__name__ for one in found) == ["DuplicateKeyError"] * 7 + ["Page"]
    assert Page.where(slug="s").count() == 1


# -- beside other mixins ---------------------------------------------------------------------------------------------


def test_a_delete_is_a_write_of_the_version_that_was_read(clock):
    lease, stale = Lease.create(id="a"), Lease.get("a")
    lease.update(name="n")
    with pytest.raises(VersionConflictError):
        stale.delete()
    clock.forward(hours=1)
    lease.delete()
    assert (lease.version, lease.updated_at, lease.deleted_at) == (3, NOON + HOUR, NOON + HOUR)
    assert lease.restore().version == 4
    assert lease.update(name="m").version == 5


def test_a_delete_by_an_instance_that_was_never_loaded_is_of_the_version_that_it_tells():
    Lease.create(id="a").update(name="n")
    with pytest.raises(VersionConflictError) as caught:
        Lease(id="a", version=1).delete()
    assert (caught.value.expected, caught.value.stored) == (1, 2)
    assert Lease(id="a", version=2).delete() is True
    assert Lease.include_deleted().one().name == "n"


def test_a_deleted_row_whose_time_is_over_is_gone(clock):
    lease = Lease.create(id="a", slug="s", expires_in=HOUR)
    lease.delete()
    clock.forward(hours=1)
    assert Lease.include_deleted().count() == 0
    with pytest.raises(NotFoundError):
        lease.restore()
    assert Lease.create(id="a", slug="s").version == 1


def test_either_purge_removes_a_row_that_is_both_deleted_and_expired(clock):
    everything: QueryBuilder[Lease] = Lease.include_deleted().include_expired()
    for purge in (Lease.purge_deleted, Lease.purge_expired):
        Lease.create(id="a", expires_in=HOUR).delete()
        clock.forward(hours=2)
        assert everything.count() == 1
        assert purge() == 1
        assert everything.count() == 0


def test_upsert_onto_a_deleted_row_beside_extensions_that_read_it_first():
    Lease.create(id="a", name="old").delete()
    with pytest.raises(DuplicateKeyError):
        Lease.upsert(id="a", name="new")
    with pytest.raises(BatchError):
        Lease.batch_upsert([{"id": "a"}])
    assert Lease.include_deleted().one().name == "old"


def test_batches_and_pages_of_all_mixins_together():
    Lease.batch_create([{"id": f"{n}", "expires_in": HOUR} for n in range(5)])
    assert Lease.where(id__gte="3").delete() == 2
    assert ids(Lease.where().order_by("-id").limit(2).paginate().items) == ["2", "1"]
    assert Lease.where().update(name="x") == 3
    assert {(one.version, one.name) for one in Lease.all()} == {(2, "x")}
