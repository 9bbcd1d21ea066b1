"""Numbers about the rows of a query: the same on every backend, whether the engine makes them or the rows do."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixstore
from mixstore import (
    Backend,
    Bucket,
    DateHistogram,
    Field,
    Histogram,
    Missing,
    Model,
    Q,
    QueryError,
    Stats,
    Summary,
    Terms,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Address, Color, Letter
from mixstore.testing.support import UTC, Use, awaited, examples
from mixstore.testing.tags import extensions, full_text

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)


class Sale(Model):
    """Something of every kind that can be counted."""

    id: str = Field(primary_key=True)
    text: str = Field("", searchable=True)
    shop: str | None = None
    tags: list[str] = []
    color: Color | None = None
    open: bool | None = None
    number: int | None = None
    weight: float | None = None
    price: Decimal | None = None
    at: datetime | None = None
    day: date | None = None
    home: Address | None = None
    sizes: set[int] = set()
    free: dict[str, Any] = {}


SALES: list[dict[str, Any]] = [
    {"id": "a", "text": "red shoes", "shop": "north", "tags": ["new", "shoe"], "color": Color.RED, "open": True},
    {"id": "b", "shop": "north", "tags": ["shoe", "shoe"], "number": 3, "price": Decimal("9.50"), "sizes": {1, 2}},
    {"id": "c", "shop": "south", "number": -1, "weight": 0.25, "price": Decimal("10"), "home": {"city": "Zug"}},
    {"id": "d", "text": "red hat", "number": 7, "weight": 8.5, "color": Color.BLUE, "open": False},
    {"id": "e", "shop": "Ärz", "weight": -2.5, "at": JANUARY, "day": date(2024, 12, 30), "home": {"city": "Ulm"}},
    {"id": "f", "shop": "north", "at": JANUARY + timedelta(days=31, microseconds=1), "day": date(2025, 2, 28)},
    {"id": "g", "shop": "south", "at": JANUARY - timedelta(minutes=30), "price": Decimal("9.5"), "sizes": {2}},
]


def counts(buckets: Any) -> list[tuple[Any, int]]:
    """(key, count) of each bucket."""
    return [(one.key, one.count) for one in buckets]


class AggregateCases(Conformance):
    """Numbers about the rows of a query, the same on every backend."""

    @pytest.fixture
    def sales(self, use: Use) -> Any:
        """Seven sales."""
        use(Sale)
        Sale.batch_create(SALES)
        return Sale

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ("shop", [("north", 3), ("south", 2), ("Ärz", 1)]),
            ("tags", [("shoe", 2), ("new", 1)]),
            ("color", [(Color.BLUE, 1), (Color.RED, 1)]),
            ("open", [(False, 1), (True, 1)]),
            ("number", [(-1, 1), (3, 1), (7, 1)]),
            ("weight", [(-2.5, 1), (0.25, 1), (8.5, 1)]),
            ("price", [(Decimal("9.5"), 2), (Decimal(10), 1)]),
            ("day", [(date(2024, 12, 30), 1), (date(2025, 2, 28), 1)]),
            ("home__city", [("Ulm", 1), ("Zug", 1)]),
            ("sizes", [(2, 2), (1, 1)]),
        ],
    )
    def test_terms_count_the_rows_of_each_value(self, sales: Any, field: str, expected: Any) -> None:
        told = sales.where().aggregate(it=Terms(field))["it"]
        assert counts(told) == expected
        assert (told.others, told.off_by) == (0, 0)
        assert all(type(one.key) is type(key) for one, (key, _) in zip(told, expected, strict=True))

    def test_terms_beyond_their_size_are_told_as_others(self, sales: Any) -> None:
        told = sales.where().aggregate(it=Terms("shop", size=1), tags=Terms("tags", size=1))
        assert (counts(told["it"]), told["it"].others) == ([("north", 3)], 3)
        assert (counts(told["tags"]), told["tags"].others) == ([("shoe", 2)], 1)

    def test_statistics_are_about_finite_numbers(self, sales: Any) -> None:
        told = sales.where().aggregate(
            n=Stats("number"), w=Stats("weight"), p=Stats("price"), none=Stats("home__floor")
        )
        assert told["n"] == Summary(3, -1.0, 7.0, 3.0, 9.0)
        assert told["w"] == Summary(3, -2.5, 8.5, 6.25 / 3, 6.25)
        assert told["p"] == Summary(3, 9.5, 10.0, 29 / 3, 29.0)
        assert told["none"] == Summary(2, 0.0, 0.0, 0.0, 0.0)

    def test_where_there_are_no_rows_there_are_no_numbers(self, use: Use) -> None:
        use(Sale)
        told = Sale.where().aggregate(
            a=Terms("shop"), b=Stats("price"), c=DateHistogram("at", "day"), d=Histogram("number", 2), e=Missing("shop")
        )
        assert told == {"a": [], "b": Summary(0, None, None, None, 0.0), "c": [], "d": [], "e": 0}

    def test_histograms_begin_at_multiples_of_the_interval(self, sales: Any) -> None:
        told = sales.where().aggregate(n=Histogram("number", 2), w=Histogram("weight", 0.5), p=Histogram("price", 10))
        assert counts(told["n"]) == [(-2.0, 1), (2.0, 1), (6.0, 1)]
        assert counts(told["w"]) == [(-2.5, 1), (0.0, 1), (8.5, 1)]
        assert counts(told["p"]) == [(0.0, 2), (10.0, 1)]

    @pytest.mark.parametrize(
        ("interval", "expected"),
        [
            ("minute", [datetime(2024, 12, 31, 23, 30), datetime(2025, 1, 1), datetime(2025, 2, 1)]),
            ("hour", [datetime(2024, 12, 31, 23), datetime(2025, 1, 1), datetime(2025, 2, 1)]),
            ("day", [datetime(2024, 12, 31), datetime(2025, 1, 1), datetime(2025, 2, 1)]),
            ("month", [datetime(2024, 12, 1), datetime(2025, 1, 1), datetime(2025, 2, 1)]),
            ("year", [datetime(2024, 1, 1), datetime(2025, 1, 1)]),
        ],
    )
    def test_moments_are_counted_by_intervals(self, sales: Any, interval: str, expected: list[datetime]) -> None:
        told = sales.where().aggregate(it=DateHistogram("at", interval))["it"]
        assert [one.key for one in told] == [one.replace(tzinfo=UTC) for one in expected]
        assert sum(one.count for one in told) == 3

    def test_weeks_begin_on_monday_and_quarters_in_january(self, sales: Any) -> None:
        told = sales.where().aggregate(
            weeks=DateHistogram("day", "week"), quarters=DateHistogram("day", "quarter"), at=DateHistogram("at", "week")
        )
        assert counts(told["weeks"]) == [(date(2024, 12, 30), 1), (date(2025, 2, 24), 1)]
        assert counts(told["quarters"]) == [(date(2024, 10, 1), 1), (date(2025, 1, 1), 1)]
        assert counts(told["at"]) == [(datetime(2024, 12, 30, tzinfo=UTC), 2), (datetime(2025, 1, 27, tzinfo=UTC), 1)]

    def test_days_begin_by_the_clocks_of_a_time_zone(self, use: Use) -> None:
        use(Sale)
        summer = datetime(2025, 3, 29, 22, 59, tzinfo=UTC)
        hours = [summer, summer + timedelta(minutes=1), summer + timedelta(hours=23), summer + timedelta(hours=24)]
        Sale.batch_create([{"id": str(n), "at": moment} for n, moment in enumerate(hours)])
        told = Sale.where().aggregate(it=DateHistogram("at", "day", tz="Europe/Berlin"))["it"]
        begin = [datetime(2025, 3, 28, 23), datetime(2025, 3, 29, 23), datetime(2025, 3, 30, 22)]
        assert [one.key.astimezone(timezone.utc).replace(tzinfo=None) for one in told] == begin
        assert [one.count for one in told] == [1, 2, 1]
        assert told[0].key.hour == 0

    def test_rows_without_a_value_are_counted_as_missing(self, sales: Any) -> None:
        told = sales.where().aggregate(
            shop=Missing("shop"), id=Missing("id"), at=Missing("at"), city=Missing("home__city"), tags=Missing("tags")
        )
        assert told == {"shop": 1, "id": 0, "at": 4, "city": 5, "tags": 0}

    def test_numbers_are_about_the_rows_of_the_query(self, sales: Any) -> None:
        north = sales.where(Q(shop="north") | Q(shop="Ärz"))
        assert counts(north.aggregate(it=Terms("shop"))["it"]) == [("north", 3), ("Ärz", 1)]
        assert sales.where(shop__regex="^[ns]o").aggregate(n=Stats("number"))["n"].sum == 2.0
        assert sales.where(price__lt=10).aggregate(n=Terms("id"), m=Missing("number")) == {
            "n": [Bucket("b", 1), Bucket("g", 1)],
            "m": 1,
        }
        assert sales.where().order_by("-id").limit(3).aggregate(it=Terms("shop"))["it"][0] == Bucket("north", 1)
        assert counts(sales.where().order_by("id").offset(5).aggregate(it=Terms("id"))["it"]) == [("f", 1), ("g", 1)]
        page = sales.where().limit(5).paginate()
        assert counts(sales.where().cursor(page.cursor).aggregate(it=Terms("id"))["it"]) == [("f", 1), ("g", 1)]

    @full_text
    def test_numbers_are_about_what_a_search_finds(self, sales: Any) -> None:
        told = sales.search("red").order_by("-score").aggregate(it=Terms("color"), none=Missing("shop"))
        assert told == {"it": [Bucket(Color.BLUE, 1), Bucket(Color.RED, 1)], "none": 1}

    @extensions
    def test_rows_that_are_hidden_don_t_count(self, use: Use) -> None:
        use(Letter)
        Letter.batch_create([{"id": "a", "user": "u"}, {"id": "b", "user": "u"}, {"id": "c", "user": "v"}])
        Letter.get("b").delete()
        assert counts(Letter.where().aggregate(it=Terms("user"))["it"]) == [("u", 1), ("v", 1)]

    @pytest.mark.parametrize(
        ("aggregation", "problem"),
        [
            (Terms("shpo"), "did you mean 'shop'"),
            (Terms("shop", size=0), "from 1 to 10,000"),
            (Terms("shop", size=True), "from 1 to 10,000"),
            (Terms("free"), "no values can be counted"),
            (Terms("home"), "no values can be counted"),
            (Stats("shop"), "no number"),
            (Stats("open"), "no number"),
            (Histogram("number", 0), "a number above 0"),
            (Histogram("at", 1), "no number"),
            (DateHistogram("number", "month"), "no date"),
            (DateHistogram("at", "moth"), "did you mean 'month'"),
            (DateHistogram("at", "day", tz="Europe/Berlim"), "no time zone"),
            (DateHistogram("at", "hour", tz="Europe/Berlin"), "those of UTC"),
            (DateHistogram("day", "hour"), "which has no time"),
            ("shop", "no aggregation"),
        ],
    )
    def test_an_aggregation_that_makes_no_sense_is_refused(self, sales: Any, aggregation: Any, problem: str) -> None:
        with pytest.raises(QueryError, match=problem):
            sales.where().aggregate(it=aggregation)
        with pytest.raises(QueryError, match="by name"):
            sales.where().aggregate()

    def test_explain_tells_who_makes_the_numbers(self, sales: Any, backend: Backend) -> None:
        told = sales.where(shop="north").explain(it=Terms("shop"))
        by_rows = any("makes the numbers" in note for note in told.notes)
        assert by_rows is (told.operation != "aggregate")
        rest = sales.where().limit(3).explain(it=Terms("shop"))
        assert any("makes the numbers" in note for note in rest.notes)
        assert rest.backend == backend.backend_name

    @awaited
    async def test_numbers_can_be_awaited(self, sales: Any) -> None:
        told = await sales.where(shop="north").aaggregate(n=Stats("number"))
        assert told["n"].count == 1

    @examples(20)
    @given(
        rows=st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "shop": st.sampled_from(["", "a", "A", "ä", "aa", "\U0001f600", "\ufb01"]),
                    "tags": st.lists(st.sampled_from(["x", "y", "z"]), max_size=4),
                    "color": st.sampled_from(Color),
                    "number": st.integers(-5, 5),
                    "weight": st.sampled_from([0.0, -0.0, 0.5, 2.0, -1.0, 1e100]),
                    "price": st.sampled_from([Decimal("1.5"), Decimal("1.50"), Decimal(2), Decimal(10), Decimal(-3)]),
                    "at": st.datetimes(datetime(1960, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
                    "day": st.dates(date(1960, 1, 1), date(2030, 1, 1)),
                },
            ),
            max_size=8,
        ),
        size=st.integers(1, 3),
        interval=st.sampled_from(["day", "week", "month", "quarter", "year"]),
    )
    def test_any_numbers_are_those_of_the_reference(
        self, use: Use, rows: list[dict[str, Any]], size: int, interval: str
    ) -> None:
        use(Sale)
        Sale.where().delete()
        sales = [{"id": str(n), **row} for n, row in enumerate(rows)]
        Sale.batch_create(sales)
        reference = mixstore.connect("memory://")
        reference.batch_create(Sale, sales)
        names = ("shop", "tags", "color", "number", "weight", "price", "day")
        asked: dict[str, Any] = {name: Terms(name, size) for name in names}
        asked |= {f"no_{name}": Missing(name) for name in names}
        asked |= {"n": Stats("number"), "w": Stats("weight"), "p": Stats("price"), "h": Histogram("weight", 0.75)}
        asked |= {"at": DateHistogram("at", interval), "berlin": DateHistogram("at", interval, "Europe/Berlin")}
        asked |= {"days": DateHistogram("day", interval)}
        for name, one in asked.items():
            told = reference.query(Sale).aggregate(it=one)
            assert Sale.where().aggregate(it=one) == told, name
        assert Sale.where().aggregate(**asked) == reference.query(Sale).aggregate(**asked)
