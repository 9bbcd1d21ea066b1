"""Every two mixins on one model, and all of them: what each promises holds beside the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import mixstore
from mixstore import (
    Backend,
    BatchError,
    DuplicateKeyError,
    MixstoreError,
    NotFoundError,
    VersionConflictError,
    configure,
)
from mixstore.registry import current
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import tenant, without_tenant
from tests.backends.conftest import dynamodb
from tests.backends.guarded.engines import GuardedMemory
from tests.backends.shared.support import NOON, ids, paged, refusal
from tests.extensions.paired import COMBINATIONS, LONG, SECRET, World

BACKENDS: Any = {
    "memory": lambda folder: InMemoryBackend(),
    "sqlite": lambda folder: SQLiteBackend(folder / "store.db", timeout=60, synchronous="off"),
    "guarded": lambda folder: GuardedMemory(),
}


@pytest.fixture(scope="module", autouse=True)
def registry() -> Iterator[None]:
    with mixstore.registry():
        extensions = {"apply": ["audited"], "options": {"audited": {"values": True}}}
        configure(backends={"audited": {"url": "memory://", "extensions": extensions}})
        yield


def together_with(*needed: str) -> Any:
    """Runs a test for each combination that has one of these sets of mixins ("TTL", "History SoftDelete")."""
    return pytest.mark.together(*needed or ("",))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    everywhere = dict.fromkeys(BACKENDS, COMBINATIONS)
    on_backends(metafunc, {**everywhere, "dynamodb": [one for one in COMBINATIONS if len(one) > 2]})


def on_backends(metafunc: pytest.Metafunc, combinations: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
    """Have a test run on these backends, in a world for each of the combinations that have what it needs."""
    for mark in metafunc.definition.iter_markers("together"):
        chosen = [
            pytest.param((backend, names), id=f"{backend}-{told_of(names)}")
            for backend, some in combinations.items()
            for names in some
            if any(set(one.split()) <= set(names) for one in mark.args)
        ]
        metafunc.parametrize("world", chosen, indirect=True)


def told_of(names: tuple[str, ...]) -> str:
    if len(names) == 2:
        return "-".join(names)
    return "all" if names[0] == "TTL" else "all-reversed"


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    name, names = request.param
    backend = BACKENDS[name](tmp_path) if name in BACKENDS else request.getfixturevalue(f"{name}_backend")
    with backend:
        current().connect_as("audited" if "audited" in names else "plain", backend)
        made = World(names, backend, tmp_path)
        made.model.bind(backend)
        backend.initialize(made.model)
        with tenant("a"):
            yield made
            made.check_guards()
        made.model.bind(None)


@pytest.fixture
def dynamodb_backend(request: pytest.FixtureRequest) -> Backend:
    """The two models with everything are enough here; `tests/engines` has the pairs."""
    return dynamodb(request)


VALUES: Any = {"title": "x", "stars": 3, "code": "c", "secret": SECRET, "body": LONG, "notes": [SECRET, LONG]}


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
