"""A model for each supported type, and values of it that make trouble."""

from __future__ import annotations

import string
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Any, Literal, NamedTuple, NewType
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import (
    AnyUrl,
    AwareDatetime,
    BaseModel,
    HttpUrl,
    IPvAnyAddress,
    JsonValue,
    PositiveInt,
    PostgresDsn,
    StringConstraints,
    create_model,
)

from mixstore import Field, Model
from mixstore.testing.support import UTC

EAST = timezone(timedelta(hours=5, minutes=45))


class Shade(Enum):
    """Text with room for trouble."""

    DARK = "dark"
    EMPTY = ""
    ODD = "a'b\"c"


class Size(IntEnum):
    """Numbers."""

    SMALL = -1
    BIG = 2**40


class Mixed(Enum):
    """Values of three kinds."""

    ONE = 1
    TWO = "2"
    YES = True if False else "yes"
    HALF = 0.5


class Rights(IntFlag):
    """Bits."""

    READ = 1
    WRITE = 2


class Point(BaseModel):
    """Something nested."""

    x: float
    y: float = 0.0
    label: str | None = None


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"] = "dog"
    names: list[str] = []


class Tree(BaseModel):
    """A model that holds itself."""

    value: int
    left: Tree | None = None
    children: list[Tree] = []


class Everything(BaseModel):
    """A nested model with a field of every plain kind."""

    when: datetime
    day: date
    hour: time
    span: timedelta
    price: Decimal
    raw: bytes
    uuid: UUID
    ip: IPv4Address
    shade: Shade
    size: Size
    real: float
    flag: bool
    maybe: date | None = None


UserId = NewType("UserId", int)

