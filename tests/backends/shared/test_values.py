"""Every supported type comes back equal and of the same type; what no store can hold is refused by the field's name."""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import (
    AfterValidator,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    HttpUrl,
    IPvAnyAddress,
    JsonValue,
    PositiveInt,
    PostgresDsn,
    StringConstraints,
    create_model,
)

import mixstore
from mixstore import Field, Model, ValidationError
from tests.backends.shared.support import UTC, examples, same

Use = Callable[..., Any]
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
    left: Optional[Tree] = None
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

# -- strategies -----------------------------------------------------------------------------------------------------------

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
RAW = st.binary(max_size=20)
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


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_type_come_back_the_same(use: Use, kind: str) -> None:
    model = use(MODELS[kind])

    @examples(8)
    @given(values=st.lists(KINDS[kind].values, min_size=1, max_size=15))
    def come_back(values: list[Any]) -> None:
        model.where().delete()
        made = [model.create(id=number, value=value) for number, value in enumerate(values)]
        found = model.where().order_by("id").all()
        for number, (row, value) in enumerate(zip(found, values, strict=True)):
            assert row == made[number]
            assert same(row.value, made[number].value)
            assert row.value == value
            assert same(model.get(number).value, row.value)
        assert model.where().select("value").order_by("id").all() == [{"value": row.value} for row in found]
        found[0].update(value=values[-1])
        assert same(model.get(0).value, found[-1].value)
        found[0].save()
        assert model.batch_upsert([{"id": 0, "value": values[0]}]) == made[:1]
        assert same(model.get(0).value, made[0].value)

    come_back()


SCALARS = [
    "str", "int", "float", "decimal", "bool", "bytes", "datetime", "date", "time", "timedelta", "uuid", "enum", "int_enum",
    "literal", "ipv4", "ipv6", "ip_any", "network4", "interface6", "http_url", "any_url", "new_type", "optional", "model",
    "list", "set", "frozenset", "tuple", "dict", "dict_by_int", "recursive_model", "union", "tagged_union", "any",
]  # fmt: skip


@pytest.mark.parametrize("kind", SCALARS)
def test_a_filter_finds_the_rows_that_hold_a_value(use: Use, kind: str) -> None:
    model = use(MODELS[kind])

    @examples(8)
    @given(values=st.lists(KINDS[kind].values, min_size=1, max_size=6))
    def is_found(values: list[Any]) -> None:
        model.where().delete()
        rows = model.batch_create([{"id": number, "value": value} for number, value in enumerate(values)])
        for row in rows:
            alike = {other.id for other in rows if same(other.value, row.value) or other.value == row.value}
            found = {other.id for other in model.where(value=row.value)}
            assert row.id in found
            assert found <= alike
            assert found == {other.id for other in model.where(value__in=[row.value])}
            assert {other.id for other in model.where(value__ne=row.value)} == {one.id for one in rows} - found

    is_found()


KEYS = ["str", "int", "decimal", "bool", "bytes", "datetime", "date", "time", "timedelta", "uuid", "enum", "int_enum",
        "literal", "ipv4", "ipv6", "network4", "http_url", "float"]  # fmt: skip
KEYED: dict[str, Any] = {
    name: create_model(
        f"Keyed_{name}", __base__=Model, key=(KINDS[name].annotation, Field(primary_key=True)), n=(int, 0)
    )
    for name in KEYS
}


@pytest.mark.parametrize("kind", KEYS)
def test_values_of_every_plain_type_are_keys(use: Use, kind: str) -> None:
    model = use(KEYED[kind])

    @examples(6)
    @given(keys=st.lists(KINDS[kind].values, min_size=1, max_size=6))
    def are_keys(keys: list[Any]) -> None:
        model.where().delete()
        for number, key in enumerate(keys):
            model.upsert(key=key, n=number)
        for key in keys:
            assert model.get(key).key == key
            assert model.where(key=key).one().key == key
            assert model.where(key__in=[key]).count() == 1
        walked: list[Any] = []
        cursor = None
        while True:
            page = model.where().limit(2).cursor(cursor).paginate()
            walked += [row.key for row in page]
            cursor = page.cursor
            if cursor is None:
                break
        assert walked == [row.key for row in model.where().order_by("key").all()]
        assert len(walked) == model.count()
        assert [row.key for row in model.where().order_by("-key").all()] == walked[::-1]
        for row in model.all():
            assert row.delete() is True
        assert model.count() == 0

    are_keys()


# -- what is refused ------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, Any]] = [
    ("float", float("nan")),
    ("decimal", Decimal("NaN")),
    ("decimal", Decimal("Infinity")),
    ("datetime", datetime(2025, 1, 1)),
    ("datetime", datetime.min.replace(tzinfo=EAST)),
    ("time", time(12, tzinfo=UTC)),
    ("list_of_moments", [datetime(2025, 1, 1)]),
    ("variadic_tuple", (float("nan"),)),
    ("any", object()),
    ("any", {"a": {1, 2}}),
    ("any", float("nan")),
    ("any", [float("inf")]),
    ("any", {1: "a"}),
    ("bare_dict", {"a": datetime(2025, 1, 1, tzinfo=UTC)}),
]


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_what_no_store_can_hold_is_refused_by_the_fields_name(use: Use, kind: str, value: Any) -> None:
    model = use(MODELS[kind])
    for write in (
        lambda: model.create(id=1, value=value),
        lambda: model.upsert(id=1, value=value),
        lambda: model(id=1, value=value).save(),
    ):
        with pytest.raises((ValidationError, ValueError)) as caught:
            write()
        assert "value" in str(caught.value)
        if isinstance(caught.value, mixstore.MixstoreError):
            assert caught.value.field == "value"
    assert model.count() == 0


