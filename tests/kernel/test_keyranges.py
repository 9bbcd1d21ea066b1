"""What filters and orders say of rendered keys."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import Field, KeyCondition, KeyShape, Model, Q, evaluate, schema_of
from mixstore.expressions import After, Order, conjunction, sort_key, terms
from mixstore.keyranges import after_prefix
from mixstore.lookups import resolve
from mixstore.templates import Template
from tests.backends.shared.support import examples

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Row(Model):
    id: str = Field(primary_key=True)
    tenant: str = ""
    owner: str | None = None
    n: int = 0
    price: Decimal = Decimal(0)
    share: float = 0.0
    open: bool = False
    day: date = date(2026, 1, 1)
    at: datetime | None = None
    name: str | None = None


SCHEMA = schema_of(Row)
TYPES = {name: spec.type for name, spec in SCHEMA.fields.items()}


def shape(partition: str, sort: str | None = None) -> KeyShape:
    return KeyShape(Template(partition), None if sort is None else Template(sort), TYPES)


def asked(*more: Any, **lookups: Any) -> tuple[Any, ...]:
    return terms(conjunction(resolve(SCHEMA, Q(**lookups)), *more))


def one(keys: KeyShape, *more: Any, **lookups: Any) -> KeyCondition:
    (found,) = keys.conditions(asked(*more, **lookups))
    return found


# -- the partition -----------------------------------------------------------------------------------------------------


def test_equality_on_all_fields_of_the_partition_tells_it():
    keys = shape("T#{tenant}#{n:03d}")
    assert keys.conditions(asked(tenant="a#b", n=7)) == (KeyCondition("T#a%23b#007"),)


@pytest.mark.parametrize("lookups", [{}, {"tenant": "a"}, {"tenant__gte": "a", "n": 1}, {"tenant": "a", "n__in": []}])
def test_a_partition_that_is_not_told_gives_no_condition(lookups):
    assert shape("T#{tenant}#{n:03d}").conditions(asked(**lookups)) == ()


def test_a_partition_without_fields_is_always_told():
    assert shape("ALL", "{n:03d}").conditions(()) == (KeyCondition("ALL"),)


def test_in_gives_a_condition_for_each_partition():
    found = shape("{tenant}#{n:02d}").conditions(asked(tenant__in=["a", "b", "a"], n__in=[1, 2]))
    assert [condition.partition for condition in found] == ["a#01", "a#02", "b#01", "b#02"]


def test_in_with_more_than_a_hundred_partitions_gives_none():
    keys = shape("{n:03d}")
    assert len(keys.conditions(asked(n__in=range(100)))) == 100
    assert keys.conditions(asked(n__in=range(101))) == ()


def test_a_value_that_no_key_can_hold_has_no_partition():
    keys = shape("{n:03d}")
    assert keys.conditions(asked(n=1000)) == ()
    assert [found.partition for found in keys.conditions(asked(n__in=[-1, 5, 1000]))] == ["005"]


def test_only_plain_terms_on_the_field_itself_tell_something():
    assert shape("{tenant}").conditions(terms(resolve(SCHEMA, Q(tenant="a") | Q(tenant="b")))) == ()
    assert shape("{tenant}").conditions(terms(resolve(SCHEMA, ~Q(tenant="a")))) == ()


# -- the sort key ------------------------------------------------------------------------------------------------------

MOMENT = "2026-01-01T00:00:00.000000Z"
NEXT = "2026-01-01T00:00:00.000000["


@pytest.mark.parametrize(
    ("sort", "lookups", "expected"),
    [
        ("{at}", {"at": EPOCH}, KeyCondition("a", MOMENT, NEXT, True, MOMENT)),
        ("{at}", {"at__gte": EPOCH}, KeyCondition("a", MOMENT, None)),
        ("{at}", {"at__gt": EPOCH}, KeyCondition("a", MOMENT, None)),
        ("{at}", {"at__lt": EPOCH}, KeyCondition("a", None, MOMENT)),
        ("{at}", {"at__lte": EPOCH}, KeyCondition("a", None, NEXT)),
        ("{at:%Y-%m}", {"at__gte": EPOCH}, KeyCondition("a", "2026-01", None)),
        ("{at:%Y-%m}", {"at__lt": EPOCH}, KeyCondition("a", None, "2026-02")),
        ("N#{n:03d}", {}, KeyCondition("a", "N#", "N$", prefix="N#")),
        ("N#{n:03d}", {"n__between": (5, 7)}, KeyCondition("a", "N#005", "N#008")),
        ("N#{n:03d}", {"n__lt": 7}, KeyCondition("a", "N#", "N#007")),
        ("N#{n:03d}", {"n__gt": 7, "n__gte": 3}, KeyCondition("a", "N#007", "N$")),
        ("N#{n:03d}", {"n__gte": 6.5, "n__lt": 7.5}, KeyCondition("a", "N#006", "N#008")),
        ("N#{n:03d}", {"n__gte": -5, "n__lte": 5000}, KeyCondition("a", "N#", "N$", prefix="N#")),
        ("N#{n:03d}", {"n__in": [9, 4, 6]}, KeyCondition("a", "N#004", "N#00:")),
        ("{n}", {"n__gte": 5}, KeyCondition("a")),
        ("{name}", {"name__startswith": "x#"}, KeyCondition("a", "x#", "x$", prefix="x#")),
        ("{name}#{n:03d}", {"name__startswith": "x#"}, KeyCondition("a", "x%23", "x%24", prefix="x%23")),
        ("{name}#{n:03d}", {"name__gte": "x"}, KeyCondition("a")),
        ("{name}", {"name__gte": "x"}, KeyCondition("a", "x", None)),
        (
            "{day}#{n:03d}",
            {"day": date(2026, 1, 2)},
            KeyCondition("a", "2026-01-02#", "2026-01-02$", prefix="2026-01-02#"),
        ),
        ("{day}#{n:03d}", {"day": date(2026, 1, 2), "n__gte": 7}, KeyCondition("a", "2026-01-02#007", "2026-01-02$")),
        ("{price}", {"price__gte": 5}, KeyCondition("a")),
        ("{price}", {"price": Decimal("5.00")}, KeyCondition("a", "5", "6", True, "5")),
    ],
)
def test_comparisons_become_a_range_of_the_sort_text(sort, lookups, expected):
    assert one(shape("{tenant}", sort), tenant="a", **lookups) == expected


def test_the_place_where_a_page_ended_is_a_bound():
    keys = shape("{tenant}", "{n:03d}")
    up = After((Order(("tenant",)), Order(("n",)), Order(("id",))), ("a", 5, "x"))
    down = After((Order(("n",), True), Order(("id",))), (5, "x"))
    other = After((Order(("id",)), Order(("n",))), ("x", 5))
    assert one(keys, up, tenant="a") == KeyCondition("a", "005", None)
    assert one(keys, down, tenant="a") == KeyCondition("a", None, "006")
    assert one(keys, other, tenant="a") == KeyCondition("a")


def test_a_condition_admits_what_lies_in_it():
    half = KeyCondition("a", "b", "d")
    assert [text for text in "abcde" if half.admits("a", text)] == ["b", "c"]
    assert not half.admits("b", "c")
    assert not half.admits("a")
    assert KeyCondition("a").admits("a")
    exact = KeyCondition("a", "b", "c", True, "b")
    assert exact.admits("a", "b")
    assert not exact.admits("a", "bb")


@pytest.mark.parametrize(
    ("prefix", "end"), [("a", "b"), ("a\U0010ffff", "b"), ("\U0010ffff", None), ("", None), ("\ud7ff", "\ue000")]
)
def test_the_text_after_a_prefix_is_the_first_that_does_not_start_with_it(prefix, end):
    assert after_prefix(prefix) == end


# -- whether the index has all rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lookups", "complete"),
    [
        ({"owner": "ann"}, True),
        ({"owner__in": ["ann", "bob"]}, True),
        ({"owner__gte": "a"}, True),
        ({"owner__isnull": False}, True),
        ({"owner__contains": "a"}, True),
        ({}, False),
        ({"tenant": "a"}, False),
        ({"owner": None}, False),
        ({"owner__in": ["ann", None]}, False),
        ({"owner__ne": "ann"}, False),
        ({"owner__not_in": ["ann"]}, False),
        ({"owner__isnull": True}, False),
    ],
)
def test_a_sparse_index_has_all_rows_only_if_the_filter_leaves_out_those_without_a_key(lookups, complete):
    assert shape("{tenant}", "{owner}").complete(asked(**lookups)) is complete


def test_negations_say_whether_a_value_is_there_too():
    keys = shape("{owner}")
    assert keys.complete(asked(~resolve(SCHEMA, Q(owner__isnull=True))))
    assert not keys.complete(asked(~resolve(SCHEMA, Q(owner="ann"))))
    assert not keys.complete(asked(~resolve(SCHEMA, Q(owner__isnull=False))))


# -- orders ------------------------------------------------------------------------------------------------------------


def orders(*names: str) -> tuple[Order, ...]:
    return tuple(Order((name.removeprefix("-"),), name.startswith("-")) for name in names)


@pytest.mark.parametrize(
    ("sort", "order", "told"),
    [
        ("{at}", ("at", "id"), (False, ("id",))),
        ("{at}", ("-at", "id"), (True, ("id",))),
        ("{at}", ("tenant", "at", "id"), (False, ("id",))),
        ("{at}#{id}", ("at", "id"), (False, ())),
        ("{at}#{id}", ("-at", "-id"), (True, ())),
        ("{at}#{id}", ("-at", "id"), None),
        ("{at}#{id}", ("id",), None),
        ("{at}#{n:03d}", ("at", "id"), None),
        ("{day}#{n:03d}#{id}", ("day", "n", "id"), (False, ())),
        ("{n}", ("n", "id"), None),
        ("{name}#{id}", ("name", "id"), None),
        ("{at:%Y-%m}", ("at", "id"), None),
        (None, ("at", "id"), None),
        (None, ("-tenant",), (False, ())),
    ],
)
def test_an_order_that_the_sort_texts_have_is_recognised(sort, order, told):
    found = shape("{tenant}", sort).order(orders(*order), asked(tenant="a"))
    assert found == (None if told is None else (told[0], orders(*told[1])))


def test_fields_that_are_told_do_not_count_in_an_order():
    keys = shape("{tenant}", "{day}#{n:03d}#{id}")
    day = date(2026, 1, 1)
    assert keys.order(orders("n", "id"), asked(tenant="a", day=day)) == (False, ())
    assert keys.order(orders("n", "id"), asked(tenant="a")) is None
    assert keys.order(orders("n", "id"), asked(tenant__in=["a", "b"], day=day)) is None


# -- every row that matches lies inside --------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("ab#%$-/0Zé\U0001f600 "), max_size=3)
NUMBERS = st.sampled_from([9, 10, 10.5, -2, 100, 0])
PRICES = st.sampled_from([Decimal(text) for text in ("-1.5", "-1", "9", "10", "0.50")])
MOMENTS = st.integers(-40, 40).map(lambda hours: EPOCH + timedelta(hours=hours * 17, microseconds=hours % 3))


def maybe(values: Any) -> Any:
    return st.one_of(values, values, values, st.none())


VALUES: dict[str, Any] = {
    "tenant": TEXTS, "owner": maybe(TEXTS), "n": st.sampled_from([9, 10, 0, 11]), "price": PRICES,
    "share": st.sampled_from([-0.0, 0.0, 0.5, 1e20]), "open": st.sampled_from([True, True, False]),
    "day": MOMENTS.map(datetime.date), "at": maybe(MOMENTS), "name": maybe(TEXTS),
}  # fmt: skip
OPERANDS: dict[str, Any] = {**VALUES, "n": NUMBERS}
PARTS = [
    "{tenant}", "{owner}", "{n:02d}", "{n}", "{price}", "{share}", "{open}", "{day}", "{day:%Y-%m}", "{at}",
    "{at:%Y%m%d}", "{at:%Y-%m-%dT%H:%M:%S.%f}", "{name}", "X",
]  # fmt: skip
RANGES = ("eq", "in", "gt", "gte", "lt", "lte", "between", "startswith")


PARTITIONS = st.sampled_from(["X", "{tenant}", "{n:02d}#{open}", "{at:%Y%m%d}#{name}", "{price}#{share}#{owner}"])
SORTS = st.sampled_from([None, *PARTS, *(f"{one}#{two}" for one, two in permutations(PARTS[2:], 2))])
ROWS = st.fixed_dictionaries({"id": TEXTS, **VALUES})


@st.composite
def comparison(draw: Any, row: dict[str, Any], name: str, lookups: tuple[str, ...] = RANGES) -> Any:
    """A comparison of a field that the row fulfils, by its own value more often than by another."""
    value = row[name]
    other = draw(st.just(value) | OPERANDS[name])
    lookup = draw(st.sampled_from(lookups))
    if lookup == "startswith":
        if not isinstance(value, str):
            return None
        operand: Any = value[: draw(st.integers(0, len(value)))]
    else:
        operand = {"in": [other, value], "between": (value, other)}.get(lookup, other if lookup != "eq" else value)
    if value is None or other is None or (name == "open" and lookup not in ("eq", "in")):
        return None
    made = resolve(SCHEMA, Q(**{f"{name}__{lookup}": operand}))
    return made if evaluate(made, row) else None


@st.composite
def asked_of_a_row(draw: Any) -> tuple[KeyShape, dict[str, Any], list[Any]]:
    """Templates, a row, and terms that it fulfils: mostly such as tell its partition."""
    keys = shape(draw(PARTITIONS), draw(SORTS))
    row = draw(ROWS)
    terms_of_row = [draw(comparison(row, name, ("eq", "in"))) for name in keys.partition.fields]
    for name in keys.sort.fields if keys.sort else ():
        terms_of_row += [draw(comparison(row, name)) for _ in range(2)]
    return keys, row, [term for term in terms_of_row if term is not None]


@examples(1000)
@given(asked_of_a_row())
def test_a_row_that_matches_and_has_a_key_lies_in_just_one_condition(case):
    keys, row, found = case
    conditions = keys.conditions(found)
    partition, sort = keys.partition.render(row), None if keys.sort is None else keys.sort.render(row)
    if partition is None or (keys.sort is not None and sort is None):
        assert not keys.complete(found)
    elif conditions:
        assert sum(condition.admits(partition, sort) for condition in conditions) == 1


@st.composite
def ordered(draw: Any) -> tuple[KeyShape, tuple[Order, ...]]:
    """Templates, and an order that begins as their sort texts do."""
    keys = shape("X#{open}", draw(SORTS.filter(bool)))
    assert keys.sort is not None
    names = [*keys.sort.fields[: draw(st.integers(1, 3))], *draw(st.lists(st.sampled_from(["id", "n"]), max_size=1))]
    descending = draw(st.booleans())
    return keys, tuple(Order((name,), descending) for name in dict.fromkeys(names))


@examples(600)
@given(case=ordered(), rows=st.lists(ROWS, min_size=4, max_size=10))
def test_an_order_that_is_recognised_is_that_of_the_texts(case, rows):
    keys, order = case
    found = keys.order(order, asked(open=True)) if order else None
    if found is None:
        return
    texts = [(keys.sort.render(row), row) for row in rows if row["open"]]
    held = [(text, row) for text, row in texts if text is not None]
    key = sort_key(order[: len(order) - len(found.rest)])
    by_text = sorted(held, key=lambda pair: pair[0], reverse=found.descending)
    assert [key(row) for _, row in by_text] == sorted((key(row) for _, row in held))
    if found.rest:
        assert all(key(a) != key(b) for (one, a), (two, b) in pairwise(by_text) if one != two)
