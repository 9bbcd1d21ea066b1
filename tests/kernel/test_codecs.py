"""Round trips of values through the codecs of their types."""

from __future__ import annotations

import enum
import ipaddress
import json
import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel

from mixstore.codecs import Codec, copier, datetime_text, decimal_text, jsonable, primitive
from mixstore.types import FieldType, describe

T = TypeVar("T")
UTC = timezone.utc


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Ratio(enum.Enum):
    HALF = 0.5
    WHOLE = 1.0


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Mixed(enum.Enum):
    ONE = 1
    ONE_TEXT = "1"


class Place(BaseModel, frozen=True):
    city: str
    since: date | None = None


class Node(BaseModel):
    value: int
    children: list[Node] = []
    parent: Node | None = None


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class BlackDog(BaseModel):
    kind: Literal["dog"] = "dog"
    color: Literal["black"] = "black"


class WhiteDog(BaseModel):
    kind: Literal["dog"] = "dog"
    color: Literal["white"] = "white"
    toys: list[str] = []


Dog = Annotated[BlackDog | WhiteDog, Field(discriminator="color")]
Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Box(BaseModel, Generic[T]):
    value: T


class Names(RootModel[list[str]]):
    pass


class Phone(str):
    """A text type of a user's own, as in pydantic-extra-types."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return pydantic.TypeAdapter(str).core_schema


def described(annotation: Any) -> FieldType:
    return describe(annotation, "Thing.x")


def as_json(annotation: Any) -> Codec:
    return jsonable(described(annotation))


def apply(function: Any, value: Any) -> Any:
    return value if function is None or value is None else function(value)


def through_json(codec: Codec, value: Any) -> Any:
    return apply(codec.decode, json.loads(json.dumps(apply(codec.encode, value), allow_nan=False)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(min_value=datetime(1, 1, 2, 1), max_value=datetime(9999, 12, 30), timezones=zones | st.just(UTC))
decimals = st.decimals(allow_nan=False, allow_infinity=False)
floats = st.floats(allow_nan=False)
places = st.builds(Place, city=st.text(max_size=5), since=st.none() | st.dates())
nodes = st.recursive(
    st.builds(Node, value=st.integers(), children=st.just([]), parent=st.none()),
    lambda inner: st.builds(Node, value=st.integers(), children=st.lists(inner, max_size=3), parent=inner),
    max_leaves=6,
)
pets = (
    st.builds(Cat, kind=st.just("cat"), lives=st.integers())
    | st.builds(BlackDog, kind=st.just("dog"), color=st.just("black"))
    | st.builds(WhiteDog, kind=st.just("dog"), color=st.just("white"), toys=st.lists(st.text(max_size=3)))
)
urls = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["a.b", "example.com:8080", "user:pw@x.org", "ümlaut.de", "[::1]"]),
    st.sampled_from(["", "/", "/a b/c?d=e#f", "/%7Ea/../b", "?q=ä"]),
)

SCALARS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "str": (str, st.text()),
    "int": (int, st.integers()),
    "float": (float, floats),
    "decimal": (Decimal, decimals),
    "bool": (bool, st.booleans()),
    "bytes": (bytes, st.binary()),
    "datetime": (datetime, moments),
    "date": (date, st.dates()),
    "time": (time, st.times()),
    "timedelta": (timedelta, st.timedeltas()),
    "uuid": (UUID, st.uuids()),
    "enum of text": (Color, st.sampled_from(Color)),
    "enum of ints": (Level, st.sampled_from(Level)),
    "enum of floats": (Ratio, st.sampled_from(Ratio)),
    "enum of both": (Mixed, st.sampled_from(Mixed)),
    "flag": (Access, st.integers(0, 7).map(Access)),
    "literal": (Literal["a", 1, True], st.sampled_from(["a", 1, True])),
    "literal of members": (Literal[Color.RED], st.just(Color.RED)),
    "IPv4": (ipaddress.IPv4Address, st.ip_addresses(v=4)),
    "IPv6": (ipaddress.IPv6Address, st.ip_addresses(v=6)),
    "network": (ipaddress.IPv4Network, st.ip_addresses(v=4).map(ipaddress.IPv4Network)),
    "interface": (
        ipaddress.IPv6Interface,
        st.ip_addresses(v=6).map(lambda a: ipaddress.IPv6Interface((a, 64))),
    ),
    "any address": (pydantic.IPvAnyAddress, st.ip_addresses()),
    "URL": (pydantic.HttpUrl, urls.map(pydantic.HttpUrl)),
    "any URL": (pydantic.AnyUrl, urls.map(pydantic.AnyUrl)),
    "several hosts": (pydantic.PostgresDsn, st.just(pydantic.PostgresDsn("postgres://u:p@a:1,b:2/db"))),
    "subclass of str": (Phone, st.text().map(Phone)),
    "subclass of int": (pydantic.ByteSize, st.integers(0).map(pydantic.ByteSize)),
}
COMPOUND: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "any": (Any, json_values),
    "list": (list[int | None], st.lists(st.none() | st.integers())),
    "list of datetimes": (list[datetime], st.lists(moments)),
    "tuple": (tuple[int, bytes, date | None], st.tuples(st.integers(), st.binary(), st.none() | st.dates())),
    "tuple of any length": (tuple[Decimal, ...], st.lists(decimals).map(tuple)),
    "empty tuple": (tuple[()], st.just(())),
    "set": (set[str], st.sets(st.text())),
    "set with None": (set[int | None], st.sets(st.none() | st.integers())),
    "set of floats": (set[float], st.sets(floats)),
    "set of datetimes": (set[datetime], st.sets(moments)),
    "set of tuples": (set[tuple[int, ...]], st.sets(st.lists(st.integers()).map(tuple))),
    "set of sets": (frozenset[frozenset[str]], st.frozensets(st.frozensets(st.text()))),
    "set of enums": (set[Mixed], st.sets(st.sampled_from(Mixed))),
    "set of models": (set[Place], st.sets(places)),
    "dict": (dict[str, float], st.dictionaries(st.text(), floats)),
    "dict by int": (dict[int, bytes], st.dictionaries(st.integers(), st.binary())),
    "dict by UUID": (dict[UUID, Any], st.dictionaries(st.uuids(), json_values)),
    "dict by date": (dict[date, int], st.dictionaries(st.dates(), st.integers())),
    "dict by datetime": (dict[datetime, int], st.dictionaries(moments, st.integers())),
    "dict by enum": (
        dict[Level, int | None],
        st.dictionaries(st.sampled_from(Level), st.none() | st.integers()),
    ),
    "dict by literal": (dict[Literal["a", "b"], str], st.dictionaries(st.sampled_from("ab"), st.text())),
    "dict of dicts": (dict[str, dict[str, set[int]]], st.dictionaries(st.text(), st.just({"a": {2, 1}}))),
    "model": (Place, places),
    "recursive model": (Node, nodes),
    "generic model": (Box[list[date]], st.lists(st.dates()).map(lambda days: Box[list[date]](value=days))),
    "root model": (Names, st.lists(st.text()).map(Names)),
    "union": (
        int | str | bool | list[date],
        st.integers() | st.text() | st.booleans() | st.lists(st.dates()),
    ),
    "union with floats": (float | bytes, st.floats(allow_nan=False, allow_infinity=False) | st.binary()),
    "union with infinity": (float | list[str], floats | st.lists(st.text())),
    "union with a model": (Place | datetime, places | moments),
    "union with literals": (Literal["a", 1] | bool, st.sampled_from(["a", 1, True, False])),
    "discriminated union": (Pet, pets),
    "discriminated union and text": (Pet | str | None, pets | st.text() | st.none()),
    "list of a discriminated union": (list[Pet], st.lists(pets, max_size=3)),
}


@pytest.mark.parametrize("name", [*SCALARS, *COMPOUND])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_value_survives_json(name: str, data: st.DataObject) -> None:
    annotation, strategy = {**SCALARS, **COMPOUND}[name]
    value = data.draw(strategy)
    back = through_json(as_json(annotation), value)
    assert back == value
    assert type(back) is type(value) or isinstance(value, (ipaddress.IPv4Address, datetime))


@pytest.mark.parametrize("name", SCALARS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_scalar_survives_as_a_primitive(name: str, data: st.DataObject) -> None:
    annotation, strategy = SCALARS[name]
    value = data.draw(strategy)
    codec = primitive(described(annotation))
    stored = apply(codec.encode, value)
    assert type(stored) in (str, int, float, bool, bytes) or isinstance(value, pydantic.ByteSize)
    back = apply(codec.decode, stored)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("name", [*SCALARS, *COMPOUND])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_every_value_survives_being_copied(name: str, data: st.DataObject) -> None:
    annotation, strategy = {**SCALARS, **COMPOUND}[name]
    value = data.draw(strategy)
    codec = copier(described(annotation))
    kept = apply(codec.encode, value)
    assert kept == value
    assert apply(codec.decode, kept) == value


@given(moments, moments)
def test_the_text_of_datetimes_sorts_by_time(one: datetime, other: datetime) -> None:
    assert (datetime_text(one) < datetime_text(other)) == (one < other)


@given(decimals, decimals)
def test_equal_decimals_have_one_text(one: Decimal, other: Decimal) -> None:
    assert (decimal_text(one) == decimal_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("annotation", "value", "stored"),
    [
        (Decimal, Decimal("1.500"), "1.5"),
        (Decimal, Decimal("-0.00"), "0"),
        (Decimal, Decimal("1E+3"), "1000"),
        (Decimal, Decimal("100"), "100"),
        (Decimal, Decimal("1E-7"), "0.0000001"),
        (Decimal, Decimal("0E-9"), "0"),
        (Decimal, 5, "5"),
        (float, 5, 5.0),
        (float, math.inf, math.inf),
        (datetime, datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), "2025-01-02T03:04:05.000000Z"),
        (datetime, datetime(999, 1, 2, tzinfo=UTC), "0999-01-02T00:00:00.000000Z"),
        (datetime, datetime(2025, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2025-01-01T22:00:00.000000Z"),
        (date, date(7, 1, 2), "0007-01-02"),
        (time, time(1, 2), "01:02:00.000000"),
        (timedelta, timedelta(microseconds=1), 1),
        (timedelta, timedelta.max, 86399999999999999999),
        (timedelta, timedelta(microseconds=-1), -1),
        (UUID, UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Level, Level.HIGH, 2),
        (Color, Color.RED, "red"),
        (Access, Access.READ | Access.RUN, 5),
        (Literal[Color.RED], Color.RED, "red"),
        (ipaddress.IPv4Address, ipaddress.IPv4Address("1.2.3.4"), "1.2.3.4"),
        (pydantic.HttpUrl, pydantic.HttpUrl("http://a.b"), "http://a.b/"),
        (bytes, b"\xff", b"\xff"),
    ],
)
def test_a_primitive_has_one_canonical_form(annotation: Any, value: Any, stored: Any) -> None:
    made = apply(primitive(described(annotation)).encode, value)
    assert (type(made), made) == (type(stored), stored)


@pytest.mark.parametrize(
    ("annotation", "value", "document"),
    [
        (bytes, b"\xff", "/w=="),
        (float, -math.inf, "-inf"),
        (set[int], {10, 9}, [9, 10]),
        (set[float], {10.0, 9.0, math.inf}, [9.0, 10.0, "inf"]),
        (set[str | None], {"b", None, "a"}, [None, "a", "b"]),
        (set[timedelta], {timedelta(10), timedelta(9)}, [777600000000, 864000000000]),
        (dict[int, str], {-5: "a"}, {"-5": "a"}),
        (dict[Level, int], {Level.LOW: 1}, {"1": 1}),
        (tuple[int, ...], (1, 2), [1, 2]),
        (Place, Place(city="Rome"), {"city": "Rome", "since": None}),
        (Names, Names(["a"]), {"root": ["a"]}),
    ],
)
def test_a_document_has_one_canonical_form(annotation: Any, value: Any, document: Any) -> None:
    assert as_json(annotation).encode(value) == document


def test_decimals_are_never_rounded_by_the_context() -> None:
    value = Decimal("1234567890.12345678901234567890123456789012345")
    with localcontext() as context:
        context.prec = 3
        assert primitive(described(Decimal)).decode(decimal_text(value)) == value


def test_whole_floats_may_come_back_as_ints() -> None:
    assert as_json(float).decode(5) == 5.0
    assert as_json(Ratio).decode(1) is Ratio.WHOLE
