"""Every lookup on every kind of value, with None, missing and edge values, against the reference evaluator."""

from __future__ import annotations

from collections.abc import Iterator
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
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Address, Color, IndexedThing, Level, Thing
from mixstore.testing.support import NOON, UTC, Use, examples, ids

EAST = timezone(timedelta(hours=5, minutes=30))

VALUES: dict[str, list[Any]] = {
    "text": ["", "a", "A", "ab", "a%b", "a_b", "aXb", "ß", "SS", "İ", "i", "é", "e\u0301", "\0", "a\0b", "Z",
             "𝔘", "1", " "],
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


LOOKUPS = [
    "eq", "ne", "lt", "lte", "gt", "gte", "between", "in", "not_in", "isnull", "size", "contains", "icontains",
    "startswith", "istartswith", "endswith", "iendswith", "regex",
]  # fmt: skip


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


NESTED = [
    ("address__city", ["Rome", "", "x", None]),
    ("address__zip", ["1", None]),
    ("address__floor", [0, -1, 0.5, None]),
    ("table__a", [1, 0, None]),
    ("table__size__eq", [3, None]),
    ("free__a", [1, True, "1", None]),
    ("free__a__b", [1, None]),
]

ALPHABET = st.sampled_from(list("aAbB%_\\'\"*?[]^$.ßẞſSİıiIÉé\u0301ΣςσǅK\0\n 1𝔘\U0010ffff"))

SHORT = st.text(ALPHABET, max_size=4)

ODD_KEYS = [
    "a.b",
    'a"b',
    "$",
    "$.a",
    "[0]",
    "0",
    "*",
    "a b",
    "é",
    "'",
    "a\\b",
    "#",
    "-1",
    "\u2028",
    "A",
    "a",
    "type",
    "id",
]

NUMBERS = [
    0,
    1,
    -1,
    1.0,
    1.5,
    -0.0,
    2**53,
    2**53 + 1,
    float(2**53),
    2**63 - 1,
    -(2**63),
    1e18,
    10**18,
    1e300,
    5e-324,
    0.1,
]


class LookupMatrixCases(Conformance):
    """Every lookup on every kind of value, with None, missing and edge values, against the reference evaluator."""

    @pytest.mark.parametrize("field", VALUES)
    def test_every_lookup_answers_as_the_reference_does(self, use: Use, field: str) -> None:
        rows = filled(use(Thing), field)
        assert check(Thing, rows, asked(field)) > 15

    @pytest.mark.parametrize("field", [field for field in VALUES if field in IndexedThing.model_fields])
    def test_every_lookup_on_an_indexed_field_answers_as_the_reference_does(self, use: Use, field: str) -> None:
        rows = filled(use(IndexedThing), field)
        assert check(IndexedThing, rows, asked(field)) > 15

    @pytest.mark.parametrize(("path", "values"), NESTED)
    def test_every_lookup_on_a_nested_path_answers_as_the_reference_does(
        self, use: Use, path: str, values: list[Any]
    ) -> None:
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

    @examples(25)
    @given(texts=st.lists(SHORT, min_size=1, max_size=12), parts=st.lists(SHORT, min_size=1, max_size=3))
    def test_text_lookups_answer_as_the_reference_does_for_any_text(
        self, use: Use, texts: list[str], parts: list[str]
    ) -> None:
        use(Thing)
        Thing.where().delete()
        rows = Thing.batch_create([{"id": number, "text": text} for number, text in enumerate(texts)])
        lookups = ("eq", "lt", "gte", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith")
        check(Thing, rows, (Q(**{f"text__{lookup}": part}) for lookup in lookups for part in parts))

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_any_key_of_a_free_dict_is_a_path(self, use: Use, key: str) -> None:
        use(Thing)
        others = [other for other in ODD_KEYS if other != key]
        rows = Thing.batch_create(
            [
                {"id": 1, "free": {key: 1}, "table": {key: 1}},
                {"id": 2, "free": {key: {key: [1]}}, "table": dict.fromkeys(others, 1)},
                {"id": 3, "free": {key: None}, "table": {}},
                {"id": 4, "free": [{key: 1}, 1]},
                {"id": 5, "free": key},
                {"id": 6, "free": dict.fromkeys(others, 1)},
            ]
        )
        questions = [
            Q(**{f"{field}__{path}__{lookup}": value})
            for field in ("free", "table")
            for path in (key, f"{key}__{key}")
            for lookup, value in [("eq", 1), ("ne", 1), ("gte", 1), ("eq", None), ("isnull", False), ("in", [1, None])]
        ]
        questions += [
            Q(**{f"free__{key}__{key}__{lookup}": value})
            for lookup, value in [("contains", 1), ("size", 1), ("eq", [1])]
        ]
        assert check(Thing, rows, iter(questions)) > 12

    def test_numbers_in_free_values_compare_exactly(self, use: Use) -> None:
        use(Thing)
        rows = Thing.batch_create(
            [{"id": n, "free": {"n": value}} for n, value in enumerate([*NUMBERS, True, False, "1", None])]
        )
        questions = [
            Q(**{f"free__n__{lookup}": value})
            for lookup in ("eq", "ne", "lt", "lte", "gt", "gte")
            for value in [*NUMBERS, True, "1", 2**63, 0.3, -(2**70)]
        ]
        questions += [Q(free__n__in=NUMBERS[:5]), Q(free__n__not_in=NUMBERS[4:9]), Q(free__n__between=(1, 2**53))]
        assert check(Thing, rows, iter(questions)) == len(questions)
