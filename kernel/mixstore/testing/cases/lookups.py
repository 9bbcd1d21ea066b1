"""Every lookup by examples: numbers, text, nested values, and what makes no sense."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from mixstore import Q, QueryError
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Address, IndexedThing, Person, Thing
from mixstore.testing.support import UTC, Use, ids

EAST = timezone(timedelta(hours=5, minutes=30))


def found(question: Any) -> str:
    """The ids that match, in order, as one text."""
    return "".join(sorted(ids(question.all())))


class LookupCases(Conformance):
    """Every lookup by examples: numbers, text, nested values, and what makes no sense."""

    @pytest.fixture
    def five_people(self, use: Use) -> type[Person]:
        """Five five_people: ages 10, 20, 30, None, 0."""
        use(Person)
        Person.batch_create(
            [
                {"id": "a", "name": "Ann", "age": 10, "city": "Rome", "tags": ["x", "y"]},
                {"id": "b", "name": "bob", "age": 20, "city": "Oslo", "home": {"city": "Rome", "zip": "1"}},
                {"id": "c", "name": "50%_off", "age": 30, "notes": {"k": 1, "eq": "v", "deep": {"er": [1, 2]}}},
                {"id": "d", "name": "Straße", "city": "Rom", "home": {"city": "Oslo"}, "notes": {"k": None}},
                {"id": "e", "name": "", "age": 0, "city": "", "tags": [""], "notes": {"k": "1"}},
            ]
        )
        return Person

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"age": 20}, "b"),
            ({"age": None}, "d"),
            ({"age__eq": 0}, "e"),
            ({"age__ne": 20}, "acde"),
            ({"age__ne": None}, "abce"),
            ({"age__lt": 20}, "ae"),
            ({"age__lte": 20}, "abe"),
            ({"age__gt": 10}, "bc"),
            ({"age__gte": 10}, "abc"),
            ({"age__gt": None}, ""),
            ({"age__lte": None}, ""),
            ({"age__gt": 9.5}, "abc"),
            ({"age__between": (10, 20)}, "ab"),
            ({"age__between": (20, 10)}, ""),
            ({"age__between": (None, 20)}, ""),
            ({"age__between": (10.5, Decimal("29.9"))}, "b"),
            ({"age__in": [10, 30, 99]}, "ac"),
            ({"age__in": [10, None]}, "ad"),
            ({"age__in": []}, ""),
            ({"age__in": {10}}, "a"),
            ({"age__not_in": [10, 30]}, "bde"),
            ({"age__not_in": [10, None]}, "bce"),
            ({"age__not_in": []}, "abcde"),
            ({"age__isnull": True}, "d"),
            ({"age__isnull": False}, "abce"),
            ({"age__gte": 10, "age__lt": 30}, "ab"),
            ({"age": 10, "name": "bob"}, ""),
        ],
    )
    def test_comparing_numbers(self, five_people: Any, filters: dict[str, Any], expected: str) -> None:
        assert found(five_people.where(**filters)) == expected

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"name": "ann"}, ""),
            ({"name": "Ann"}, "a"),
            ({"name": ""}, "e"),
            ({"name__lt": "a"}, "acde"),
            ({"name__contains": "nn"}, "a"),
            ({"name__contains": "NN"}, ""),
            ({"name__icontains": "NN"}, "a"),
            ({"name__contains": "%"}, "c"),
            ({"name__contains": "_"}, "c"),
            ({"name__icontains": "%_O"}, "c"),
            ({"name__startswith": "50%"}, "c"),
            ({"name__startswith": "5_"}, ""),
            ({"name__startswith": "B"}, ""),
            ({"name__istartswith": "B"}, "b"),
            ({"name__endswith": "off"}, "c"),
            ({"name__endswith": "%off"}, ""),
            ({"name__iendswith": "_OFF"}, "c"),
            ({"name__icontains": "STRASSE"}, "d"),
            ({"name__icontains": "straße"}, "d"),
            ({"name__iendswith": "SSE"}, "d"),
            ({"name__regex": "^.o"}, "b"),
            ({"name__regex": r"\d"}, "c"),
            ({"name__regex": ""}, "abcde"),
            ({"name__regex": "(?i)ANN$"}, "a"),
            ({"name__size": 3}, "ab"),
            ({"name__size": 0}, "e"),
            ({"name__size": -1}, ""),
            ({"name__contains": ""}, "abcde"),
            ({"city__contains": ""}, "abde"),
            ({"city__startswith": None}, ""),
            ({"city__contains": None}, ""),
            ({"city__size": None}, ""),
            ({"city__startswith": "Rom"}, "ad"),
            ({"city__in": ["Rome", ""]}, "ae"),
        ],
    )
    def test_comparing_text(self, five_people: Any, filters: dict[str, Any], expected: str) -> None:
        assert found(five_people.where(**filters)) == expected

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"tags__contains": "x"}, "a"),
            ({"tags__contains": ""}, "e"),
            ({"tags__size": 0}, "bcd"),
            ({"tags__size": 2}, "a"),
            ({"tags": ["x", "y"]}, "a"),
            ({"tags": ["y", "x"]}, ""),
            ({"tags__in": [["x", "y"], [""]]}, "ae"),
            ({"home__city": "Rome"}, "b"),
            ({"home__city__ne": "Rome"}, "acde"),
            ({"home__zip": None}, "acde"),
            ({"home__zip__isnull": False}, "b"),
            ({"home__city__icontains": "O"}, "bd"),
            ({"home__floor__gte": 0}, "bd"),
            ({"home": None}, "ace"),
            ({"home": Address(city="Oslo")}, "d"),
            ({"home": {"city": "Rome", "zip": "1"}}, "b"),
            ({"home__in": [{"city": "Oslo"}, None]}, "acde"),
            ({"notes__k": 1}, "c"),
            ({"notes__k": "1"}, "e"),
            ({"notes__k": True}, ""),
            ({"notes__k": None}, "abd"),
            ({"notes__k__ne": 1}, "abde"),
            ({"notes__k__gte": 0}, "c"),
            ({"notes__k__isnull": True}, "abd"),
            ({"notes__eq__eq": "v"}, "c"),
            ({"notes__size": 3}, "c"),
            ({"notes__deep__er__contains": 2}, "c"),
            ({"notes__deep__er": [1, 2]}, "c"),
            ({"notes__deep__er__size": 2}, "c"),
            ({"notes__nothing__here": None}, "abcde"),
            ({"notes": {}}, "ab"),
        ],
    )
    def test_comparing_nested_values(self, five_people: Any, filters: dict[str, Any], expected: str) -> None:
        assert found(five_people.where(**filters)) == expected

    @pytest.mark.parametrize(
        ("filters", "told"),
        [
            ({"agee": 1}, "did you mean 'age'"),
            ({"age__gtt": 1}, "did you mean 'gt'"),
            ({"age__contains": 1}, "contains"),
            ({"home__ctiy": "x"}, "did you mean 'city'"),
            ({"age": "many"}, r"Person\.age is int"),
            ({"age": True}, "bool"),
            ({"active": 1}, "a number is not a bool"),
            ({"name": 5}, r"Person\.name is str"),
            ({"name__regex": "("}, "regular expression"),
            ({"age__in": 5}, "list"),
            ({"age__between": (1, 2, 3)}, "two values"),
            ({"age__isnull": 1}, "True or False"),
            ({"name": "\ud800"}, "surrogate"),
            ({"age": float("nan")}, "finite"),
        ],
    )
    def test_a_filter_that_makes_no_sense_is_refused_with_the_field_named(
        self, five_people: Any, filters: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(QueryError, match=told):
            five_people.where(**filters).all()

    def test_a_bool_is_no_number_and_a_number_no_text(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create(
            [{"id": 1, "free": 1}, {"id": 2, "free": True}, {"id": 3, "free": "1"}, {"id": 4, "free": 1.0}]
        )
        assert ids(Thing.where(free=1).order_by("id").all()) == [1, 4]
        assert ids(Thing.where(free=True).all()) == [2]
        assert ids(Thing.where(free="1").all()) == [3]
        assert ids(Thing.where(free__gt=0).order_by("id").all()) == [1, 4]
        assert ids(Thing.where(~Q(free__gt=0)).order_by("id").all()) == [2, 3]

    def test_moments_compare_across_time_zones(self, use: Use) -> None:
        use(Thing)
        Thing.create(id=1, moment=datetime(2025, 1, 1, 12, tzinfo=UTC))
        Thing.create(id=2, moment=datetime(2025, 1, 1, 12, tzinfo=EAST))
        assert ids(Thing.where(moment=datetime(2025, 1, 1, 17, 30, tzinfo=EAST)).all()) == [1]
        assert ids(Thing.where(moment__lt="2025-01-01T12:00:00Z").all()) == [2]

    def test_decimals_compare_by_value_not_by_text(self, use: Use) -> None:
        use(Thing, IndexedThing)
        for model in (Thing, IndexedThing):
            model.batch_create([{"id": n, "price": p} for n, p in enumerate(["9", "10", "1.50", "-3", "1E+2"])])
            assert ids(model.where(price=Decimal("1.5")).all()) == [2]
            assert ids(model.where(price__gt=9).order_by("id").all()) == [1, 4]
            assert ids(model.where(price__between=("-3", "9.0")).order_by("id").all()) == [0, 2, 3]
