"""`collect()`: rows of several models in one partition."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mixstore import Backend, Key, Model, QueryError
from mixstore.testing.clock import Clock
from mixstore.testing.conformance import Conformance
from mixstore.testing.mixins import Hideable, Mortal
from mixstore.testing.models import Person
from mixstore.testing.support import Use, awaited
from mixstore.testing.tags import extensions


class Profile(Model):
    """One in each partition."""

    class Meta:
        key = Key(partition="SHOP#{shop}", sort="PROFILE")

    shop: str
    title: str = ""


class Sale(Model):
    """Many in each partition, by day."""

    class Meta:
        key = Key(partition="SHOP#{shop}", sort="DAY#{day}#SALE#{number:05d}")

    shop: str
    day: date = date(2025, 6, 1)
    number: int
    total: int = 0


class Visit(Model):
    """Many in each partition, between the sales; its field for the shop has another name."""

    class Meta:
        key = Key(partition="SHOP#{place}", sort="DAY#{day}#VISIT#{number:05d}")

    place: str
    day: date = date(2025, 6, 1)
    number: int


class Offer(Mortal, Hideable, Model):
    """Rows that expire, and that a delete hides."""

    class Meta:
        key = Key(partition="SHOP#{shop}", sort="OFFER#{name}")

    shop: str
    name: str


def told(rows: Any) -> list[tuple[str, Any]]:
    """What rows are, in their order."""
    return [(type(row).__name__, getattr(row, "number", getattr(row, "name", None))) for row in rows]


class CollectCases(Conformance):
    """`collect()`: rows of several models in one partition."""

    @pytest.fixture
    def shop(self, use: Use, backend: Backend) -> Backend:
        """Two shops; in "a" two days of sales and visits."""
        use(Profile, Sale, Visit)
        for name in ("a", "b"):
            Profile.create(shop=name, title=name)
        for number, day in ((1, 1), (2, 2), (3, 2)):
            Sale.create(shop="a", day=date(2025, 6, day), number=number)
            Visit.create(place="a", day=date(2025, 6, day), number=number)
        Sale.create(shop="b", number=9)
        return backend

    def test_rows_of_all_models_come_by_their_sort_keys(self, shop: Backend) -> None:
        found = list(shop.collect(Profile, Sale, shop="a"))
        assert told(found) == [("Sale", 1), ("Sale", 2), ("Sale", 3), ("Profile", None)]
        assert found[-1] == Profile.get(shop="a")

    def test_models_may_name_the_fields_of_the_partition_differently(self, shop: Backend) -> None:
        found = told(shop.collect(Visit, Sale, shop="a", place="a"))
        sales, visits = [("Sale", 1), ("Visit", 1)], [("Sale", 2), ("Sale", 3), ("Visit", 2), ("Visit", 3)]
        assert found == [*sales, *visits]

    def test_an_empty_partition_and_one_that_no_row_can_have_hold_nothing(self, shop: Backend) -> None:
        assert list(shop.collect(Profile, Sale, shop="z")) == []
        assert list(shop.collect(Sale, shop="b")) == [Sale(shop="b", number=9)]

    def test_what_is_collected_can_be_changed_and_saved(self, shop: Backend) -> None:
        for row in shop.collect(Profile, Sale, shop="a"):
            if isinstance(row, Sale):
                row.total = 7
                row.save()
        assert {row.total for row in Sale.where(shop="a")} == {7}
        assert Sale.where(shop="b").one().total == 0

    def test_more_rows_than_a_page_come_in_order(self, use: Use, backend: Backend) -> None:
        use(Sale, Visit)
        Sale.batch_upsert([{"shop": "c", "number": number} for number in range(520)])
        Visit.batch_upsert([{"place": "c", "number": number, "day": date(2025, 5, 1)} for number in range(3)])
        found = told(backend.collect(Sale, Visit, shop="c", place="c"))
        assert found == [*(("Visit", number) for number in range(3)), *(("Sale", number) for number in range(520))]

    @awaited
    async def test_collecting_can_be_awaited(self, shop: Backend) -> None:
        found = [row async for row in shop.acollect(Profile, Sale, shop="a")]
        assert told(found) == [("Sale", 1), ("Sale", 2), ("Sale", 3), ("Profile", None)]

    @extensions
    def test_rows_that_their_model_hides_do_not_appear(self, use: Use, backend: Backend, clock: Clock) -> None:
        use(Profile, Offer)
        Profile.create(shop="a")
        for name, lifetime in (("dead", 10), ("kept", None), ("later", 20), ("veiled", None)):
            Offer.create(shop="a", name=name, expires_in=lifetime)
        Offer.get(shop="a", name="veiled").delete()
        clock.forward(seconds=10)
        found = told(backend.collect(Offer, Profile, shop="a"))
        assert found == [("Offer", "kept"), ("Offer", "later"), ("Profile", None)]

    def test_what_makes_no_partition_is_told_before_anything_is_read(self, shop: Backend) -> None:
        with pytest.raises(QueryError, match=r"the partition of Visit is 'SHOP#\{place\}', and place is missing"):
            shop.collect(Sale, Visit, shop="a")
        with pytest.raises(QueryError, match=r"no partition of Sale is made of 'shp'\n.*did you mean 'shop'"):
            shop.collect(Sale, shp="a")
        with pytest.raises(QueryError, match="no partition in common: Sale: 'SHOP#a', Visit: 'SHOP#b'"):
            shop.collect(Sale, Visit, shop="a", place="b")
        with pytest.raises(QueryError, match="models, each once"):
            shop.collect(Sale, Sale, shop="a")
        with pytest.raises(QueryError, match="models, each once"):
            shop.collect(shop="a")

    def test_a_model_without_templates_shares_no_partition(self, use: Use, backend: Backend) -> None:
        use(Person)
        with pytest.raises(QueryError, match=r"Person has no Key\(partition=\.\.\., sort=\.\.\.\)"):
            backend.collect(Person, id="a")