def test_a_refused_value_leaves_the_stored_one(use: Use) -> None:
    model = use(MODELS["float"])
    row = model.create(id=1, value=1.5)
    with pytest.raises(ValidationError) as caught:
        row.update(value=float("nan"))
    assert caught.value.field == "value"
    row.value = float("nan")
    with pytest.raises(ValidationError):
        row.save()
    with pytest.raises(ValidationError):
        model.where().update(value=float("nan"))
    assert model.get(1).value == 1.5


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30, -(10**100)])
def test_a_number_beyond_64_bits_is_held_exactly_or_refused_by_name(use: Use, number: int) -> None:
    model = use(MODELS["int"])
    for verb in (model.create, model.upsert):
        try:
            verb(id=1, value=number)
        except ValidationError as error:
            assert error.field == "value"
            assert "value" in str(error)
            assert model.count() == 0
        else:
            assert model.get(1).value == number
            assert model.where(value=number).count() == 1
            model.get(1).delete()


@pytest.mark.parametrize("span", [timedelta.max, timedelta.min])
def test_the_longest_spans_are_held_exactly_or_refused_by_name(use: Use, span: timedelta) -> None:
    model = use(MODELS["timedelta"])
    try:
        model.create(id=1, value=span)
    except ValidationError as error:
        assert error.field == "value"
        assert model.count() == 0
    else:
        assert model.get(1).value == span
    assert model.where(value__gt=timedelta.max).count() == 0
    assert model.where(value__lt=timedelta.min).count() == 0


@pytest.mark.parametrize("annotation", [Literal["1", 1], Mixed, list[int], Point, int | str, Any, int | None])
def test_a_key_is_of_one_plain_kind(use: Use, annotation: Any) -> None:
    with pytest.raises(mixstore.SchemaError, match="key"):
        use(create_model("Odd", __base__=Model, key=(annotation, Field(primary_key=True))))


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_a_batch_with_a_number_beyond_64_bits_stores_the_rest_or_nothing(use: Use, number: int) -> None:
    model = use(MODELS["int"])
    try:
        model.batch_create([{"id": 1, "value": 1}, {"id": 2, "value": number}, {"id": 3, "value": 3}])
    except mixstore.BatchError as error:
        assert list(error.failed) == [1]
        assert error.failed[1].field == "value"  # type: ignore[attr-defined]
        assert [row.value for row in model.where().order_by("id")] == [1, 3]
    except ValidationError as error:
        assert error.field == "value"
        assert model.count() == 0
    else:
        assert model.get(2).value == number


def test_a_number_beyond_64_bits_in_a_nested_value_is_held_or_refused(use: Use) -> None:
    for kind, value in (
        ("list", [2**70]),
        ("dict", {"a": -(2**70)}),
        ("any", {"a": 2**70}),
        ("recursive_model", Tree(value=2**70)),
    ):
        model = use(MODELS[kind])
        try:
            model.create(id=1, value=value)
        except ValidationError as error:
            assert error.field == "value"
            assert model.count() == 0
        else:
            assert same(model.get(1).value, value)


def test_a_key_beyond_64_bits_is_not_there(use: Use) -> None:
    model = use(MODELS["int"])
    assert model.get(2**70) is None
    assert model.batch_get([2**70, -(2**70)]) == [None, None]
    assert model.where(id=2**70).all() == []
    assert model.where(id__lt=2**70).count() == 0


# -- validators, defaults, aliases ------------------------------------------------------------------------------------------

RUNS: list[str] = []


def hashed(value: str) -> str:
    """A validator that must run once."""
    RUNS.append(value)
    return f"#{value}"


class Secret(Model):
    """A field that its validator changes, an alias, a computed default."""

    id: str = Field(primary_key=True)
    password: Annotated[str, AfterValidator(hashed)] = ""
    count_: Annotated[int, BeforeValidator(lambda value: int(value) * 2)] = 0
    other: int = Field(0, alias="OtherName")
    made: list[int] = Field(default_factory=lambda: [1, 2])


def test_validators_run_on_what_the_caller_gives_and_never_on_load_or_save(use: Use) -> None:
    use(Secret)
    RUNS.clear()
    secret = Secret.create(id="a", password="x", count_=1)
    assert (secret.password, secret.count_, RUNS) == ("#x", 2, ["x"])
    found = Secret.get("a")
    assert (found.password, found.count_) == ("#x", 2)
    found.other = 5
    found.save()
    found.update(other=6)
    Secret.where().update(other=7)
    assert Secret.get("a").password == "#x"
    assert RUNS == ["x"]
    found.refresh().update(password="y")
    assert (Secret.get("a").password, RUNS) == ("#y", ["x", "y"])


def test_storage_uses_the_names_of_fields(use: Use) -> None:
    use(Secret)
    Secret.create(id="a", other=3)
    assert Secret.get("a").other == 3
    assert Secret.where(other=3).count() == 1
    assert Secret.where().select("other").one() == {"other": 3}
    assert Secret.get("a").made == [1, 2]


class Limits(Model):
    """Constraints."""

    id: str = Field(primary_key=True)
    age: int = Field(0, ge=0, le=150)
    name: str = Field("", max_length=5)


def test_save_checks_constraints_and_filters_do_not(use: Use) -> None:
    use(Limits)
    row = Limits.create(id="a", age=10)
    row.age = 151
    with pytest.raises(ValidationError) as caught:
        row.save()
    assert caught.value.field == "age"
    with pytest.raises(ValidationError):
        Limits.upsert(id="b", name="too long")
    assert Limits.where(age__lt=-5).count() == 0
    assert Limits.where(age__lt=1000, name__ne="longer than five").count() == 1
