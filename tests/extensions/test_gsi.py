"""Secondary indexes on every backend: the same rows as without them, found by the index."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from mixstore import (
    ALL,
    GSI,
    INCLUDE,
    KEYS_ONLY,
    Field,
    Model,
    QueryError,
    ScanWarning,
    gsi_partition_key,
    gsi_sort_key,
)
from mixstore_extensions import TTL, Counters, SoftDelete, Tenant, Versioned, tenant
from tests.backends.shared.support import NOON, atomic, ids, paged, refusal


class Task(Model):
    class Meta:
        indexes = [
            GSI("by_tenant", partition="TENANT#{tenant}", sort="{created_at}"),
            GSI("by_owner", partition="{owner}", sort="{day}#{rank:03d}", projection=INCLUDE("title")),
            GSI("by_rank", partition="ALL", sort="{rank:03d}#{id}", projection=KEYS_ONLY),
            GSI("by_title", partition="{tenant}", sort="{title}", projection=ALL),
        ]

    id: str = Field(primary_key=True)
    tenant: str = "acme"
    created_at: datetime = NOON
    owner: str | None = None
    day: date = date(2026, 1, 1)
    rank: int = 0
    title: str = ""


def hours(count: int) -> datetime:
    return NOON + timedelta(hours=count)


@pytest.fixture
def tasks(use):
    """Ten of acme, an hour apart in the other order of their ids, and one of others that would match."""
    use(Task)
    Task.batch_create(
        [
            {"id": f"t{n}", "created_at": hours(9 - n), "rank": n, "title": f"task {n % 3}"}
            for n in (5, 2, 8, 0, 9, 3, 1, 7, 4, 6)
        ]
    )
    Task.create(id="x", tenant="acme#", created_at=hours(3), rank=3, title="task 0")
    return Task


def by(query: Any) -> Any:
    """The name that the model gives the index which the plan tells."""
    index = query.explain().index
    return None if index is None else index.rpartition(".")[2]


# -- filters -----------------------------------------------------------------------------------------------------------


def test_equality_on_the_partition_finds_its_rows(tasks):
    asked = tasks.where(tenant="acme")
    assert (by(asked.order_by("created_at")), asked.count()) == ("by_tenant", 10)
    assert ids(tasks.where(tenant="acme#").all()) == ["x"]
    assert tasks.where(tenant="nobody").all() == []


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"created_at": hours(9)}, ["t0"]),
        ({"created_at__gte": hours(7)}, ["t2", "t1", "t0"]),
        ({"created_at__gt": hours(7)}, ["t1", "t0"]),
        ({"created_at__lt": hours(2)}, ["t9", "t8"]),
        ({"created_at__lte": hours(2)}, ["t9", "t8", "t7"]),
        ({"created_at__between": (hours(4), hours(5))}, ["t5", "t4"]),
        ({"created_at__gt": hours(1), "created_at__lt": hours(4)}, ["t7", "t6"]),
        ({"created_at__in": [hours(3), hours(6), hours(30)]}, ["t6", "t3"]),
        ({"created_at__gte": hours(50)}, []),
    ],
)
def test_comparisons_on_the_sort_key_are_ranges_of_the_index(tasks, lookups, expected):
    asked = tasks.where(tenant="acme", **lookups).order_by("created_at")
    assert by(asked) == "by_tenant"
    assert ids(asked.all()) == expected
    assert asked.count() == len(expected)


def test_a_prefix_of_the_sort_key_is_a_range(tasks):
    asked = tasks.where(tenant="acme", title__startswith="task 1").order_by("id")
    assert by(asked) == "by_title"
    assert ids(asked.all()) == ["t1", "t4", "t7"]


def test_the_first_fields_of_the_sort_key_narrow_it_too(tasks):
    Task.where(rank__lt=5).update(owner="ann")
    Task.get("t2").update(day=date(2026, 2, 1))
    asked = Task.where(owner="ann", day=date(2026, 1, 1), rank__gte=2).order_by("rank")
    assert by(asked) == "by_owner"
    assert ids(asked.all()) == ["t3", "x", "t4"]


def test_in_looks_into_several_partitions(tasks):
    asked = tasks.where(tenant__in=["acme", "acme#", "none"], created_at__lte=hours(3)).order_by("id")
    assert by(asked) == "by_tenant"
    assert ids(asked.all()) == ["t6", "t7", "t8", "t9", "x"]


def test_other_terms_are_applied_as_well(tasks):
    asked = tasks.where(tenant="acme", created_at__gte=hours(5)).filter(rank__ne=2, title__icontains="TASK")
    assert ids(asked.order_by("id").all()) == ["t0", "t1", "t3", "t4"]


def test_a_partition_without_fields_serves_ranges_and_orders_over_all_rows(tasks):
    assert by(tasks.where(rank__gte=8)) == "by_rank"
    assert ids(tasks.where(rank__gte=8).order_by("rank").all()) == ["t8", "t9"]
    assert by(tasks.where().order_by("rank").limit(2)) == "by_rank"
    assert ids(tasks.where().order_by("-rank").limit(3).all()) == ["t9", "t8", "t7"]


def test_the_index_that_is_told_most_of_is_used(tasks):
    asked = tasks.where(tenant="acme", title="task 0", created_at__isnull=False)
    assert by(asked) == "by_title"
    assert by(tasks.where(tenant="acme", created_at=hours(1))) == "by_tenant"
    assert by(tasks.where(id="t1", tenant="acme")) in ("key", "primary key")


def test_a_query_that_an_index_serves_is_no_scan(tasks, backend, recwarn):
    backend.scan_policy = "forbid"
    assert tasks.where(tenant="acme", created_at__gt=hours(8)).count() == 1
    assert tasks.where(rank__gte=9).exists()
    with pytest.raises(QueryError, match="reads the whole table"):
        tasks.where(title="task 1").all()
    with pytest.raises(QueryError, match="reads the whole table"):
        tasks.where().using("by_owner").all()
    assert not [one for one in recwarn if issubclass(one.category, ScanWarning)]


# -- order and pages ---------------------------------------------------------------------------------------------------


def test_rows_come_in_the_order_of_the_index_or_its_reverse(tasks):
    asked = tasks.where(tenant="acme")
    assert ids(asked.order_by("created_at").all()) == [f"t{n}" for n in range(9, -1, -1)]
    assert ids(asked.order_by("-created_at").all()) == [f"t{n}" for n in range(10)]
    assert ids(asked.order_by("-created_at").limit(2).offset(3).all()) == ["t3", "t4"]
    assert asked.order_by("created_at").first().id == "t9"
    assert asked.order_by("created_at").last().id == "t0"


def test_rows_with_one_sort_key_come_by_their_primary_key_in_both_directions(tasks):
    asked = tasks.where(tenant="acme")
    assert ids(asked.order_by("title").all()) == ["t0", "t3", "t6", "t9", "t1", "t4", "t7", "t2", "t5", "t8"]
    assert ids(asked.order_by("-title").all()) == ["t2", "t5", "t8", "t1", "t4", "t7", "t0", "t3", "t6", "t9"]


@pytest.mark.parametrize("order", ["created_at", "-created_at", "title", "-title", "rank", "-id"])
@pytest.mark.parametrize("size", [1, 3, 10])
def test_pages_through_an_index_show_every_row_once_in_order(tasks, order, size):
    asked = tasks.where(tenant="acme", rank__ne=4).order_by(order)
    assert paged(asked, size) == ids(asked.all())
    assert [row.id for row in asked] == ids(asked.all())


def test_a_cursor_belongs_to_the_query_by_that_index(tasks):
    page = tasks.where(tenant="acme").using("by_tenant").order_by("created_at").limit(2).paginate()
    asked = tasks.where(tenant="acme").order_by("created_at").limit(2).cursor(page.cursor)
    assert type(refusal(asked.paginate)).__name__ == "InvalidCursorError"
    assert ids(asked.using("by_tenant").paginate()) == ["t7", "t6"]


# -- sparse ------------------------------------------------------------------------------------------------------------


def test_rows_without_a_key_in_the_index_are_found_without_it(tasks):
    tasks.get("t1").update(owner="ann")
    assert ids(tasks.where(owner="ann").all()) == ["t1"]
    assert tasks.where(owner=None).count() == 10
    assert tasks.where(owner__ne="ann").count() == 10
    assert tasks.where(owner__in=["ann", None]).count() == 11
    assert ids(tasks.where().using("by_owner").all()) == ["t1"]


def test_using_a_sparse_index_asks_for_the_rows_in_it(tasks):
    tasks.where(rank__in=[1, 2]).update(owner="ann")
    asked = tasks.where(tenant="acme").using("by_owner")
    assert by(asked) == "by_owner"
    assert ids(asked.order_by("-id").all()) == ["t2", "t1"]
    assert (asked.count(), asked.exists(), paged(asked, 1)) == (2, True, ["t1", "t2"])
    assert tasks.where(owner=None).using("by_owner").all() == []


# -- writes ------------------------------------------------------------------------------------------------------------


def test_an_update_moves_a_row_between_partitions(tasks):
    row = tasks.get("t5")
    row.update(tenant="other", owner="bob")
    assert ids(tasks.where(tenant="other").all()) == ["t5"]
    assert "t5" not in ids(tasks.where(tenant="acme").all())
    assert ids(tasks.where(owner="bob").all()) == ["t5"]
    row.owner = None
    row.created_at = hours(100)
    row.save()
    assert tasks.where().using("by_owner").all() == []
    assert ids(tasks.where(tenant="other", created_at__gte=hours(99)).all()) == ["t5"]
    assert tasks.where(tenant="other", created_at__lt=hours(99)).all() == []


def test_delete_and_upsert_keep_the_index(tasks):
    assert tasks.get("t0").delete()
    assert tasks.where(tenant="acme", created_at=hours(9)).all() == []
    tasks.upsert(id="t1", tenant="new", created_at=hours(1))
    tasks.upsert(id="t0", tenant="new", created_at=hours(2))
    assert ids(tasks.where(tenant="new").order_by("created_at").all()) == ["t1", "t0"]
    assert tasks.where(tenant="acme").count() == 8


def test_batches_keep_the_index(tasks):
    tasks.batch_upsert([{"id": "t3", "tenant": "b", "rank": 1}, {"id": "b", "tenant": "b", "rank": 2}])
    refused = refusal(lambda: tasks.batch_create([{"id": "b", "tenant": "c"}, {"id": "c", "tenant": "c"}]))
    assert type(refused).__name__ == "BatchError"
    assert ids(tasks.where(tenant="b").order_by("id").all()) == ["b", "t3"]
    assert ids(tasks.where(tenant="c").all()) == ["c"]


@atomic
def test_a_transaction_that_fails_leaves_the_index_as_it_was(tasks, backend):
    def work() -> None:
        with backend.transaction():
            tasks.get("t0").update(tenant="lost")
            tasks.get("t1").delete()
            tasks.create(id="t2")

    assert type(refusal(work)).__name__ == "DuplicateKeyError"
    assert tasks.where(tenant="lost").all() == []
    assert tasks.where(tenant="acme").count() == 10
    with backend.transaction():
        tasks.get("t0").update(tenant="won")
        tasks.get("t1").delete()
    assert (tasks.where(tenant="acme").count(), ids(tasks.where(tenant="won").all())) == (8, ["t0"])


def test_writes_by_query_go_by_the_index(tasks):
    assert tasks.where(tenant="acme", created_at__gte=hours(5)).update(tenant="moved") == 5
    assert tasks.where(tenant="moved").count() == 5
    assert tasks.where(tenant="moved", created_at__lt=hours(7)).using("by_tenant").delete() == 2
    assert ids(tasks.where(tenant="moved").order_by("id").all()) == ["t0", "t1", "t2"]
    assert tasks.where(rank=9).update(owner="ann") == 1
    assert tasks.where().using("by_owner").update(owner=None) == 1
    assert tasks.where().using("by_owner").delete() == 0


def test_a_sum_that_an_index_is_made_of_is_found_by_it(use):
    class Counted(Counters, Model):
        class Meta:
            indexes = [GSI("by_hits", partition="ALL", sort="{hits:03d}")]

        id: str = Field(primary_key=True)
        hits: int = 0

    use(Counted)
    row = Counted.create(id="1", hits=998)
    row.increment("hits")
    assert ids(Counted.where(hits__gte=999).all()) == ["1"]
    assert "hits can't be part of the key" in str(refusal(lambda: row.increment("hits")))
    assert Counted.get("1").hits == 999


# -- what hides rows ---------------------------------------------------------------------------------------------------


class Hidden(TTL, SoftDelete, Tenant, Versioned, Model):
    class Meta:
        indexes = [GSI("by_group", partition="{group}", sort="{at}", projection=KEYS_ONLY)]

    id: str = Field(primary_key=True)
    group: str = "g"
    at: datetime = NOON


def test_rows_that_are_hidden_are_hidden_in_an_index_too(use, clock):
    use(Hidden)
    with tenant("a"):
        for number in range(6):
            Hidden.create(id=str(number), at=hours(number), expires_in=3 if number % 2 else None)
        Hidden.get("0").delete()
    with tenant("b"):
        Hidden.create(id="b", at=hours(1))
    clock.forward(seconds=5)
    with tenant("a"):
        asked = Hidden.where(group="g", at__gte=hours(0)).order_by("at")
        assert by(asked) == "by_group"
        assert ids(asked.all()) == ids(asked.using("by_group").all()) == ["2", "4"]
        assert ids(asked.limit(1).offset(1).all()) == ["4"]
        assert paged(asked, 1) == ["2", "4"]
        assert (asked.count(), asked.include_deleted().count(), asked.include_expired().count()) == (2, 3, 5)
        assert asked.delete() == 2


# -- projections -------------------------------------------------------------------------------------------------------


def test_a_projection_changes_no_result(tasks):
    tasks.get("t4").update(owner="ann", title="a title")
    for asked in (tasks.where(owner="ann"), tasks.where().using("by_owner")):
        assert asked.all() == [tasks.get("t4")]
        assert asked.select("id", "title").all() == [{"id": "t4", "title": "a title"}]
        assert asked.select("tenant").all() == [{"tenant": "acme"}]
    assert tasks.where(rank=4).using("by_rank").select("created_at").all() == [{"created_at": hours(5)}]


# -- methods -----------------------------------------------------------------------------------------------------------


class Named(Model):
    id: str = Field(primary_key=True)
    first: str = ""
    last: str = ""
    size: int = 0

    @gsi_partition_key("by_initials")
    def initials(self) -> str | None:
        return f"{self.first[0]}{self.last[0]}" if self.first and self.last else None

    @gsi_sort_key("by_initials")
    def whole(self) -> str:
        return f"{self.last}, {self.first}"


def test_an_index_of_methods_says_which_rows_are_in_it(use):
    use(Named)
    for number, names in enumerate([("Ada", "Byron"), ("", "Plato"), ("Alan", "Boole"), ("Max", "")]):
        Named.create(id=str(number), first=names[0], last=names[1], size=number)
    asked = Named.where(size__lt=9).using("by_initials")
    assert ids(asked.order_by("id").all()) == ["0", "2"]
    assert ids(asked.order_by("-id").limit(1).all()) == ["2"]
    assert (asked.count(), asked.exists(), paged(asked.order_by("id"), 1)) == (2, True, ["0", "2"])
    assert any("methods compute the keys of by_initials" in note for note in asked.explain().notes)
    assert asked.update(first="") == 2
    assert asked.count() == 0
    assert Named.where().count() == 4
