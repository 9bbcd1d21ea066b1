"""Operands take the type of the field that they are compared with, or are refused by name and type."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest
from pydantic import HttpUrl

from mixstore.errors import QueryError
from mixstore.expressions import Compare, Deferred
from mixstore.lookups import parse
from tests.kernel.people import NOON, SCHEMA, UTC, Address, Color, Level


def operand(name: str, value: Any) -> Any:
    return parse(SCHEMA, name, value).value


def same(found: Any, expected: Any) -> bool:
    return type(found) is type(expected) and bool(found == expected)


# -- operands that fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("age", "18", 18),
        ("age", Decimal("18.0"), 18),
        ("age", -5, -5),
        ("age__gt", 17.5, 17.5),
        ("age__gt", Decimal("17.5"), Decimal("17.5")),
        ("age", Level.HIGH, 2),
        ("score", 1, 1.0),
        ("score", Decimal("0.1"), 0.1),
        ("score__lt", float("inf"), float("inf")),
        ("price", 0.1, Decimal("0.1")),
        ("price", 3, Decimal(3)),
        ("price", "1.50", Decimal("1.50")),
        ("active", "true", True),
        ("raw", bytearray(b"a"), b"a"),
        ("raw", "a", b"a"),
        ("at", "2025-01-01T12:00:00Z", NOON),
        ("at", "2025-01-01T14:00:00+02:00", NOON),
        ("at", NOON.astimezone(timezone(timedelta(hours=3))), NOON),
        ("born", "1990-02-28", date(1990, 2, 28)),
        ("wakes", "07:30", time(7, 30)),
        ("rests", "PT1H", timedelta(hours=1)),
        ("id", "00000000-0000-0000-0000-000000000001", UUID(int=1)),
        ("color", "red", Color.RED),
        ("color", Color.RED, Color.RED),
        ("level", 2, Level.HIGH),
        ("mode", 1, 1),
        ("ip", "10.0.0.1", ip_address("10.0.0.1")),
        ("site", "https://example.org", HttpUrl("https://example.org/")),
        ("tags", ("a", "b"), ["a", "b"]),
        ("pair", ["1", "x"], (1, "x")),
        ("numbers", ["1", 2], {1, 2}),
        ("points", {"1": 2}, {1: 2.0}),
        ("mixed", "5", "5"),
        ("mixed", 5, 5),
        ("free", {"a": [1, None, (True,)]}, {"a": [1, None, [True]]}),
        ("meta__a", Color.RED, "red"),
        ("tags__contains", Color.RED, "red"),
        ("numbers__contains", "3", 3),
        ("pair__contains", "x", "x"),
        ("pair__contains", 3, 3),
        ("free__contains", 3, 3),
        ("name__contains", "%_", "%_"),
        ("age__in", ["1", 2, None], (1, 2, None)),
        ("age__in", (n for n in ()), ()),
        ("age__between", ["1", 2.5], (1, 2.5)),
        ("tags__in", [["a"], ()], (["a"], [])),
        ("tags__size", 2, 2),
        ("name__isnull", True, True),
    ],
)
def test_an_operand_takes_the_type_of_its_field(name: str, value: Any, expected: Any) -> None:
    found = operand(name, value)
    assert same(found, expected), f"{found!r} is a {type(found).__name__}"


def test_moments_are_in_utc() -> None:
    assert operand("at", NOON.astimezone(timezone(timedelta(hours=3)))).tzinfo is UTC


def test_constraints_of_the_field_do_not_apply_to_operands() -> None:
    assert parse(SCHEMA, "age__lt", -1) == Compare(("age",), "lt", -1)


def test_a_dict_becomes_the_nested_model_without_running_its_validators() -> None:
    home = operand("home", {"city": "Rome"})
    assert isinstance(home, Address)
    assert (home.city, home.size) == ("Rome", 0)
    made = Address(city="x")
    assert operand("home", made) is made


@pytest.mark.parametrize(
    "name", ["age", "age__ne", "age__gte", "name__contains", "tags__contains", "name__regex", "tags__size"]
)
def test_none_is_an_operand_of_every_type(name: str) -> None:
    assert operand(name, None) is None


def test_deferred_operands_pass_as_they_are() -> None:
    now = Deferred("now", lambda environment: environment)
    assert operand("at__lte", now) is now
    assert operand("at__between", ("2025-01-01T12:00:00Z", now)) == (NOON, now)
    assert operand("age__in", now) is now


# -- operands that don't -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("age", "x", "Person.age is int: eq can't take 'x'"),
        ("age__gte", True, "Person.age is int: gte can't take True: a bool is not an int"),
        ("age", float("nan"), "finite"),
        ("age__lt", float("inf"), "finite"),
        ("score", True, "a bool is not a float"),
        ("score", float("nan"), "NaN"),
        ("score", 10**400, "too large"),
        ("price", Decimal("NaN"), "finite"),
        ("price", "NaN", "finite"),
        ("price", False, "a bool is not a decimal"),
        ("active", 1, "a number is not a bool"),
        ("active", 0.0, "a number is not a bool"),
        ("name", 5, r"Person.name is str \| None: eq can't take 5: it takes text, not an int"),
        ("name", "\ud800", "surrogate"),
        ("name__contains", "\udfff", "surrogate"),
        ("free", {"a": "\ud800"}, "surrogate"),
        ("name__startswith", b"x", "takes text, not a bytes"),
        ("name__regex", "(", "no regular expression"),
        ("at", datetime(2025, 1, 1), "no time zone"),
        ("at", "2025-01-01T12:00:00", "no time zone"),
        ("at", True, "a bool is not a datetime"),
        ("at__lt", datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "1 to 9999"),
        ("born", "yesterday", "Person.born is date"),
        ("wakes", time(7, tzinfo=UTC), "no time zone"),
        ("color", "rde", "no such choice; did you mean 'red'"),
        ("color", 1j, "complex"),
        ("level", True, "no such choice"),
        ("mode", True, "no such choice"),
        ("ip", "10.0.0.300", r"Person.ip is IPv4Address \| None"),
        ("site", "nowhere", "Person.site"),
        ("home", {"town": "x"}, "Address has no field 'town'"),
        ("home", {"size": 1}, "Address.city is missing"),
        ("home", "Rome", "neither an Address nor a dict"),
        ("tags", "ab", "a str is not a list"),
        ("tags__contains", 3, "takes text"),
        ("pair", (1,), "2 elements, not 1"),
        ("meta", [], "a list is not a dict"),
        ("free", NOON, "JSON values"),
        ("free", {1: 2}, "takes text, not an int"),
        ("free", float("inf"), "finite"),
        ("mixed", NOON, "int: .*str: "),
        ("age__in", 5, "list of values"),
        ("name__in", "abc", "list of values"),
        ("age__in", None, "list of values"),
        ("age__in", [1, "x"], "Person.age is int: in can't take"),
        ("age__between", (1,), "two values, not 1"),
        ("age__between", 1, "two values"),
        ("name__isnull", 1, "True or False"),
        ("name__isnull", None, "True or False"),
        ("tags__size", True, "takes an int"),
        ("tags__size", "2", "takes an int"),
    ],
)
def test_an_operand_that_does_not_fit_is_an_error_that_names_field_and_type(
    name: str, value: Any, message: str
) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        parse(SCHEMA, name, value)
    assert "Person." in str(caught.value)


def test_a_long_operand_is_cut_in_the_error() -> None:
    with pytest.raises(QueryError) as caught:
        parse(SCHEMA, "age", "x" * 10_000)
    assert len(str(caught.value)) < 300
