"""`SoftDelete`: unique values of hidden rows, many at the same time, and the other mixins."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mixstore import (
    BatchError,
    Capability,
    DuplicateKeyError,
    Field,
    Model,
    NotFoundError,
    QueryBuilder,
    UnsupportedOperationError,
    VersionConflictError,
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


@pytest.fixture(autouse=True)
def ready(use, clock):
    use(Doc, Page, Lease)


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
