"""Iteration streams rows page by page, whatever is written meanwhile."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Thing
from mixstore.testing.support import Use, awaited, ids, together


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

    @pytest.mark.parametrize("filters", [{}, {"number__gte": 0}, {"text__regex": "s"}], ids=str)
    def test_a_stream_gives_every_lasting_row_once_and_in_order_while_threads_write(
        self, use: Use, filters: dict[str, object]
    ) -> None:
        use(Thing)
        count = min(1100, self.limits.rows)
        Thing.batch_create([{"id": n, "number": n, "text": "stays"} for n in range(0, count, 2)])
        stop = threading.Event()

        def work(number: int) -> list[int]:
            if number == 0:
                try:
                    return [row.id for row in Thing.where(**filters).order_by("-number") if row.text == "stays"]
                finally:
                    stop.set()
            turns: list[int] = []
            while not stop.is_set():
                row = Thing.upsert(id=(2 * len(turns) + 1) % count, number=5, text="goes")
                row.delete()
                turns.append(number)
            return turns

        results = together(3, work)
        assert all(isinstance(one, list) for one in results), results
        assert results[0] == list(reversed(range(0, count, 2)))

    def test_a_row_that_is_changed_behind_its_page_comes_as_it_is_by_then(self, use: Use) -> None:
        count = 1100
        if self.limits.rows < count:
            pytest.skip("so few rows are one page")
        use(Thing)
        Thing.batch_create([{"id": n, "number": 0} for n in range(count)])
        last = Thing.get(count - 1)
        rows = iter(Thing.where(number=0))
        assert next(rows).id == 0
        last.update(number=1)
        assert ids(rows) == list(range(1, count - 1))

    def test_streams_side_by_side_share_nothing(self, use: Use) -> None:
        use(Thing)
        count = min(600, self.limits.rows)
        Thing.batch_create([{"id": n} for n in range(count)])
        pairs = [(one.id, other.id) for one, other in zip(Thing.where(), Thing.where().order_by("-id"), strict=True)]
        assert pairs == list(zip(range(count), reversed(range(count)), strict=True))

    def test_a_question_is_asked_anew_each_time_it_is_iterated(self, use: Use) -> None:
        use(Thing)
        question = Thing.where()
        assert ids(question) == []
        Thing.create(id=1)
        assert ids(question) == [1]
        assert ids(question) == [1]

    @awaited
    async def test_an_awaited_stream_goes_on_while_tasks_write(self, use: Use) -> None:
        use(Thing)
        count = min(700, self.limits.rows)
        await Thing.abatch_create([{"id": n, "text": "stays"} for n in range(0, count, 2)])

        async def write(number: int) -> None:
            row = await Thing.aupsert(id=2 * number + 1, text="goes")
            await row.adelete()

        seen: list[int] = []
        tasks: list[asyncio.Task[None]] = []
        async for row in Thing.where():
            if len(seen) % 50 == 0:
                tasks.append(asyncio.create_task(write(len(tasks))))
                await asyncio.sleep(0)
            if row.text == "stays":
                seen.append(row.id)
        await asyncio.gather(*tasks)
        assert seen == list(range(0, count, 2))

    @awaited
    async def test_a_half_consumed_awaited_stream_leaves_nothing_open(self, use: Use) -> None:
        use(Thing)
        count = min(600, self.limits.rows)
        await Thing.abatch_create([{"id": n} for n in range(count)])
        rows = aiter(Thing.where())
        assert (await anext(rows)).id == 0
        await (await Thing.aget(count - 1)).aupdate(number=1)
        del rows
        assert await Thing.where().adelete() == count
