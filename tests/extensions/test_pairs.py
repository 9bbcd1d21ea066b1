"""Every two mixins on one model, and all of them: what each write and read promises holds beside the others."""

from __future__ import annotations

import pytest

from mixstore import (
    BatchError,
    DuplicateKeyError,
    NotFoundError,
    VersionConflictError,
)
from mixstore_extensions import tenant
from tests.backends.shared.support import NOON, ids, paged, refusal
from tests.extensions import paired
from tests.extensions.paired import LONG, SECRET, VALUES, together_with

registry, world, dynamodb_backend = paired.registry, paired.world, paired.dynamodb_backend
pytest_generate_tests = paired.pytest_generate_tests


@together_with()
def test_a_row_comes_back_as_it_was_created(world):
    made = world.create("1", **VALUES)
    found = world.model.get("1")
    assert found == made
    assert {name: getattr(found, name) for name in VALUES} == VALUES
    assert world.model.get(code="c") == made
    assert world.model.batch_get(["1", "2"]) == [made, None]
    assert made.refresh() == found
    world.check("1", "create")


@together_with()
def test_update_and_save_store_what_changed(world):
    row = world.create("1", **VALUES)
    world.clock.forward(seconds=1)
    row.update(title="y", secret="other")
    row.notes.append("more")
    row.body = ""
    row.save()
    found = world.model.get("1")
    assert found == row
    assert (found.title, found.secret, found.body, found.notes) == ("y", "other", "", [SECRET, LONG, "more"])
    if world.has("Timestamps"):
        assert (found.created_at, found.updated_at) == (NOON, world.clock.now)
    world.check("1", "create", "update", "update")


@together_with("Versioned")
def test_a_lock_is_checked_on_every_write(world):
    world.create("1", **VALUES)
    stale, query = world.model.get("1"), world.model.where(id="1")
    world.model.get("1").update(title="y")
    writes = [lambda: stale.update(title="z"), stale.save, stale.delete, world.model(id="1", version=1).delete]
    for write in writes:
        stale.stars = 9
        assert isinstance(refusal(write), VersionConflictError)
    for write in (stale.save, stale.delete):
        with pytest.raises(VersionConflictError), world.backend.transaction():  # noqa: PT012
            world.create("2")
            write()
    assert world.model.get("2") is None
    assert query.one().title == "y"
    world.check("1", "create", "update")
    world.check("2")


@together_with()
def test_upsert_replaces_a_row(world):
    world.create("1", **VALUES)
    world.clock.forward(seconds=1)
    world.model.upsert(id="1", title="y", secret="new")
    found = world.model.get("1")
    assert (found.title, found.secret, found.body, found.code) == ("y", "new", "", None)
    if world.has("Timestamps"):
        assert found.created_at == NOON
    world.check("1", "create", "upsert")


@together_with()
def test_queries_and_pages_show_what_may_be_seen(world):
    world.hidden()
    for number in range(7):
        world.create(f"{number}", title="x", stars=number % 4, body=LONG)
    model = world.model
    for query, expected in [
        (model.where(title="x"), 7),
        (model.where(stars=3), 1),
        (model.where(body__contains="eggs"), 7),
        (model.where(stars__gte=2, body__contains="eggs"), 3),
    ]:
        assert len(query.all()) == query.count() == expected
        assert query.exists()
        assert query.order_by("-id").first().id in "0123456"
        assert query.order_by("-id").limit(2).offset(1).all() == query.order_by("-id").all()[1:3]
    assert paged(model.where(title="x").order_by("stars"), 3) == ["0", "4", "1", "5", "2", "6", "3"]
    assert paged(model.where(body__contains="eggs").order_by("stars"), 3) == ["0", "4", "1", "5", "2", "6", "3"]
    assert sorted(ids(model.where(title="x"))) == list("0123456")
    assert model.batch_get(["h-deleted", "h-expired", "h-other"]) == [None] * 3


