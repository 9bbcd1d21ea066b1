"""Every lookup on every kind of value, with None, missing and edge values: first by examples, then all of it against the
reference evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import HttpUrl

from mixstore import Model, Q, QueryError
from mixstore.expressions import evaluate
from mixstore.lookups import resolve
from mixstore.schema import schema_of
from tests.backends.shared.models import Address, Color, IndexedThing, Level, Person, Thing
from tests.backends.shared.support import NOON, UTC, examples, ids

Use = Callable[..., Any]
EAST = timezone(timedelta(hours=5, minutes=30))


# -- by examples ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(use: Use) -> type[Person]:
    """Five people: ages 10, 20, 30, None, 0."""
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


def found(question: Any) -> str:
    """The ids that match, in order, as one text."""
    return "".join(sorted(ids(question.all())))


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
def test_comparing_numbers(people: Any, filters: dict[str, Any], expected: str) -> None:
    assert found(people.where(**filters)) == expected


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
def test_comparing_text(people: Any, filters: dict[str, Any], expected: str) -> None:
    assert found(people.where(**filters)) == expected


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
def test_comparing_nested_values(people: Any, filters: dict[str, Any], expected: str) -> None:
    assert found(people.where(**filters)) == expected


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
    people: Any, filters: dict[str, Any], told: str
) -> None:
    with pytest.raises(QueryError, match=told):
        people.where(**filters).all()


def test_a_bool_is_no_number_and_a_number_no_text(use: Use) -> None:
    use(Thing)
    Thing.batch_create([{"id": 1, "free": 1}, {"id": 2, "free": True}, {"id": 3, "free": "1"}, {"id": 4, "free": 1.0}])
    assert ids(Thing.where(free=1).order_by("id").all()) == [1, 4]
    assert ids(Thing.where(free=True).all()) == [2]
    assert ids(Thing.where(free="1").all()) == [3]
    assert ids(Thing.where(free__gt=0).order_by("id").all()) == [1, 4]
    assert ids(Thing.where(~Q(free__gt=0)).order_by("id").all()) == [2, 3]


def test_moments_compare_across_time_zones(use: Use) -> None:
    use(Thing)
    Thing.create(id=1, moment=datetime(2025, 1, 1, 12, tzinfo=UTC))
    Thing.create(id=2, moment=datetime(2025, 1, 1, 12, tzinfo=EAST))
    assert ids(Thing.where(moment=datetime(2025, 1, 1, 17, 30, tzinfo=EAST)).all()) == [1]
    assert ids(Thing.where(moment__lt="2025-01-01T12:00:00Z").all()) == [2]


def test_decimals_compare_by_value_not_by_text(use: Use) -> None:
    use(Thing, IndexedThing)
    for model in (Thing, IndexedThing):
        model.batch_create([{"id": n, "price": p} for n, p in enumerate(["9", "10", "1.50", "-3", "1E+2"])])
        assert ids(model.where(price=Decimal("1.5")).all()) == [2]
        assert ids(model.where(price__gt=9).order_by("id").all()) == [1, 4]
        assert ids(model.where(price__between=("-3", "9.0")).order_by("id").all()) == [0, 2, 3]


# -- all of it, against the reference -------------------------------------------------------------------------------------

VALUES: dict[str, list[Any]] = {
    "text": ["", "a", "A", "ab", "a%b", "a_b", "aXb", "ß", "SS", "İ", "i", "é", "e\u0301", "\0", "a\0b", "Z", "𝔘", "1", " "],
    "number": [0, 1, -1, 7, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)],
    "real": [0.0, -0.0, 1.0, 1.5, -1.5, 1e300, 5e-324, 0.1, 2.0**53, float("inf"), float("-inf")],
    "price": [Decimal(text) for text in ("0", "1", "1.5", "10", "9", "-2", "1e25", "0.000000001", "9007199254740993")],
    "flag": [True, False],
    "raw": [b"", b"a", b"A", b"\0", b"\xff", b"ab"],
    "moment": [
        datetime(1, 1, 1, tzinfo=UTC), NOON, NOON + timedelta(microseconds=1),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    "day": [date.min, date(2025, 6, 1), date.max],
    "hour": [time(0), time(12), time(12, 0, 0, 1), time.max],
    "span": [timedelta(0), timedelta(seconds=1), timedelta(microseconds=-1), timedelta(days=36500)],
    "uuid": [UUID(int=0), UUID(int=1), UUID(int=2**127), UUID(int=2**128 - 1)],
    "color": list(Color),
    "level": list(Level),
    "mode": ["on", 1],
    "ip": [IPv4Address("0.0.0.0"), IPv4Address("9.0.0.1"), IPv4Address("10.0.0.1"), IPv4Address("255.255.255.255")],
    "site": [HttpUrl("https://a.org"), HttpUrl("https://A.org/x"), HttpUrl("http://b.org/%25?q=1")],
    "address": [Address(city="Rome"), Address(city="Rome", zip="1"), Address(city="", floor=-1)],
    "words": [[], ["a"], ["a", "b"], ["b", "a"], [""], ["A"]],
    "counts": [set(), {1}, {1, 2}, {2**63 - 1}],
    "pair": [(0, ""), (1, "a"), (1, "b")],
    "table": [{}, {"a": 1}, {"a": 1, "b": 2}, {"size": 3}],
    "free": [0, 1, 1.0, True, False, "", "a", "1", [], [1], ["a"], {}, {"a": 1}, 2**60, 0.5],
    "either": [0, 1, "0", "1", "", -5],
}  # fmt: skip
"""Values of every field of `Thing`; None is always one more."""

TEXTS = ["", "a", "A", "b", "%", "_", "a_", "ss", "ß", "i", "\0", "1", "http", "on", "red", "RE", "."]
OPERANDS: dict[str, list[Any]] = {
    "number": [0.5, Decimal("1.5"), 2**63, -(2**70), 1e30, "7"],
    "real": [1, 2**53 + 1, Decimal("0.1"), "1.5", 10**30],
    "price": [1, 1.5, 0.1, "10.0", 2**70, Decimal("1e-30")],
    "moment": [datetime(2025, 6, 1, 17, 30, tzinfo=EAST), "2025-06-01T12:00:00.000001Z"],
    "day": ["2025-06-01"],
    "span": [timedelta.max, timedelta.min],
    "color": ["red"],
    "level": [2],
    "words": [("a",)],
    "free": [None, 2**63, Decimal("1"), 1e300],
    "either": [True if False else 1, "a", 2**65],
}
"""Further operands, which no row holds."""


def operands(field: str, lookup: str) -> Iterator[Any]:
    """What to compare a field with by a lookup."""
    values = [None, *VALUES[field], *OPERANDS.get(field, [])]
    if lookup == "isnull":
        yield from (True, False)
    elif lookup == "size":
        yield from (0, 1, 2, 3, -1, None, 2**70)
    elif lookup == "between":
        yield from ((low, high) for low in values[:6] for high in values[-4:])
    elif lookup in ("in", "not_in"):
        yield from ([], values, values[1:], [None], values[:2], values[2:4])
    elif lookup == "contains" and field == "words":
        yield from ("", "a", "b", None)
    elif lookup == "contains" and field == "counts":
        yield from (1, 2, 3, 2**63 - 1, 2**64, None)
    elif lookup == "contains" and field == "pair":
        yield from (1, "a", "b", 0, None)
    elif lookup == "contains" and field == "free":
        yield from (1, "a", True, None, 0.5)
    elif lookup in ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"):
        yield from (*TEXTS, None)
    elif lookup == "regex":
        yield from ("", "^a", "a$", ".", "[A-Z]", r"\d", "(?i)A", "^$", "\\.", None)
    else:
        yield from values


LOOKUPS = (
    "eq ne lt lte gt gte between in not_in isnull size contains icontains startswith istartswith endswith iendswith regex"
).split()


def asked(field: str) -> Iterator[Q]:
    """Every question of one comparison about a field, those that have an answer and those that don't."""
    for lookup in LOOKUPS:
        for operand in operands(field, lookup):
            yield Q(**{f"{field}__{lookup}": operand})


