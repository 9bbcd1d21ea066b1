"""What generated code says in place of a call is what the call gives, for whatever value."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

import mixstore_backends.dynamodb.values
import mixstore_backends.opensearch.values
import mixstore_backends.sqlite.values  # noqa: F401 (each adds its own)
from mixstore import Field, Model, QueryError, ValidationError, shortcuts
from mixstore_backends.memory import InMemoryBackend


class Text(str):
    __slots__ = ()


class Colour(str, Enum):
    RED = "red"


NOW = datetime(2024, 2, 29, 12, 30, 5, 7, timezone.utc)
PARIS = timezone(timedelta(hours=1))
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 10**20, 10**40, 0.0, -0.0, 1.5, -1e-200, 1e200, float("nan"), float("inf"),
    -float("inf"),
    "", "text", "é", "\ud800", "inf", "-inf", "x" * 40_000, Text("text"), Colour.RED, b"", b"bytes", bytearray(b"x"),
    NOW, NOW.replace(tzinfo=None), NOW.astimezone(PARIS), NOW.replace(year=1, month=1, day=1), date(2024, 2, 29),
    date(1, 1, 1),
    time(1, 2, 3), time(1, tzinfo=timezone.utc), Decimal("1.50"), Decimal("NaN"), Decimal("-0"), [], {},
    "2024-02-29T12:30:05.000007Z", "2024-02-29T12:30:05.000007+", "2024-02-30T12:30:05.000007Z",
    "0001-01-01T00:00:00.000000Z",
    "2024-02-29", "2024-02-30", "0001-01-01", "2024-W10-1", "20240229", "2024/02/29", "2024-02-29T12:30:05.00000,Z",
]  # fmt: skip


def came(function: Any, value: Any) -> Any:
    """What a call comes to; an exception is one like any other."""
    try:
        found = function(value)
    except Exception:
        return "refused"
    return type(found), repr(found), getattr(found, "tzinfo", None)


@pytest.mark.parametrize("function", [*shortcuts.PASSES, *shortcuts.SHORTCUTS], ids=lambda one: one.__qualname__)
def test_a_shortcut_gives_what_the_function_gives(function):
    written = eval(f"lambda v: {shortcuts.said(function, 0)}", {**shortcuts.NAMES, "f0": function})  # noqa: S307
    for value in VALUES:
        assert came(written, value) == came(function, value), value


class Place(Model):
    land: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    day: date = Field(primary_key=True)


@pytest.fixture
def places():
    with InMemoryBackend() as backend:
        Place.bind(backend)
        yield Place.create(land="fr", number=1, day=date(2024, 2, 29))
        Place.bind(None)


@pytest.mark.parametrize(
    "key", [("fr", 1, date(2024, 2, 29)), (Text("fr"), 1, "2024-02-29"), ("fr", Decimal(1), date(2024, 2, 29))]
)
def test_a_key_of_the_right_types_and_one_that_can_be_made_so_find_the_row(places, key):
    assert Place.get(key) == places
    assert Place.batch_get([key, ("de", 1, date(2024, 2, 29))]) == [places, None]


@pytest.mark.parametrize(
    "key",
    [
        ("fr", True, date(2024, 2, 29)),
        ("fr", 1),
        ("fr", 1, NOW),
        ("\ud800", 1, date(2024, 2, 29)),
        ("fr", None, date(2024, 2, 29)),
    ],
)
def test_a_key_of_other_types_is_refused_as_ever(places, key):
    with pytest.raises(QueryError):
        Place.batch_get([key])


class Measured(Model):
    id: str = Field(primary_key=True)
    size: int = Field(0, ge=0)
    day: date = date(2024, 1, 1)


@pytest.fixture
def measured():
    with InMemoryBackend() as backend:
        Measured.bind(backend)
        yield Measured(id="1")
        Measured.bind(None)


@pytest.mark.parametrize(("field", "value"), [("size", -1), ("size", "x"), ("size", None), ("day", 3.5), ("id", 7)])
def test_an_instance_whose_values_are_not_plainly_right_is_looked_at_field_by_field(measured, field, value):
    setattr(measured, field, value)
    with pytest.raises(ValidationError) as caught:
        measured.save()
    assert caught.value.field == field


def test_a_value_that_fits_after_a_change_is_changed(measured):
    measured.day = "2024-02-29"
    measured.save()
    assert measured.day == Measured.get("1").day == date(2024, 2, 29)
