"""Every two mixins on one model, and all of them: what one of the two is for holds beside the other."""

from __future__ import annotations

import pytest

from mixstore import (
    DuplicateKeyError,
    MixstoreError,
    NotFoundError,
)
from mixstore_extensions import tenant, without_tenant
from tests.backends.shared.support import NOON, ids, paged, refusal
from tests.extensions import paired
from tests.extensions.paired import LONG, SECRET, VALUES, together_with

registry, world, dynamodb_backend = paired.registry, paired.world, paired.dynamodb_backend
pytest_generate_tests = paired.pytest_generate_tests


@together_with("TTL")
def test_what_has_expired_makes_room(world):
    model = world.model
    for key in "1234":
        world.create(key, **{**VALUES, "code": key}, expires_in=60)
    model.get("3").delete()
    model.get("4").delete()
    row = model.get("1")
    world.clock.forward(seconds=61)
    assert model.all() == []
    assert model.batch_get("1234") == [None] * 4
    for write in (lambda: row.update(title="y"), row.refresh):
        assert isinstance(refusal(write), NotFoundError)
    assert row.delete() is model(id="2").delete() is model(id="3").delete() is False
    if world.has("SoftDelete"):
        assert isinstance(refusal(model(id="3").restore), NotFoundError)
    if world.has("History"):
        assert isinstance(refusal(lambda: row.revert(1)), MixstoreError)
        assert model.as_of(world.clock.now, "1") is None
    world.create("1", code="1", secret=SECRET)
    model.upsert(id="2", code="2")
    model.upsert(id="3", code="3")
    world.create("4", code="4")
    for row in model.batch_get("1234"):
        assert (row.title, row.body, row.notes) == ("", "", [])
        assert not world.has("Versioned") or row.version == 1
        assert not world.has("Timestamps") or row.created_at == world.clock.now
        assert not world.has("SoftDelete") or row.deleted_at is None
    if world.has("History"):
        assert [world.told(key)[-1] for key in "1234"] == ["create", "upsert", "upsert", "create"]
        assert model.as_of(NOON, "1").secret == SECRET


@together_with("Tenant")
def test_other_tenants_rows_are_not_there(world):
    model = world.model
    row = world.create("1", **VALUES)
    row.update(secret="new")
    world.create("gone").delete()
    with tenant("b"):
        assert model.get("1") is model.get(code="c") is None
        assert model.all() == []
        assert model.where().update(title="z") == model.where().delete() == 0
        for write in (lambda: row.update(title="z"), row.refresh, lambda: model(id="1").refresh()):
            assert isinstance(refusal(write), NotFoundError)
        assert row.delete() is model(id="1").delete() is False
        for write in (lambda: world.create("1"), lambda: model.upsert(id="1")):
            assert isinstance(refusal(write), DuplicateKeyError)
        for write in (lambda: model.batch_create([{"id": "1"}]), lambda: model.batch_upsert([{"id": "1"}])):
            assert isinstance(refusal(write).outcomes[0], DuplicateKeyError)
        if world.has("TTL"):
            assert model.include_expired().all() == []
            assert model.purge_expired() == 0
        if world.has("SoftDelete"):
            assert model.include_deleted().all() == []
            assert model.purge_deleted() == 0
            assert isinstance(refusal(model(id="gone").restore), NotFoundError)
        if world.has("Encrypted"):
            assert model.reencrypt() == 0
        if world.has("History"):
            assert model.history("1") == model.history("gone") == []
            assert model.as_of(world.clock.now, "1") is None
            for read in (lambda: row.diff(1, 2), lambda: row.revert(1), lambda: model(id="gone").diff(1, 2)):
                assert isinstance(refusal(read), NotFoundError)
    assert model.get("1").secret == "new"
    world.check("1", "create", "update")


@together_with("Tenant")
def test_another_tenant_in_the_place_of_a_row_that_is_gone_sees_none_of_it(world):
    if world.has("SoftDelete"):
        return  # its key stays taken
    world.create("1", **VALUES).delete()
    with tenant("b"):
        world.create("1", title="theirs")
        if world.has("History"):
            assert [one.values["title"] for one in world.model.history("1")] == ["theirs"]
            assert isinstance(refusal(lambda: world.model.get("1").diff(1, 3)), NotFoundError)
    if world.has("History"):
        assert [one.values["title"] for one in world.model.history("1")] == ["x", "x"]


