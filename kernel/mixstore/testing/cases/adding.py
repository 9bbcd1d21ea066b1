"""Additions: what many writers add to one number is all there, natively or not."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from mixstore import Field, Model, NotFoundError, ValidationError, aadd_to, add_to
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Lease
from mixstore.testing.plans import captured_plans
from mixstore.testing.support import Use, awaited, together
from mixstore.testing.tags import adds, conditions, extensions, unique


class Counted(Model):
    """Numbers of each kind."""

    id: str = Field(primary_key=True)
    n: int = 0
    real: float = 0.0
    price: Decimal = Decimal(0)
    maybe: int | None = None
    few: int = Field(0, ge=0, le=10)
    text: str = ""


class AddingCases(Conformance):
    """Additions: what many writers add to one number is all there, natively or not."""

    @conditions
    def test_an_addition_is_stored_and_shown(self, use: Use) -> None:
        use(Counted)
        row = Counted.create(id="a", n=5)
        add_to(row, {"n": 2, "real": 0.5, "price": Decimal("0.10")})
        add_to(row, {"n": -9, "price": Decimal("0.20")})
        found = Counted.get("a")
        assert found == row
        assert (found.n, found.real, found.price) == (-2, 0.5, Decimal("0.30"))

    @conditions
    def test_none_counts_as_nothing(self, use: Use) -> None:
        use(Counted)
        row = Counted.create(id="a")
        add_to(row, {"maybe": 3})
        assert row.maybe == Counted.get("a").maybe == 3

    @conditions
    def test_an_addition_of_a_stale_instance_adds_to_what_is_stored(self, use: Use) -> None:
        use(Counted)
        stale = Counted.create(id="a")
        Counted.get("a").update(n=40, text="theirs")
        add_to(stale, {"n": 2})
        assert (Counted.get("a").n, Counted.get("a").text) == (42, "theirs")
        assert stale.n == 42

    @conditions
    def test_decimals_are_added_exactly(self, use: Use) -> None:
        use(Counted)
        row = Counted.create(id="a", price=Decimal("99999999999999999999.01"))
        for _ in range(3):
            add_to(row, {"price": Decimal("0.1")})
        assert Counted.get("a").price == Decimal("99999999999999999999.31")

    @conditions
    @pytest.mark.parametrize("by", [11, -1])
    def test_a_sum_out_of_the_bounds_of_its_field_is_refused_and_nothing_is_added(self, use: Use, by: int) -> None:
        use(Counted)
        row = Counted.create(id="a")
        with pytest.raises(ValidationError) as caught:
            add_to(row, {"few": by})
        assert caught.value.field == "few"
        assert Counted.get("a").few == 0

    @conditions
    def test_an_addition_to_a_row_that_is_gone_is_not_found(self, use: Use) -> None:
        use(Counted)
        row = Counted.create(id="a")
        Counted.get("a").delete()
        with pytest.raises(NotFoundError) as caught:
            add_to(row, {"n": 1})
        assert caught.value.key == "a"
        assert Counted.count() == 0

    @conditions
    @pytest.mark.parametrize("amount", [{"text": 1}, {"id": 1}, {"nn": 1}, {"n": "x"}, {"n": True}])
    def test_an_addition_that_makes_no_sense_is_refused(self, use: Use, amount: dict[str, int]) -> None:
        use(Counted)
        row = Counted.create(id="a")
        with pytest.raises(ValidationError):
            add_to(row, amount)
        assert Counted.get("a") == Counted(id="a")

    @conditions
    def test_threads_that_add_lose_nothing(self, use: Use) -> None:
        use(Counted)
        Counted.create(id="a")

        def work(number: int) -> int:
            row = Counted.get("a")
            for _ in range(5):
                add_to(row, {"n": number})
            return number

        results = together(4, work)
        assert results == [0, 1, 2, 3], results
        assert Counted.get("a").n == 5 * sum(range(4))

    @adds
    @conditions
    def test_of_sixteen_threads_that_add_inside_the_engine_none_meets_a_conflict_and_each_is_told_the_sum(
        self, use: Use
    ) -> None:
        use(Counted)
        Counted.create(id="a", n=100, text="kept")
        rows = [Counted.get("a") for _ in range(16)]

        def work(number: int) -> list[int]:
            return [add_to(rows[number], {"n": 1}).n for _ in range(5)]

        results = together(16, work)
        assert all(isinstance(one, list) for one in results), results
        assert Counted.get("a") == Counted(id="a", n=180, text="kept")
        assert sorted(number for one in results for number in one) == list(range(101, 181)), "a sum was told twice"
        assert all(one == sorted(one) for one in results)

    @adds
    @conditions
    def test_an_addition_inside_the_engine_is_one_request_that_tells_the_row_after_it(self, use: Use) -> None:
        use(Counted)
        row = Counted.create(id="a", n=1)
        Counted.get("a").update(n=40, price=Decimal("0.1"), text="theirs")
        with captured_plans() as plans:
            assert add_to(row, {"n": 2, "price": Decimal("0.2"), "maybe": 5}) is row
        assert len(plans) == 1
        assert (row.n, row.price, row.maybe) == (42, Decimal("0.3"), 5)
        row.text = "mine"
        row.save()
        assert Counted.get("a") == Counted(id="a", n=42, price=Decimal("0.3"), maybe=5, text="mine")

    @conditions
    @awaited
    async def test_tasks_that_add_lose_nothing(self, use: Use) -> None:
        use(Counted)
        await Counted.acreate(id="a")

        async def work(number: int) -> None:
            await aadd_to(await Counted.aget("a"), {"n": number})

        await asyncio.gather(*(work(number) for number in range(12)))
        assert (await Counted.aget("a")).n == sum(range(12))

    @conditions
    @awaited
    async def test_an_addition_can_be_awaited(self, use: Use) -> None:
        use(Counted)
        row = await Counted.acreate(id="a")
        await aadd_to(row, {"n": 2})
        assert (await Counted.aget("a")).n == row.n == 2

    @unique
    @conditions
    @extensions
    def test_additions_to_a_dead_row_are_not_found(self, use: Use) -> None:
        use(Lease)
        lease = Lease.create(id="a", expires_in=-1)
        with pytest.raises(NotFoundError):
            add_to(lease, {"slot": 1})