def check(model: type[Model], rows: list[Any], questions: Iterator[Q]) -> int:
    """Compare the backend's answers, also of the negation, with the reference; returns how many had an answer."""
    schema, answered = schema_of(model), 0
    for question in questions:
        try:
            resolved = resolve(schema, question)
        except QueryError:
            continue  # not for this kind of field: the same everywhere, since no backend is asked
        expected = {row.id for row in rows if evaluate(resolved, vars(row))}
        assert set(ids(model.where(question).all())) == expected, f"{question!r}"
        assert model.where(question).count() == len(expected), f"count of {question!r}"
        assert set(ids(model.where(~question).all())) == {row.id for row in rows} - expected, f"not {question!r}"
        answered += 1
    return answered


def filled(model: Any, field: str) -> list[Any]:
    """A row for every value of a field, and two for None."""
    values = [None, *VALUES[field], None]
    return model.batch_create([{"id": number, field: value} for number, value in enumerate(values)])  # type: ignore[no-any-return]


@pytest.mark.parametrize("field", VALUES)
def test_every_lookup_answers_as_the_reference_does(use: Use, field: str) -> None:
    rows = filled(use(Thing), field)
    assert check(Thing, rows, asked(field)) > 15


@pytest.mark.parametrize("field", [field for field in VALUES if field in IndexedThing.model_fields])
def test_every_lookup_on_an_indexed_field_answers_as_the_reference_does(use: Use, field: str) -> None:
    rows = filled(use(IndexedThing), field)
    assert check(IndexedThing, rows, asked(field)) > 15