@together_with("Encrypted")
def test_nothing_secret_is_stored_plain(world):
    model = world.model
    row = world.create("1", **VALUES)
    row.update(notes=[SECRET], body="y")
    row.update(secret=SECRET + "!")
    model.upsert(id="1", secret=SECRET)
    model.batch_create([{"id": "2", "secret": SECRET, "notes": [SECRET]}])
    model.where(id="2").update(notes=[SECRET, "x"])
    with world.backend.transaction():
        world.create("3", secret=SECRET)
    model.get("2").delete()
    if world.has("History"):
        model.get("1").revert(1)
        assert model.get("1").notes == [SECRET, LONG]
        assert [one.values["secret"] for one in model.history("1")] == [SECRET, SECRET, SECRET + "!", SECRET, SECRET]
    if world.has("SoftDelete"):
        model(id="2").restore()
        assert model.get("2").notes == [SECRET, "x"]
    held = world.bytes_of_store()
    assert b"encrypted" in held
    assert SECRET.encode() not in held
    assert b"name of" not in held


@together_with("History")
def test_a_row_can_be_reverted(world):
    row = world.create("1", **VALUES)
    world.clock.forward(seconds=1)
    row.update(title="y", secret="new", body="", notes=[], code=None)
    assert set(VALUES) - {"stars"} <= set(row.diff(1, 2))
    world.clock.forward(seconds=1)
    assert row.revert(1) is row
    found = world.model.get("1")
    assert {name: getattr(found, name) for name in VALUES} == VALUES
    assert found == row
    world.check("1", "create", "update", "update")
    assert world.model.as_of(world.clock.now, "1") == found


@together_with("History SoftDelete")
def test_a_delete_changes_the_instance_in_no_more_than_it_does(world):
    row = world.create("1", title="x")
    if not world.has("Versioned"):
        world.model.get("1").update(title="y")
    row.title = "unsaved"
    row.delete()
    assert row.title == "unsaved"
    assert row.deleted_at == NOON
    world.clock.forward(seconds=1)
    assert world.model.include_deleted().one().title == ("x" if world.has("Versioned") else "y")
    assert world.model.history("1")[0].values == vars(world.model.include_deleted().one())


@together_with("History SoftDelete")
def test_reverting_never_hides_the_row(world):
    row = world.create("1", title="x")
    row.delete()
    row.restore()
    assert isinstance(refusal(lambda: row.revert(2)), MixstoreError)
    assert world.model.get("1") == row
    world.check("1", "create", "delete", "update")


@together_with("GSI")
def test_an_index_finds_the_rows_that_may_be_seen(world):
    world.hidden()
    for number in range(6):
        world.create(f"{number}", **{**VALUES, "code": None, "title": "cba"[number % 3], "stars": 3 + number // 4})
    asked = world.model.where(stars=3, title__gte="b").order_by("title")
    assert asked.explain().index.endswith("by_stars")
    assert ids(asked.all()) == paged(asked.using("by_stars"), 2) == ["1", "0", "3"]
    assert asked.select("body").all() == [{"body": LONG}] * 3
    assert asked.filter(title="b").update(stars=4) == 1
    assert (asked.count(), world.model.where(stars=4, title="b").count()) == (2, 2)
    assert asked.delete() == 2
    assert asked.all() == []
    world.check("1", "create", "update")
    world.check("3", "create", "delete")


@together_with("TTL", "SoftDelete")
def test_what_is_hidden_is_purged_for_good(world):
    model = world.model
    if world.has("TTL"):
        world.create("1", **VALUES, expires_in=60)
        world.clock.forward(seconds=61)
        assert model.purge_expired() == 1
        assert model.purge_expired() == 0
    else:
        world.create("1", **VALUES).delete()
        assert model.purge_deleted() == 1
        assert model.purge_deleted() == 0
        assert model.include_deleted().all() == []
    if world.has("History"):
        assert world.told("1")[-1] == "delete"
        assert model.history("1")[0].deleted
        assert {name: model.history("1")[0].values[name] for name in VALUES} == VALUES
    if world.has("audited"):
        assert "delete" in world.audited("1")
    world.create("1", **VALUES)


@together_with("Counters")
def test_an_increment_is_a_write_like_any_other(world):
    row = world.create("1", **VALUES)
    stale = world.model.get("1")
    world.clock.forward(seconds=1)
    row.increment("stars", 2)
    assert stale.increment("stars").stars == world.model.get("1").stars == 6
    assert {name: getattr(world.model.get("1"), name) for name in VALUES} == {**VALUES, "stars": 6}
    world.check("1", "create", "update", "update")
    with world.backend.transaction():
        row.increment("stars", -6)
    assert world.model.where(stars=0).one().id == "1"
    world.check("1", "create", "update", "update", "update")
    world.hidden()
    gone = [
        one
        for one, needs in (("h-deleted", ""), ("h-expired", "TTL"), ("h-other", "Tenant"))
        if not needs or world.has(needs)
    ]
    for key in gone:
        with pytest.raises(NotFoundError):
            world.model(id=key).increment("stars")


@together_with("Tenant")
def test_without_a_tenant_nothing_is_told(world):
    row = world.create("1", **VALUES)
    with without_tenant():
        assert world.model.get("1") == row
        row.update(title="y")
        assert not world.has("History") or world.told("1") == ["create", "update"]