@together_with()
def test_a_batch_is_as_good_as_single_writes(world):
    model = world.model
    world.hidden()
    model.batch_create([{**VALUES, "id": key, "code": None} for key in "123"])
    with pytest.raises(BatchError) as caught:
        model.batch_create([{"id": "3"}, {"id": "4"}])
    assert [type(one) for one in caught.value.outcomes] == [DuplicateKeyError, type(None)]
    model.batch_upsert([{"id": "1", "title": "y"}, {"id": "5", "secret": SECRET}])
    assert [one.title for one in model.batch_get(["1", "2", "3", "4", "5"])] == ["y", "x", "x", "", ""]
    assert model.get("2").notes == [SECRET, LONG]
    world.check("1", "create", "upsert")
    world.check("2", "create")
    world.check("4", "create")
    world.check("5", "upsert")


@together_with()
def test_a_transaction_stores_all_or_nothing(world):
    row, gone = world.create("1", **VALUES), world.create("2")
    world.clock.forward(seconds=1)
    with world.backend.transaction():
        row.update(title="y", secret="new")
        gone.delete()
        world.create("3", secret=SECRET)
        world.model.upsert(id="4", body=LONG)
    assert (row.title, world.model.get("1").secret) == ("y", "new")
    assert [one and one.body for one in world.model.batch_get(["2", "3", "4"])] == [None, "", LONG]
    with pytest.raises(DuplicateKeyError), world.backend.transaction():  # noqa: PT012
        row.update(title="z")
        world.create("5")
        world.create("6", code="same")
        world.create("7", code="same")
    assert world.model.get("5") is None
    world.check("1", "create", "update")
    world.check("2", "create", "delete")
    world.check("3", "create")
    world.check("4", "upsert")
    world.check("5")


@together_with()
def test_a_deleted_row_is_gone(world):
    row = world.create("1", **VALUES)
    world.clock.forward(seconds=1)
    row.title = "unsaved"
    assert row.delete() is True
    assert row.title == "unsaved"
    assert world.model.get("1") is None
    assert world.model.get(code="c") is None
    assert world.model.where(title="x").all() == []
    assert row.delete() is False
    for write in (lambda: row.update(title="z"), row.refresh):
        assert isinstance(refusal(write), NotFoundError)
    world.check("1", "create", "delete")
    if world.has("SoftDelete"):
        assert isinstance(refusal(lambda: world.create("1")), DuplicateKeyError)
        assert isinstance(refusal(lambda: world.model.upsert(id="1")), DuplicateKeyError)
        assert row.restore() is row
        assert {name: getattr(row, name) for name in VALUES} == VALUES
        world.check("1", "create", "delete", "update")
    else:
        world.create("1", **VALUES)
        assert not world.has("Versioned") or world.model.get("1").version == 1
        assert not world.has("History") or world.told("1") == ["create", "delete", "create"]


@together_with()
def test_writes_by_query_touch_what_may_be_seen(world):
    world.hidden()
    model = world.model
    for key in "123":
        world.create(key, title="x", stars=int(key), body=LONG if key != "2" else "short", secret=SECRET)
    world.clock.forward(seconds=1)
    assert model.where(title="x", body__contains="eggs").update(secret="new", body=LONG + "ham") == 2
    assert [one.secret for one in model.where().order_by("id")] == ["new", SECRET, "new"]
    assert model.where(body__contains="ham", stars__lt=3).delete() == 1
    assert ids(model.where().order_by("id").all()) == ["2", "3"]
    assert model.where().delete() == 2
    world.check("1", "create", "update", "delete")
    world.check("2", "create", "delete")
    world.check("3", "create", "update", "delete")
    world.check("h-deleted", "create", "delete")
    if world.has("TTL"):
        assert ids(model.include_expired().where(id="h-expired").all()) == ["h-expired"]
    if world.has("Tenant"):
        with tenant("b"):
            assert ids(model.all()) == ["h-other"]
