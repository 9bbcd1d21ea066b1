"""Iteration streams rows page by page, whatever is written meanwhile."""

from __future__ import annotations

from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Thing
from mixstore.testing.support import Use, awaited, ids


class StreamingCases(Conformance):
    """Iteration streams rows page by page, whatever is written meanwhile."""

    def test_iteration_gives_every_row_once_across_its_pages(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create([{"id": n, "number": n % 7} for n in range(1203)])
        assert ids(Thing.where()) == list(range(1203))
        assert ids(Thing.where(number=3)) == [n for n in range(1203) if n % 7 == 3]
        expected = sorted(range(1203), key=lambda n: (-(n % 7), n))
        assert ids(Thing.where().order_by("-number")) == expected
        assert ids(Thing.where().order_by("-number").limit(700).offset(10)) == expected[10:710]
        assert ids(Thing.where().limit(500)) == list(range(500))
        assert sum(1 for _ in Thing.where().select("id")) == 1203

    @awaited
    async def test_async_iteration_gives_every_row_once(self, use: Use) -> None:
        use(Thing)
        await Thing.abatch_create([{"id": n} for n in range(701)])
        assert [row.id async for row in Thing.where()] == list(range(701))
        assert [row.id async for row in Thing.where().order_by("-id").limit(3)] == [700, 699, 698]

    def test_iteration_streams_and_sees_rows_written_behind_its_page(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create([{"id": n} for n in range(0, 2000, 2)])
        seen = []
        for row in Thing.where():
            if not seen:
                Thing.create(id=1999)
                Thing.create(id=-1)
            if row.id == 100:
                Thing.get(1500).delete()
                Thing.get(0).delete()
            seen.append(row.id)
        assert seen == [n for n in range(0, 2000, 2) if n != 1500] + [1999]

    def test_rows_deleted_while_iterating_are_each_met_once(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create([{"id": n} for n in range(1100)])
        assert [row.delete() for row in Thing.where()] == [True] * 1100
        assert Thing.count() == 0

    def test_a_half_consumed_iteration_leaves_nothing_open(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create([{"id": n} for n in range(600)])
        rows = iter(Thing.where())
        assert next(rows).id == 0
        Thing.get(599).update(number=1)
        del rows
        assert Thing.where().delete() == 600
