"""`Tenant`: each tenant's rows apart from the others', on every backend."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from mixstore import (
    TRUE,
    BatchError,
    Capability,
    DuplicateKeyError,
    Field,
    Model,
    NotFoundError,
    ValidationError,
)
from mixstore_extensions import (
    Tenant,
    TenantError,
    current_tenant,
    tenant,
    without_tenant,
)
from tests.backends.shared.support import full_text, ids, together


class Doc(Tenant, Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    slug: str | None = Field(None, unique=True)
    seen: int = 0


@pytest.fixture(autouse=True)
def ready(use):
    use(Doc)


@pytest.fixture
def two():
    """A document of each of two tenants."""
    with tenant("a"):
        first = Doc.create(id="1", title="red fox", slug="x")
    with tenant("b"):
        second = Doc.create(id="2", title="red dog")
    return first, second


# -- which tenant ----------------------------------------------------------------------------------------------------


def test_create_sets_the_tenant():
    with tenant("a"):
        doc = Doc.create(id="1")
        assert (doc.tenant, Doc.upsert(id="2").tenant, Doc(id="3").save().tenant) == ("a", "a", "a")
        assert [one.tenant for one in Doc.batch_create([{"id": "4"}, {"id": "5"}])] == ["a", "a"]


CALLS = {
    "get": lambda: Doc.get("1"),
    "get what is not there": lambda: Doc.get("nowhere"),
    "batch_get what is not there": lambda: Doc.batch_get(["nowhere"]),
    "limit 0": lambda: Doc.where().limit(0).all(),
    "count of limit 0": lambda: Doc.where().limit(0).count(),
    "get unique": lambda: Doc.get(slug="x"),
    "batch_get": lambda: Doc.batch_get(["1"]),
    "all": lambda: Doc.all(),
    "count": lambda: Doc.count(),
    "exists": lambda: Doc.exists(id="1"),
    "first": lambda: Doc.where().first(),
    "iterate": lambda: list(Doc.where()),
    "paginate": lambda: Doc.where().paginate(),
    "explain": lambda: Doc.where().explain(),
    "create": lambda: Doc.create(id="9"),
    "upsert": lambda: Doc.upsert(id="1"),
    "batch_create": lambda: Doc.batch_create([{"id": "9"}]),
    "batch_upsert": lambda: Doc.batch_upsert([{"id": "1"}]),
    "delete without loading": lambda: Doc(id="1").delete(),
    "update by query": lambda: Doc.where().update(title="x"),
    "delete by query": lambda: Doc.where().delete(),
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_read_or_written_with_no_tenant_set(two, call):
    with pytest.raises(TenantError, match="no tenant is set, and Doc belongs to one") as caught:
        CALLS[call]()
    assert 'with tenant("acme")' in caught.value.hint
    with without_tenant():
        assert ids(Doc.where().order_by("id")) == ["1", "2"]


@pytest.mark.parametrize("verb", ["save", "delete", "refresh"])
def test_a_loaded_instance_is_not_written_with_no_tenant_set(two, verb):
    two[0].title = "changed"
    with pytest.raises(TenantError):
        getattr(two[0], verb)()


def test_the_inner_of_two_blocks_holds_and_the_outer_comes_back():
    with tenant("a"):
        with tenant("b"):
            with without_tenant(), pytest.raises(TenantError):
                current_tenant()
            assert current_tenant() == "b"
        with pytest.raises(ZeroDivisionError), tenant("c"):
            _ = 1 / 0
        assert current_tenant() == "a"
    with pytest.raises(TenantError, match="no tenant is set"):
        current_tenant()


def test_one_block_can_be_entered_again_and_inside_of_itself():
    block = tenant("a")
    with block, block:
        assert current_tenant() == "a"
    with block:
        assert current_tenant() == "a"


def test_blocks_are_left_in_the_order_in_which_they_are_nested():
    outer, inner = tenant("a"), tenant("b")
    with outer:
        inner.__enter__()
        with pytest.raises(TenantError, match=r"tenant\('a'\) is left in another task or order"):
            outer.__exit__()
        inner.__exit__()


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_no_tenant(value):
    with pytest.raises(TenantError, match="is no tenant"):
        tenant(value)


def test_no_value_stands_for_all_tenants(two):
    for value in (TRUE, "*", "%"):
        with tenant(value), suppress(TenantError):
            assert Doc.all() == []


def test_a_thread_starts_with_no_tenant(two):
    errors = []

    def work() -> None:
        try:
            Doc.all()
        except TenantError as error:
            errors.append(error)

    with tenant("a"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_threads_have_each_their_own():
    def work(number: int) -> set[str | None]:
        with tenant(f"t{number}"):
            for n in range(10):
                Doc.create(id=f"{number}-{n}")
            return {doc.tenant for doc in Doc.all()}

    assert together(4, work) == [{"t0"}, {"t1"}, {"t2"}, {"t3"}]


async def test_tasks_at_the_same_time_have_each_their_own():
    entered = asyncio.Event()
    counts: dict[str, list[int]] = {"a": [], "b": []}

    async def work(name: str) -> set[str | None]:
        async with tenant(name):
            if name == "a":
                await entered.wait()
            entered.set()
            for n in range(10):
                await Doc.acreate(id=f"{name}{n}")
                await asyncio.sleep(0)
                counts[name].append(await Doc.acount())
            assert await Doc.where(id__startswith=name).aupdate(title=name) == 10
            found = [doc async for doc in Doc.where()]
            assert [doc and doc.id for doc in await Doc.abatch_get(["a3", "b3"])].count(None) == 1
            return {doc.tenant for doc in found} | {doc.title for doc in found}

    assert await asyncio.gather(work("a"), work("b")) == [{"a"}, {"b"}]
    assert counts == {"a": list(range(1, 11)), "b": list(range(1, 11))}
    with pytest.raises(TenantError):
        await Doc.acount()


async def test_a_task_inherits_the_tenant_and_keeps_its_changes_to_itself(two):
    async def work() -> tuple[int, str]:
        seen = await Doc.acount()
        async with tenant("b"):
            await asyncio.sleep(0)
            return seen, current_tenant()

    async with tenant("a"):
        assert await asyncio.create_task(work()) == (1, "b")
        assert current_tenant() == "a"


# -- reading ---------------------------------------------------------------------------------------------------------


def test_the_rows_of_others_are_not_there(two):
    with tenant("b"):
        assert (Doc.get("1"), Doc.get(slug="x"), Doc.exists(id="1"), Doc.exists(slug="x")) == (None, None, False, False)
        assert [doc and doc.id for doc in Doc.batch_get(["1", "2"])] == [None, "2"]
        assert ids(Doc.all()) == ids(Doc.where(title__startswith="red")) == ["2"]
        assert ids(Doc.where(id="1").or_(id="2")) == ["2"]
        assert (Doc.count(), Doc.where(tenant="a").count(), Doc.where().not_(tenant="b").count()) == (1, 0, 0)
        assert Doc.where().select("id", "tenant").all() == [{"id": "2", "tenant": "b"}]
        with pytest.raises(NotFoundError):
            two[0].refresh()


@full_text
def test_a_search_finds_rows_of_the_tenant_only(two):
    with tenant("b"):
        assert ids(Doc.search("red")) == ["2"]
        assert Doc.search("fox").count() == 0


def test_a_query_is_of_the_tenant_that_is_set_when_it_runs(two):
    with tenant("a"):
        question = Doc.where(title__startswith="red")
        assert ids(question) == ["1"]
    with tenant("b"):
        assert ids(question) == ["2"]
    with pytest.raises(TenantError):
        question.all()


def test_a_cursor_of_somebody_else_shows_nothing_of_theirs():
    with tenant("a"):
        Doc.batch_create([{"id": f"{n}"} for n in range(0, 8, 2)])
        cursor = Doc.where().limit(2).paginate().cursor
    with tenant("b"):
        Doc.batch_create([{"id": f"{n}"} for n in range(1, 8, 2)])
        assert ids(Doc.where().limit(9).cursor(cursor).paginate().items) == ["3", "5", "7"]


def test_the_index_of_the_tenant_serves_a_query_and_the_wish_of_all_lifts_it(backend, two):
    with tenant("a"):
        assert "tenant = 'a'" in Doc.where().explain().pushed
        assert Doc.where().explain().index or Capability.INDEXES not in backend.capabilities
    with without_tenant():
        assert Doc.where().explain().pushed == ""


# -- writing ---------------------------------------------------------------------------------------------------------


def test_the_rows_of_others_are_neither_changed_nor_deleted(two):
    first, _ = two
    with tenant("b"):
        first.title = "mine"
        with pytest.raises(NotFoundError):
            first.save()
        with pytest.raises(NotFoundError):
            first.update(title="mine")
        assert (first.delete(), Doc(id="1").delete()) == (False, False)
        assert Doc.where(id="1").update(title="mine") == 0
        assert Doc.where(id="1").delete() == 0
        assert Doc.where().update(seen=1) == 1
    with tenant("a"):
        assert (Doc.get("1").title, Doc.get("1").seen) == ("red fox", 0)


@pytest.mark.parametrize("verb", ["create", "upsert"])
def test_a_key_of_somebody_else_is_taken_and_nothing_more_is_told(two, verb):
    with tenant("b"), pytest.raises(DuplicateKeyError) as caught:
        getattr(Doc, verb)(id="1", title="mine")
    assert (caught.value.key, caught.value.field) == ("1", None)
    assert "fox" not in str(caught.value)
    assert "'a'" not in str(caught.value)
    with tenant("a"):
        assert Doc.get("1") == two[0]


@pytest.mark.parametrize("verb", ["batch_create", "batch_upsert"])
def test_a_batch_overwrites_nothing_of_others(two, verb):
    with tenant("b"):
        with pytest.raises(BatchError) as caught:
            getattr(Doc, verb)([{"id": "1", "title": "mine"}, {"id": "3"}])
        assert [type(error) for error in caught.value.outcomes] == [DuplicateKeyError, type(None)]
        assert ids(Doc.where().order_by("id")) == ["2", "3"]
    with tenant("a"):
        assert Doc.get("1") == two[0]


def test_a_unique_value_of_somebody_else_is_taken(two):
    with tenant("b"), pytest.raises(DuplicateKeyError) as caught:
        Doc.create(id="3", slug="x")
    assert caught.value.field == "slug"


def test_nobody_creates_rows_for_another_tenant():
    with tenant("a"):
        for create in (Doc.create, Doc.upsert):
            with pytest.raises(ValidationError, match="can't be another") as caught:
                create(id="1", tenant="b")
            assert caught.value.field == "tenant"
        assert Doc.create(id="1", tenant="a").tenant == "a"


def test_no_row_moves_to_another_tenant(two):
    with tenant("a"):
        with pytest.raises(ValidationError, match="can't be another"):
            two[0].update(tenant="b")
        with pytest.raises(ValidationError, match="can't be another"):
            Doc.where().update(tenant="b")
        assert two[0].update(tenant=None, title="x").tenant == "a"


def test_the_doors_of_the_backend_are_watched_too(backend, two):
    with tenant("b"):
        assert backend.get(Doc, id="1") is None
        with pytest.raises(NotFoundError):
            backend.update(Doc, Doc(id="1", title="mine"))
        with pytest.raises(NotFoundError):
            backend.update(Doc, Doc(id="2", tenant="a", title="given away"))
        assert backend.delete(Doc, Doc(id="1")) is False
        assert backend.update(Doc, Doc(id="2", title="mine"))["tenant"] == "b"
    with without_tenant():
        assert {doc.id: doc.tenant for doc in Doc.all()} == {"1": "a", "2": "b"}


def test_a_transaction_writes_each_row_for_the_tenant_of_its_call(backend, two):
    with backend.transaction():
        with tenant("a"):
            Doc.create(id="3")
        with tenant("b"):
            Doc.create(id="4")
            assert two[0].delete() is False
            assert Doc(id="1").delete() is True
    with without_tenant():
        assert {doc.id: doc.tenant for doc in Doc.all()} == {"1": "a", "2": "b", "3": "a", "4": "b"}

    def steal() -> None:
        with tenant("b"), backend.transaction():
            Doc.create(id="5")
            Doc.upsert(id="1")

    with pytest.raises(DuplicateKeyError):
        steal()
    with without_tenant():
        assert Doc.get("5") is None


def test_a_row_that_became_somebody_elses_meanwhile_is_not_written(two):
    first, _ = two
    with tenant("a"):
        first.delete()
    with tenant("b"):
        Doc.create(id="1", title="mine")
    with tenant("a"), pytest.raises(NotFoundError):
        first.update(title="late")
    with tenant("b"), pytest.raises(NotFoundError):
        first.update(title="late")


# -- all tenants -----------------------------------------------------------------------------------------------------


def test_a_job_for_all_tenants_sees_and_changes_all_rows(two):
    with without_tenant():
        assert ids(Doc.where().order_by("id")) == ["1", "2"]
        assert Doc.where().update(seen=1) == 2
        assert (two[0].refresh().seen, Doc.get("2").tenant) == (1, "b")
        assert Doc.where(tenant="a").delete() == 1
        assert Doc.upsert(id="2", tenant="b", title="new").title == "new"


@pytest.mark.parametrize("verb", ["create", "upsert"])
def test_a_job_for_all_tenants_says_whose_a_new_row_is(verb):
    with without_tenant():
        with pytest.raises(TenantError, match="a new Doc needs its tenant"):
            getattr(Doc, verb)(id="3")
        assert getattr(Doc, verb)(id="3", tenant="a").tenant == "a"


def test_a_job_for_all_tenants_may_move_a_row(two):
    with without_tenant():
        two[0].update(tenant="b")
    with tenant("b"):
        assert Doc.count() == 2


async def test_a_job_for_all_tenants_can_be_awaited(two):
    async with without_tenant():
        assert await Doc.acount() == 2