NESTED = [
    ("address__city", ["Rome", "", "x", None]),
    ("address__zip", ["1", None]),
    ("address__floor", [0, -1, 0.5, None]),
    ("table__a", [1, 0, None]),
    ("table__size__eq", [3, None]),
    ("free__a", [1, True, "1", None]),
    ("free__a__b", [1, None]),
]


@pytest.mark.parametrize(("path", "values"), NESTED)
def test_every_lookup_on_a_nested_path_answers_as_the_reference_does(use: Use, path: str, values: list[Any]) -> None:
    field = path.partition("__")[0]
    path = path.removesuffix("__eq")
    rows = filled(use(Thing), field)
    single = (
        Q(**{f"{path}__{lookup}": value})
        for lookup in ("eq", "ne", "lt", "lte", "gt", "gte", "contains", "icontains", "startswith", "regex")
        for value in [*values, "o"]
    )
    several = (
        Q(**{f"{path}__{lookup}": operand})
        for lookup, operand in [
            ("in", values),
            ("not_in", values),
            ("in", []),
            ("between", (values[0], values[0])),
            ("isnull", True),
            ("isnull", False),
        ]
    )
    assert check(Thing, rows, (question for questions in (single, several) for question in questions)) > 10


ALPHABET = st.sampled_from(list("aAbB%_\\'\"*?[]^$.ßẞſSİıiIÉé\u0301ΣςσǅK\0\n 1𝔘\U0010ffff"))
SHORT = st.text(ALPHABET, max_size=4)


@examples(25)
@given(texts=st.lists(SHORT, min_size=1, max_size=12), parts=st.lists(SHORT, min_size=1, max_size=3))
def test_text_lookups_answer_as_the_reference_does_for_any_text(use: Use, texts: list[str], parts: list[str]) -> None:
    use(Thing)
    Thing.where().delete()
    rows = Thing.batch_create([{"id": number, "text": text} for number, text in enumerate(texts)])
    lookups = ("eq", "lt", "gte", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith")
    check(Thing, rows, (Q(**{f"text__{lookup}": part}) for lookup in lookups for part in parts))
