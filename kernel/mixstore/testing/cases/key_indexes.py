"""Secondary indexes (`Meta.indexes`): another way to the same rows, which no write leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import GSI, INCLUDE, KEYS_ONLY, Backend, DuplicateKeyError, Field, InvalidCursorError, Model, QueryError
from mixstore.testing.clock import Clock
from mixstore.testing.conformance import Conformance
from mixstore.testing.mixins import Mortal
from mixstore.testing.support import Use, awaited, ids, paged, together
from mixstore.testing.tags import atomic, conditions, extensions, indexes


class Job(Model):
    """Found by team and rank, by owner if it has one, and all of them by rank."""

    class Meta:
        """One whole, one that holds some fields, one that holds keys."""

        indexes = [
            GSI("by_team", partition="TEAM#{team}", sort="{rank:03d}"),
            GSI("by_owner", partition="{owner}", sort="{title}", projection=INCLUDE("rank")),
            GSI("by_rank", partition="ALL", sort="{rank:03d}", projection=KEYS_ONLY),
        ]

    id: str = Field(primary_key=True)
    team: str
    rank: int = 0
    owner: str | None = None
    title: str = ""


class Shift(Mortal, Model):
    """Found by team, and it ends."""

    class Meta:
        """By team."""

        indexes = [GSI("by_team", partition="{team}", sort="{id}")]

    id: str = Field(primary_key=True)
    team: str


JOBS: list[dict[str, Any]] = [
    {"id": "f", "team": "red", "rank": 3, "owner": "ann", "title": "é"},
    {"id": "a", "team": "red", "rank": 20, "title": "A"},
    {"id": "c", "team": "blue", "rank": 1, "owner": "ann", "title": "B"},
    {"id": "e", "team": "red", "rank": 3, "owner": "bob"},
    {"id": "b", "team": "red#", "rank": 2, "owner": "ann#"},
    {"id": "d", "team": "red", "rank": 0},
]


def found(question: Any) -> str:
    """The ids in the order of the rows, as one text."""
    return "".join(ids(question.all()))


class KeyIndexCases(Conformance):
    """Secondary indexes."""

    @pytest.fixture
    def jobs(self, use: Use) -> Any:
        """Six jobs: ties, values that look like separators, rows that lack a part of a key."""
        use(Job)
        Job.batch_create(JOBS)
        return Job

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"team": "red"}, "defa"),
            ({"team": "red#"}, "b"),
            ({"team": "re"}, ""),
            ({"team": "red", "rank": 3}, "ef"),
            ({"team": "red", "rank__gt": 3}, "a"),
            ({"team": "red", "rank__gte": 3}, "efa"),
            ({"team": "red", "rank__lt": 3}, "d"),
            ({"team": "red", "rank__lte": 3}, "def"),
            ({"team": "red", "rank__between": (1, 5)}, "ef"),
            ({"team": "red", "rank__gt": 0, "owner": "bob"}, "e"),
            ({"team": "red", "title__regex": "."}, "fa"),
            ({"team__in": ["red", "blue", "red"]}, "dcefa"),
            ({"owner": "ann"}, "cf"),
            ({"owner": "ann", "title__startswith": "B"}, "c"),
            ({"rank__gte": 2}, "befa"),
        ],
        ids=str,
    )
    def test_a_filter_on_a_second_key_finds_its_rows_in_order(
        self, jobs: Any, filters: dict[str, Any], expected: str
    ) -> None:
        question = jobs.where(**filters)
        assert found(question.order_by("rank")) == expected
        assert paged(question.order_by("rank"), 2) == list(expected)
        assert question.count() == len(expected)
        descending = sorted(JOBS, key=lambda row: (-row["rank"], row["id"]))
        assert found(question.order_by("-rank")) == "".join(row["id"] for row in descending if row["id"] in expected)

    def test_using_an_index_asks_for_the_rows_in_it_and_no_other_query_does(self, jobs: Any) -> None:
        assert found(jobs.where().using("by_owner").order_by("id")) == "bcef"
        assert jobs.where().using("by_owner").count() == 4
        assert jobs.where(owner=None).using("by_owner").exists() is False
        assert found(jobs.where(owner=None).order_by("id")) == "ad"
        assert jobs.count() == 6

    def test_what_an_index_does_not_hold_is_read_all_the_same(self, jobs: Any) -> None:
        assert jobs.where(rank=20).using("by_rank").one() == Job(**JOBS[1])
        assert jobs.where(owner="bob").using("by_owner").one() == Job(**JOBS[3])
        assert jobs.where(owner="bob").using("by_owner").select("id", "rank").one() == {"id": "e", "rank": 3}
        assert jobs.where(rank=20, title="A").using("by_rank").select("title", "team").all() == [
            {"title": "A", "team": "red"}
        ]

    def test_no_write_leaves_an_index_behind(self, jobs: Any) -> None:
        jobs.get("f").update(team="blue", owner=None)
        assert (found(jobs.where(team="red").order_by("rank")), found(jobs.where(team="blue").order_by("id"))) == (
            "dea",
            "cf",
        )
        assert found(jobs.where().using("by_owner").order_by("id")) == "bce"
        row = jobs.get("d")
        row.owner = "ann"
        row.save()
        jobs.upsert(id="a", team="blue")
        assert found(jobs.where(team="blue").order_by("id")) == "acf"
        assert found(jobs.where(owner="ann").order_by("id")) == "cd"
        jobs.batch_upsert([{"id": "e", "team": "green"}, {"id": "g", "team": "green", "rank": 1}])
        assert found(jobs.where(team="green").order_by("rank")) == "eg"
        assert jobs.where(team="green").update(team="red") == 2
        assert found(jobs.where(team="red").order_by("id")) == "deg"
        assert jobs.get("g").delete() is True
        assert jobs.where(team="red").delete() == 2
        assert jobs.where(team="red").exists() is False
        assert ids(jobs.where().using("by_rank").order_by("id").all()) == list("abcf")

    def test_a_refused_write_leaves_an_index_alone(self, jobs: Any) -> None:
        with pytest.raises(DuplicateKeyError):
            jobs.create(id="a", team="green")
        assert found(jobs.where(team="green")) == ""
        assert found(jobs.where(team="red").order_by("rank")) == "defa"

    @atomic
    def test_a_transaction_that_fails_leaves_an_index_alone(self, jobs: Any, backend: Backend) -> None:
        row, other = jobs.get("d"), jobs.get("a")
        with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012
            row.update(team="green")
            other.delete()
            jobs.create(id="c", team="green")
        assert found(jobs.where(team="green")) == ""
        assert found(jobs.where(team="red").order_by("rank")) == "defa"

    def test_a_cursor_belongs_to_the_index_that_was_asked_for(self, jobs: Any) -> None:
        by_rank = jobs.where().using("by_rank").order_by("rank")
        cursor = by_rank.limit(2).paginate().cursor
        assert found(by_rank.cursor(cursor)) == "befa"
        for other in (jobs.where().order_by("rank"), jobs.where().using("by_team").order_by("rank")):
            with pytest.raises(InvalidCursorError):
                other.cursor(cursor).all()

    def test_an_unknown_index_is_told_the_nearest(self, jobs: Any) -> None:
        with pytest.raises(QueryError, match="did you mean 'by_team'"):
            jobs.where().using("by_tema")

    @indexes
    def test_a_query_that_a_second_key_serves_is_no_scan(self, jobs: Any) -> None:
        assert jobs.where(team="red", rank__gt=1).explain().index is not None
        assert jobs.where().using("by_owner").explain().index is not None
        assert jobs.where(title="A").explain().index is None

    @extensions
    def test_dead_rows_are_absent_in_an_index_too(self, use: Use, clock: Clock) -> None:
        use(Shift)
        Shift.batch_create([{"id": key, "team": "x", "expires_in": 10 if key in "ac" else None} for key in "abcd"])
        clock.forward(seconds=10)
        assert found(Shift.where(team="x").order_by("id").limit(2)) == "bd"
        assert paged(Shift.where(team="x").using("by_team"), 1) == ["b", "d"]
        assert Shift.where(team="x").using("by_team").count() == 2

    @conditions
    def test_threads_that_move_a_row_leave_it_in_one_place(self, use: Use) -> None:
        use(Job)
        Job.create(id="a", team="0")

        def work(number: int) -> None:
            for _ in range(10):
                Job.get("a").update(team=str(number), owner=str(number))

        assert together(4, work) == [None] * 4
        team = Job.get("a").team
        assert [Job.count(team=str(number)) for number in range(4)] == [int(str(n) == team) for n in range(4)]
        assert Job.where().using("by_owner").count() == 1

    @awaited
    async def test_an_index_is_awaited_like_others(self, use: Use) -> None:
        use(Job)
        await Job.abatch_create(JOBS)
        assert "".join(ids(await Job.where(team="red").order_by("-rank").aall())) == "aefd"
        assert await Job.where().using("by_owner").acount() == 4
        assert await Job.where(team="red").adelete() == 4
