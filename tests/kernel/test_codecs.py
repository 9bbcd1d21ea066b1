"""Round trips of values through the codecs of their types."""

from __future__ import annotations

import copy
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
from pydantic import BaseModel, Field, PrivateAttr, RootModel, field_validator

from mixstore.codecs import Codec, copier, datetime_text, decimal_text, jsonable, primitive
from mixstore.errors import SchemaError
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
moments = st.datetimes(
    min_value=datetime(1, 1, 2, 1), max_value=datetime(9999, 12, 30), timezones=zones | st.just(UTC)
)
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


def test_whole_floats_may_come_back_as_ints() -> None:
    assert as_json(float).decode(5) == 5.0
    assert as_json(Ratio).decode(1) is Ratio.WHOLE


def test_copying_shares_nothing_that_can_change() -> None:
    class Deep(BaseModel):
        items: dict[str, list[set[int]]]
        free: Any

    value = Deep(items={"a": [{1}]}, free={"b": [{}]})
    expected = copy.deepcopy(value)
    codec = copier(described(Deep))
    kept = codec.encode(value)
    loaded = codec.decode(kept)
    for changed in (value, loaded):
        changed.items["a"][0].add(2)
        changed.items["c"] = []
        changed.free["b"][0]["x"] = 1
    assert kept == expected


def test_documents_share_nothing_with_the_value() -> None:
    codec = as_json(Any)
    value = {"a": [1]}
    document = codec.encode(value)
    loaded = codec.decode(document)
    value["a"].append(2)
    loaded["a"].append(3)
    assert document == {"a": [1]}


def test_copying_leaves_plain_scalars_alone() -> None:
    for annotation in (str, int, bool, bytes, UUID, Color, tuple[int, ...], frozenset[str], int | str):
        assert copier(described(annotation)) == (None, None)


def test_copying_normalises_what_stores_would_change() -> None:
    moment = copier(described(datetime)).encode(datetime(2025, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert moment.tzinfo is UTC
    assert str(copier(described(Decimal)).encode(Decimal("1.50"))) == "1.5"


def test_nested_models_are_built_without_their_validators() -> None:
    class Account(BaseModel):
        password: str

        @field_validator("password")
        @classmethod
        def hashed(cls, value: str) -> str:
            return value + "#"

    account = Account(password="x")
    assert through_json(as_json(Account), account) == account
    codec = copier(described(Account))
    assert codec.decode(codec.encode(account)) == account


def test_nested_models_are_stored_by_field_name_with_all_their_fields() -> None:
    class Aliased(BaseModel):
        name: str = Field(alias="fullName")
        hidden: int = Field(default=3, exclude=True)

        @pydantic.computed_field
        def shout(self) -> str:
            return self.name.upper()

    value = Aliased(fullName="Ann")
    assert as_json(Aliased).encode(value) == {"name": "Ann", "hidden": 3}
    assert through_json(as_json(Aliased), value) == value


def test_a_missing_nested_field_takes_its_default_and_an_unknown_one_is_left_out() -> None:
    class Grown(BaseModel):
        old: int
        tags: list[str] = Field(default_factory=list)
        double: int = Field(default_factory=lambda data: data["old"] * 2)

    decode = as_json(Grown).decode
    assert decode({"old": 1, "gone": True}) == Grown(old=1, tags=[], double=2)
    assert decode({"old": 1}).tags is not decode({"old": 1}).tags
    with pytest.raises(ValueError, match="old: missing"):
        decode({})


def test_extra_fields_of_nested_models_are_json_values() -> None:
    class Open(BaseModel, extra="allow"):
        name: str

    value = Open(name="x", more=[1, {"a": None}])
    assert as_json(Open).encode(value) == {"name": "x", "more": [1, {"a": None}]}
    assert through_json(as_json(Open), value) == value
    codec = copier(described(Open))
    assert codec.decode(codec.encode(value)) == value
    with pytest.raises(ValueError, match="extra fields: Any holds JSON values"):
        as_json(Open).encode(Open(name="x", more=date(2025, 1, 2)))


def test_private_attributes_of_nested_models_take_their_defaults() -> None:
    class Secretive(BaseModel):
        name: str
        _seen: list[str] = PrivateAttr(default_factory=list)
        _limit: dict[str, int] = {"a": 1}
        _unset: int

    value = Secretive(name="x")
    for codec in (as_json(Secretive), copier(described(Secretive))):
        back = codec.decode(codec.encode(value))
        assert back == value
        back._seen.append("y")
        back._limit.clear()
        assert codec.decode(codec.encode(value)) == value


def test_cached_properties_are_not_stored() -> None:
    from functools import cached_property

    class Lazy(BaseModel):
        x: int

        @cached_property
        def square(self) -> int:
            return self.x**2

    value = Lazy(x=3)
    assert value.square == 9
    assert as_json(Lazy).encode(value) == {"x": 3}


def test_a_subclass_of_a_nested_model_is_refused_since_its_fields_would_be_lost() -> None:
    class Bigger(Place):
        more: int = 1

    with pytest.raises(ValueError, match="expected a Place itself, found Bigger"):
        as_json(Place).encode(Bigger(city="x"))


def test_none_where_it_is_not_allowed_is_named() -> None:
    with pytest.raises(ValueError, match="city: None, which its type does not allow"):
        as_json(Place).encode(Place.model_construct(city=None))


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    node = Node(value=1)
    node.children.append(node)
    for annotation, value in ((Any, loop), (Node, node)):
        with pytest.raises(ValueError, match="nested too deeply, or contains itself"):
            as_json(annotation).encode(value)


def test_enum_values_are_kept_as_values_where_the_model_says_so() -> None:
    class Plain(BaseModel, use_enum_values=True):
        color: Color

    value = Plain(color="red")
    assert value.color == "red"
    assert through_json(as_json(Plain), value) == value


def test_an_empty_path_of_a_url_survives() -> None:
    class Kept(BaseModel, url_preserve_empty_path=True):
        url: pydantic.AnyUrl

    value = Kept(url="http://a.b")
    assert str(value.url) == "http://a.b"
    assert through_json(as_json(Kept), value) == value