# -- strategies -------------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "\0", "a\0b", "𝔘", "%_'\"\\;--", "\ufeff", "e\u0301", "\U0010ffff", " "]
)
SMALL_INTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)])
REALS = st.floats(allow_nan=False) | st.sampled_from([5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e16, float("-inf")])
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal("1E+40"), Decimal("1E-40"), Decimal("-0"), Decimal("0.10"), Decimal(10) ** 400, Decimal("1." + "3" * 300)]
)
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.sampled_from([UTC, EAST])
) | st.sampled_from([datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)])
LONGEST = timedelta(microseconds=2**63 - 1)
DAYS, HOURS, SPANS, UUIDS = st.dates(), st.times(), st.timedeltas(-LONGEST, LONGEST), st.uuids()
RAW = st.binary(max_size=20) | st.sampled_from([b"", b"\0", b"a\0", b"\0a\0\0", bytes(range(256))])
IP4, IP6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=8)
URLS = st.builds(
    lambda host, path: HttpUrl(f"https://{host}.org/{path}?q=%C3%A9#x"), NAMES, st.text(max_size=5).map(repr)
)
JSON = st.recursive(
    st.none() | st.booleans() | SMALL_INTS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
POINTS = st.builds(Point, x=REALS, y=REALS, label=st.none() | TEXTS)
TREES = st.recursive(
    st.builds(Tree, value=SMALL_INTS),
    lambda inner: st.builds(Tree, value=SMALL_INTS, left=st.none() | inner, children=st.lists(inner, max_size=2)),
    max_leaves=5,
)
EVERYTHING = st.builds(
    Everything, when=MOMENTS, day=DAYS, hour=HOURS, span=SPANS, price=DECIMALS, raw=RAW, uuid=UUIDS, ip=IP4,
    shade=st.sampled_from(Shade), size=st.sampled_from(Size), real=REALS, flag=st.booleans(), maybe=st.none() | DAYS,
)  # fmt: skip


class Kind(NamedTuple):
    """An annotation, values of it, and whether a filter by equality finds them."""

    annotation: Any
    values: SearchStrategy[Any]


KINDS: dict[str, Kind] = {
    "str": Kind(str, TEXTS),
    "int": Kind(int, SMALL_INTS),
    "float": Kind(float, REALS),
    "decimal": Kind(Decimal, DECIMALS),
    "bool": Kind(bool, st.booleans()),
    "bytes": Kind(bytes, RAW),
    "datetime": Kind(datetime, MOMENTS),
    "aware_datetime": Kind(AwareDatetime, MOMENTS),
    "date": Kind(date, DAYS),
    "time": Kind(time, HOURS),
    "timedelta": Kind(timedelta, SPANS),
    "uuid": Kind(UUID, UUIDS),
    "enum": Kind(Shade, st.sampled_from(Shade)),
    "int_enum": Kind(Size, st.sampled_from(Size)),
    "mixed_enum": Kind(Mixed, st.sampled_from(Mixed)),
    "flag": Kind(Rights, st.sampled_from([Rights(0), Rights.READ, Rights.READ | Rights.WRITE])),
    "literal": Kind(Literal["a", "b"], st.sampled_from(["a", "b"])),
    "mixed_literal": Kind(Literal["1", 1, True], st.sampled_from(["1", 1, True])),
    "ipv4": Kind(IPv4Address, IP4),
    "ipv6": Kind(IPv6Address, IP6 | st.just(IPv6Address("fe80::1%eth0"))),
    "ip_any": Kind(IPvAnyAddress, IP4 | IP6),
    "network4": Kind(IPv4Network, st.just(IPv4Network("10.0.0.0/8"))),
    "network6": Kind(IPv6Network, st.just(IPv6Network("2001:db8::/32"))),
    "interface4": Kind(IPv4Interface, st.just(IPv4Interface("10.0.0.1/8"))),
    "interface6": Kind(IPv6Interface, st.just(IPv6Interface("::1/128"))),
    "http_url": Kind(HttpUrl, URLS),
    "any_url": Kind(AnyUrl, st.sampled_from([AnyUrl("ftp://a/b"), AnyUrl("mailto:x@y.org"), AnyUrl("http://ex.org")])),
    "dsn": Kind(PostgresDsn, st.just(PostgresDsn("postgres://u:p@h:5432,g:5433/db"))),
    "new_type": Kind(UserId, SMALL_INTS),
    "constrained": Kind(PositiveInt, st.integers(1, 2**63 - 1)),
    "pattern": Kind(Annotated[str, StringConstraints(pattern="^[a-z]+$", max_length=8)], NAMES),
    "optional": Kind(int | None, st.none() | SMALL_INTS),
    "optional_date": Kind(date | None, st.none() | DAYS),
    "list": Kind(list[int], st.lists(SMALL_INTS, max_size=4)),
    "bare_list": Kind(list, st.lists(JSON, max_size=3)),
    "list_of_moments": Kind(list[datetime], st.lists(MOMENTS, max_size=3)),
    "list_of_optional": Kind(list[Decimal | None], st.lists(st.none() | DECIMALS, max_size=3)),
    "list_of_lists": Kind(list[list[bytes]], st.lists(st.lists(RAW, max_size=2), max_size=3)),
    "tuple": Kind(tuple[int, str, date], st.tuples(SMALL_INTS, TEXTS, DAYS)),
    "variadic_tuple": Kind(tuple[float, ...], st.lists(REALS, max_size=3).map(tuple)),
    "set": Kind(set[int], st.sets(SMALL_INTS, max_size=4)),
    "set_of_dates": Kind(set[date], st.sets(DAYS, max_size=3)),
    "frozenset": Kind(frozenset[str], st.frozensets(TEXTS, max_size=4)),
    "set_of_enums": Kind(set[Shade], st.sets(st.sampled_from(Shade))),
    "dict": Kind(dict[str, int], st.dictionaries(TEXTS, SMALL_INTS, max_size=3)),
    "bare_dict": Kind(dict, st.dictionaries(TEXTS, JSON, max_size=3)),
    "dict_by_int": Kind(dict[int, str], st.dictionaries(SMALL_INTS, TEXTS, max_size=3)),
    "dict_by_uuid": Kind(dict[UUID, float], st.dictionaries(UUIDS, REALS, max_size=3)),
    "dict_by_date": Kind(dict[date, bool], st.dictionaries(DAYS, st.booleans(), max_size=3)),
    "dict_by_moment": Kind(dict[datetime, int], st.dictionaries(MOMENTS, SMALL_INTS, max_size=3)),
    "dict_by_enum": Kind(dict[Shade, Decimal], st.dictionaries(st.sampled_from(Shade), DECIMALS, max_size=3)),
    "dict_of_models": Kind(dict[str, Point], st.dictionaries(TEXTS, POINTS, max_size=2)),
    "model": Kind(Point, POINTS),
    "model_of_everything": Kind(Everything, EVERYTHING),
    "optional_model": Kind(Point | None, st.none() | POINTS),
    "list_of_models": Kind(list[Everything], st.lists(EVERYTHING, max_size=2)),
    "recursive_model": Kind(Tree, TREES),
    "union": Kind(int | str, SMALL_INTS | TEXTS),
    "wide_union": Kind(
        bool | float | str | list[int] | Point | None,
        st.none()
        | st.booleans()
        | REALS.filter(lambda x: abs(x) != float("inf"))
        | TEXTS
        | st.lists(SMALL_INTS)
        | POINTS,
    ),
    "tagged_union": Kind(
        Annotated[Cat | Dog, Field(discriminator="kind")],
        st.builds(Cat, lives=SMALL_INTS) | st.builds(Dog, names=st.lists(TEXTS, max_size=2)),
    ),
    "list_of_unions": Kind(list[int | str | None], st.lists(st.none() | SMALL_INTS | TEXTS, max_size=3)),
    "any": Kind(Any, JSON),
    "json": Kind(JsonValue, JSON),
}


def holder(name: str, annotation: Any, **options: Any) -> Any:
    """A model with a field of this annotation."""
    model: Any = create_model(
        f"Holds_{name}", __base__=Model, id=(int, Field(primary_key=True)), value=(annotation, Field(**options))
    )
    return model


MODELS = {name: holder(name, kind.annotation) for name, kind in KINDS.items()}
