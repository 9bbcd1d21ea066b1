"""What codecs refuse to store, and what they refuse to read."""

from __future__ import annotations

import enum
import ipaddress
import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pydantic
import pytest
from pydantic import BaseModel, Field

from mixstore.codecs import Codec, copier, jsonable, primitive
from mixstore.errors import SchemaError
from mixstore.types import FieldType, describe

T = TypeVar("T")
UTC = timezone.utc


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    ONE = 1
    ONE_TEXT = "1"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Place(BaseModel):
    city: str
    since: date | None = None


class Node(BaseModel):
    value: int


class Box(BaseModel, Generic[T]):
    value: T


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    color: Literal["black"] = "black"


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def described(annotation: Any) -> FieldType:
    return describe(annotation, "Thing.x")


def as_json(annotation: Any) -> Codec:
    return jsonable(described(annotation))


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (float, math.nan, "NaN"),
        (float, True, "expected a float, found bool True"),
        (Decimal, Decimal("NaN"), "finite"),
        (Decimal, Decimal("Infinity"), "finite"),
        (Decimal, Decimal("1E+1000000"), "4300 digits"),
        (Decimal, Decimal("9" * 5000), "4300 digits"),
        (datetime, datetime(2025, 1, 2), "without time zone"),
        (datetime, datetime.min.replace(tzinfo=timezone(timedelta(hours=2))), "years 1 to 9999"),
        (datetime, date(2025, 1, 2), "expected a datetime, found date"),
        (date, datetime(2025, 1, 2, tzinfo=UTC), "expected a date, found datetime"),
        (time, time(1, tzinfo=UTC), "time zone"),
        (Any, {1, 2}, "JSON values"),
        (Any, (1, 2), "not tuple"),
        (Any, {"a": [Decimal(1)]}, "not Decimal"),
        (Any, {1: 2}, "keys"),
        (Any, math.inf, "not inf"),
        (Place, Node(value=1), "expected a Place itself, found Node"),
        (list[float], [1.0, math.nan], "NaN"),
        (list[int], "12", "expected a list, found str"),
        (tuple[int, float], (1, 2.0, 3), "2 values"),
        (
            Box[list[datetime]],
            Box[list[datetime]].model_construct(value=[datetime(1, 1, 1)]),
            "value: a datetime",
        ),
        (int | list[str], b"x", "int | list"),
        (int | list[str], True, "found bool True"),
    ],
)
@pytest.mark.parametrize("form", [copier, jsonable])
def test_what_no_store_can_hold_is_refused(form: Any, annotation: Any, value: Any, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        form(described(annotation)).encode(value)
    assert problem in str(caught.value)


def test_infinity_next_to_text_is_refused_in_documents() -> None:
    codec = as_json(float | str)
    assert codec.decode(codec.encode("inf")) == "inf"
    with pytest.raises(ValueError, match="next to text"):
        codec.encode(math.inf)


def test_errors_do_not_show_long_values() -> None:
    with pytest.raises(ValueError) as caught:
        as_json(int).decode("secret" * 20)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "junk"),
    [
        (int, ["5", True, 5.0, None, [5]]),
        (str, [5, b"x", None]),
        (bool, [1, "true", None]),
        (float, ["5", True, math.nan, "nan", 10**400, None]),
        (Decimal, [5, 5.0, "NaN", "1e5", " 1", "1_0", "", "inf", "٣", None]),
        (
            datetime,
            ["2025-01-02", "2025-01-02T03:04:05Z", "2025-01-02T03:04:05.000000+00:00", 5, None, "x" * 27],
        ),
        (
            datetime,
            ["2025-13-02T03:04:05.000000Z", "2025-01-02T03:04:05.123+01Z", "2025-01-02 03:04:05.000000Z"],
        ),
        (date, ["2025-W01-1", "20250102", "2025-02-30", "2025-01-02T00:00:00.000000Z", 5]),
        (time, ["03:04", "03:04:05.123+01", "25:00:00.000000", 5]),
        (timedelta, ["5", 5.0, True, 10**30]),
        (UUID, ["5", 5, "{00000000-0000-0000-0000-000000000005}", "0" * 32]),
        (Color, ["green", 5, None, ["red"], Color.RED]),
        (Level, [3, "1", True, 1.0]),
        (Mixed, [True, 2, 1.5]),
        (Access, ["1", True, 99]),
        (Literal[1], [True, "1", 1.0, 2]),
        (ipaddress.IPv4Address, [5, "::1", "x"]),
        (pydantic.HttpUrl, ["nope", 5, "ftp://a.b/"]),
        (bytes, ["/w=", "ü", 5, b"x"]),
        (list[int], [(1,), {}, "12", ["1"], [None]]),
        (tuple[int, str], [[1], [1, "a", 2], ["a", 1], (1, "a")]),
        (set[int], [{1}, ["a"]]),
        (dict[int, int], [[], {"x": 1}, {"05": 1}, {"1": "1"}, {"1": None}]),
        (Place, [[], {}, {"city": 5}, {"city": None}, {"city": "x", "since": "today"}]),
        (int | list[str], ["5", True, None, {}]),
        (Pet, [{}, {"kind": "bird"}, "cat", {"kind": ["cat"]}, {"kind": "dog", "color": "red"}]),
    ],
)
def test_junk_does_not_decode(annotation: Any, junk: list[Any]) -> None:
    decode = as_json(annotation).decode
    for stored in junk:
        with pytest.raises((ValueError, TypeError, KeyError)):
            print(decode(stored))  # noqa: T201  (shown if nothing is raised)


@pytest.mark.parametrize("annotation", [list[int], Place, Any, int | str])
def test_primitive_takes_scalars_only(annotation: Any) -> None:
    with pytest.raises(SchemaError, match="is not one plain value"):
        primitive(described(annotation))
