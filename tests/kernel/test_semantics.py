"""What a comparison means: the reference semantics that every backend is held to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import ip_address, ip_interface
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel

from mixstore.errors import QueryError
from mixstore.expressions import Compare, Not, comparable, evaluate, matcher


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    city: str
    zip: str | None = None


ORDERINGS = ("lt", "lte", "gt", "gte")
NOON = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)


def holds(found: Any, lookup: str, operand: Any, function: Callable[[Any, Any], bool] | None = None) -> bool:
    """The answer for one value, which is the same for a field and for a path of two steps."""
    top = evaluate(Compare(("x",), lookup, operand, function), {"x": found})
    nested = evaluate(Compare(("a", "x"), lookup, operand, function), {"a": {"x": found}})
    assert top is nested, "a nested value compares like a field"
    assert evaluate(Not(Compare(("x",), lookup, operand, function)), {"x": found}) is not top
    return top


# -- None and what is missing ------------------------------------------------------------------------------


def test_eq_none_matches_none_and_what_is_missing() -> None:
    assert holds(None, "eq", None)
    assert evaluate(Compare(("x",), "eq", None), {})
    assert evaluate(Compare(("a", "b", "c"), "eq", None), {"a": {"b": None}})
    assert not holds(0, "eq", None)


def test_ne_and_not_in_include_none() -> None:
    assert holds(None, "ne", 1)
    assert holds(None, "not_in", (1, 2))
    assert not holds(None, "ne", None)
    assert not holds(None, "not_in", (1, None))


@pytest.mark.parametrize("lookup", ORDERINGS)
def test_an_ordering_with_none_is_false_on_either_side(lookup: str) -> None:
    assert not holds(None, lookup, 1)
    assert not holds(1, lookup, None)
    assert not holds(None, lookup, None)


def test_between_with_none_is_false() -> None:
    assert not holds(None, "between", (1, 3))
    assert not holds(2, "between", (None, 3))
    assert not holds(2, "between", (1, None))


@pytest.mark.parametrize(
    "lookup", ["contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex", "size"]
)
def test_other_lookups_of_none_or_with_none_are_false(lookup: str) -> None:
    assert not holds(None, lookup, 1 if lookup == "size" else "x")
    assert not holds("x", lookup, None)
    assert not holds(None, lookup, None)


def test_none_inside_in_matches_none() -> None:
    assert holds(None, "in", (1, None))
    assert not holds(None, "in", (1, 2))


def test_isnull_tells_none_from_everything_else() -> None:
    assert holds(None, "isnull", True)
    assert not holds("", "isnull", True)
    assert holds("", "isnull", False)


# -- types -------------------------------------------------------------------------------------------------

SAMPLES = [
    None, True, 1, "1", b"1", NOON, date(2025, 1, 1), timedelta(1), UUID(int=1), ip_address("0.0.0.1"),
    ip_interface("0.0.0.1/32"), [1], {1}, {"1": 1},
]  # fmt: skip


@pytest.mark.parametrize("found", SAMPLES)
def test_values_of_different_types_are_never_equal_nor_in_order(found: Any) -> None:
    for operand in SAMPLES:
        same = found is operand
        assert holds(found, "eq", operand) is same
        assert holds(found, "ne", operand) is not same
        assert holds(found, "in", (operand,)) is same
        if not same:
            assert not any(holds(found, lookup, operand) for lookup in ORDERINGS)
            assert not holds(found, "between", (operand, operand))


def test_a_bool_is_not_a_number() -> None:
    assert not holds(True, "eq", 1)
    assert not holds(1, "eq", True)
    assert not holds(True, "in", (0, 1))
    assert not holds(1, "in", (True, False))
    assert not holds(True, "gte", 0)
    assert not holds([True], "eq", [1])
    assert not holds([1], "contains", True)
    assert not holds({"on": 1}, "eq", {"on": True})


def test_bools_are_in_order_among_themselves() -> None:
    assert holds(True, "gt", False)
    assert not holds(False, "gt", False)


def test_int_float_and_decimal_are_one_family_and_compare_exactly() -> None:
    assert holds(1, "eq", 1.0)
    assert holds(Decimal("1.00"), "eq", 1)
    assert holds(0.5, "eq", Decimal("0.5"))
    assert not holds(0.1, "eq", Decimal("0.1"))
    assert holds(2**53 + 1, "gt", float(2**53))
    assert holds(1, "in", (1.0, "1"))
    assert holds(Decimal("2.5"), "between", (2, 3.0))


def test_moments_compare_across_time_zones() -> None:
    same = NOON.astimezone(timezone(timedelta(hours=5)))
    assert holds(NOON, "eq", same)
    assert holds(same, "eq", NOON)
    assert holds(same, "lte", NOON)
    assert not holds(same, "lt", NOON)
    assert holds(same, "in", (NOON,))


def test_a_naive_moment_does_not_compare_with_an_aware_one() -> None:
    naive = NOON.replace(tzinfo=None)
    assert not holds(naive, "eq", NOON)
    assert not holds(naive, "lte", NOON)
    assert not holds(NOON, "gte", naive)


def test_enum_members_stand_for_their_values() -> None:
    assert holds(Color.RED, "eq", Color.RED)
    assert holds(Color.RED, "eq", "red")
    assert holds("red", "eq", Color.RED)
    assert holds(Color.RED, "startswith", "re")
    assert holds(Level.HIGH, "gt", Level.LOW)
    assert holds(Level.HIGH, "in", (2, 3))


def test_urls_stand_for_their_text() -> None:
    assert holds(AnyUrl("https://example.org/a"), "eq", "https://example.org/a")
    assert holds(AnyUrl("https://example.org/a"), "contains", "example")


def test_addresses_are_in_the_order_of_their_numbers() -> None:
    assert holds(ip_address("10.0.0.9"), "lt", ip_address("10.0.0.10"))
    assert holds(ip_address("255.0.0.0"), "lt", ip_address("::1"))


def test_a_model_equals_the_dict_of_its_fields() -> None:
    assert holds(Address(city="Rome"), "eq", Address(city="Rome"))
    assert holds(Address(city="Rome"), "eq", {"city": "Rome", "zip": None})
    assert not holds(Address(city="Rome"), "eq", Address(city="Oslo"))


def test_what_a_model_holds_beyond_its_fields_counts_too() -> None:
    class Open(BaseModel, extra="allow"):
        city: str

    assert holds(Open(city="Rome", mayor="x"), "eq", {"city": "Rome", "mayor": "x"})
    assert not holds(Open(city="Rome", mayor="x"), "eq", Open(city="Rome"))


@pytest.mark.parametrize("lookup", ORDERINGS)
def test_containers_are_in_no_order(lookup: str) -> None:
    assert not holds([1], lookup, [2])
    assert not holds([2], lookup, [1])
    assert not holds({"a": 1}, lookup, {"a": 1})


def test_a_value_that_no_field_can_hold_is_an_error_and_not_just_different() -> None:
    with pytest.raises(TypeError, match="complex"):
        holds(1j, "eq", 1)


# -- the lookups -------------------------------------------------------------------------------------------


def test_between_includes_both_ends() -> None:
    assert [x for x in range(6) if holds(x, "between", (2, 4))] == [2, 3, 4]
    assert not holds(3, "between", (4, 2))


def test_empty_in_matches_nothing_and_empty_not_in_everything() -> None:
    assert not holds(1, "in", ())
    assert not holds(None, "in", ())
    assert holds(1, "not_in", ())
    assert holds(None, "not_in", ())


def test_strings_are_in_the_order_of_code_points() -> None:
    assert holds("Z", "lt", "a")
    assert holds("é", "gt", "z")
    assert holds("\U0001f600", "gt", "\uffff")


def test_percent_and_underscore_are_plain_characters() -> None:
    assert holds("100%", "contains", "%")
    assert not holds("100", "contains", "%")
    assert not holds("abc", "contains", "a_c")
    assert not holds("abc", "startswith", "_")
    assert not holds("abc", "endswith", "%")
    assert not holds("abc", "icontains", "B%")


def test_contains_looks_for_a_part_of_a_text_and_for_an_element_of_a_collection() -> None:
    assert holds("mixstore", "contains", "xst")
    assert not holds("mixstore", "contains", "XST")
    for collection in (["a", 1], ("a", 1), {"a", 1}, frozenset({"a", 1})):
        assert holds(collection, "contains", 1)
        assert not holds(collection, "contains", "b")
    assert not holds("1", "contains", 1)
    assert holds([None], "contains", None)
    assert holds(["ab"], "contains", "ab")
    assert not holds(["ab"], "contains", "a")
    assert not holds({"a": 1}, "contains", "a")


def test_every_text_contains_the_empty_text() -> None:
    for lookup in ("contains", "icontains", "startswith", "endswith", "regex"):
        assert holds("", lookup, "")
        assert holds("x", lookup, "")


def test_i_lookups_fold_case_on_both_sides() -> None:
    assert holds("STRASSE", "icontains", "straße")
    assert holds("Straße", "iendswith", "SSE")
    assert holds("ΣΊΣΥΦΟΣ", "istartswith", "σίς")
    assert not holds("Straße", "endswith", "SSE")


def test_regex_searches_anywhere() -> None:
    assert holds("order 66", "regex", r"\d+$")
    assert not holds("order 66", "regex", r"^\d")
    assert not holds(66, "regex", r"\d")


def test_size_is_the_number_of_elements_or_characters() -> None:
    assert holds([1, 2], "size", 2)
    assert holds("é\U0001f600", "size", 2)
    assert holds({}, "size", 0)
    assert not holds(5, "size", 1)
    assert not holds(None, "size", 0)


def test_a_custom_lookup_is_evaluated_by_its_function_which_never_sees_none() -> None:
    def near(found: Any, operand: Any) -> bool:
        return abs(found - operand) <= 1

    assert holds(4, "near", 5, near)
    assert not holds(3, "near", 5, near)
    assert not holds(None, "near", 5, near)


def test_a_lookup_that_nobody_can_evaluate_is_an_error() -> None:
    with pytest.raises(QueryError, match="'nearby'"):
        matcher(Compare(("x",), "nearby", 5))


# -- paths -------------------------------------------------------------------------------------------------


def test_a_path_walks_models_by_attribute_and_dicts_by_key() -> None:
    row = {"home": Address(city="Rome"), "meta": {"a": {"b": 1}, "home": Address(city="Oslo")}}
    assert evaluate(Compare(("home", "city"), "eq", "Rome"), row)
    assert evaluate(Compare(("meta", "a", "b"), "eq", 1), row)
    assert evaluate(Compare(("meta", "home", "city"), "eq", "Oslo"), row)


def test_a_path_into_a_plain_value_finds_none() -> None:
    assert evaluate(Compare(("x", "real"), "eq", None), {"x": 5})
    assert evaluate(Compare(("home", "copy"), "eq", None), {"home": Address(city="Rome")})
    assert evaluate(Compare(("x", "0"), "eq", None), {"x": [1]})


def test_a_path_names_keys_that_are_no_text_by_their_text() -> None:
    assert evaluate(Compare(("x", "3"), "eq", "c"), {"x": {2: "b", 3: "c"}})
    assert evaluate(Compare(("x", "red"), "eq", 1), {"x": {Color.RED: 1}})
    assert evaluate(Compare(("x", "2025-01-01"), "eq", 1), {"x": {date(2025, 1, 1): 1}})
    assert evaluate(Compare(("x", "0999-01-01T12:00:00.000000Z"), "eq", 1), {"x": {NOON.replace(year=999): 1}})
    assert evaluate(Compare(("x", "4"), "eq", None), {"x": {3: "c"}})


# -- the fast paths give the same answers ------------------------------------------------------------------

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 2.0, "a", "b", "é"]),
    st.sampled_from(
        [NOON, NOON + timedelta(1), date(2025, 1, 1), Color.RED, Level.LOW, Decimal("0.5"), b"a", UUID(int=1)]
    ),
    st.lists(st.integers(0, 2), max_size=2),
)


@given(anything, anything, st.sampled_from(["eq", "ne", *ORDERINGS]))
def test_a_comparison_is_that_of_the_comparable_forms(found: Any, operand: Any, lookup: str) -> None:
    (rank, form), (other, operand_form) = comparable(found), comparable(operand)
    ordered = rank == other and found is not None and not isinstance(found, list)
    expected = {
        "eq": lambda: (rank, form) == (other, operand_form),
        "ne": lambda: (rank, form) != (other, operand_form),
        "lt": lambda: ordered and form < operand_form,
        "lte": lambda: ordered and form <= operand_form,
        "gt": lambda: ordered and form > operand_form,
        "gte": lambda: ordered and form >= operand_form,
    }[lookup]()
    assert holds(found, lookup, operand) is expected


@given(anything, st.lists(anything, max_size=3))
def test_in_is_one_of_several_eq(found: Any, operands: list[Any]) -> None:
    expected = any(holds(found, "eq", operand) for operand in operands)
    assert holds(found, "in", tuple(operands)) is expected
    assert holds(found, "not_in", tuple(operands)) is not expected


@given(anything, anything, anything)
def test_between_is_gte_and_lte(found: Any, low: Any, high: Any) -> None:
    assert holds(found, "between", (low, high)) is (holds(found, "gte", low) and holds(found, "lte", high))
