"""Iteration streams rows page by page, whatever is written meanwhile."""

from __future__ import annotations

import pytest

from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Thing
from mixstore.testing.support import Use, awaited, ids


class StreamingCases(Conformance):
    """Iteration streams rows page by page, whatever is written meanwhile."""

    def test_iteration_gives_every_row_once_across_its_pages(self, use: Use) -> None:
        use(Thing)
        count = min(1203, self.limits.rows)
        Thing.batch_create([{"id": n, "number": n % 7} for n in range(count)])
        assert ids(Thing.where()) == list(range(count))
        assert ids(Thing.where(number=3)) == [n for n in range(count) if n % 7 == 3]
        expected = sorted(range(count), key=lambda n: (-(n % 7), n))
        assert ids(Thing.where().order_by("-number")) == expected
        assert ids(Thing.where().order_by("-number").limit(700).offset(10)) == expected[10:710]
        assert ids(Thing.where().limit(500)) == list(range(min(500, count)))
        assert sum(1 for _ in Thing.where().select("id")) == count

    @awaited
    async def test_async_iteration_gives_every_row_once(self, use: Use) -> None:
        use(Thing)
        count = min(701, self.limits.rows)
        await Thing.abatch_create([{"id": n} for n in range(count)])
        assert [row.id async for row in Thing.where()] == list(range(count))
        assert [row.id async for row in Thing.where().order_by("-id").limit(3)] == [count - 1, count - 2, count - 3]

    def test_iteration_streams_and_sees_rows_written_behind_its_page(self, use: Use) -> None:
        if self.limits.rows < 1000:
            pytest.skip("it takes more rows than a page")
        use(Thing)
        Thing.batch_create([{"id": n} for n in range(0, 2000, 2)])
        seen: list[int] = []
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
        count = min(1100, self.limits.rows)
        Thing.batch_create([{"id": n} for n in range(count)])
        assert [row.delete() for row in Thing.where()] == [True] * count
        assert Thing.count() == 0

    def test_a_half_consumed_iteration_leaves_nothing_open(self, use: Use) -> None:
        use(Thing)
        count = min(600, self.limits.rows)
        Thing.batch_create([{"id": n} for n in range(count)])
        rows = iter(Thing.where())
        assert next(rows).id == 0
        Thing.get(count - 1).update(number=1)
        del rows
        assert Thing.where().delete() == count
