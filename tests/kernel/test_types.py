"""What annotations mean to a store."""

# ruff: noqa: UP006, UP007, UP035, UP045  (the old spellings are what is tested)
from __future__ import annotations

import collections
import dataclasses
import enum
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Dict,
    Final,
    Generic,
    List,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Tuple,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import pydantic
import pytest
from pydantic import BaseModel, BeforeValidator, Field
from typing_extensions import TypeAliasType

from mixstore.errors import SchemaError
from mixstore.types import describe

T = TypeVar("T")
K = TypeVar("K")
UserId = NewType("UserId", int)
Tags = TypeAliasType("Tags", list[str])
Pair = TypeAliasType("Pair", tuple[T, T], type_params=(T,))
Flipped = TypeAliasType("Flipped", dict[K, T], type_params=(T, K))
Tree = TypeAliasType("Tree", dict[str, "Tree"])
Dozens = TypeAliasType("Dozens", list["Dozen"])
Dozen = TypeAliasType("Dozen", int)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Address(BaseModel):
    city: str
    zip: int | None = None


class Node(BaseModel):
    value: int
    children: list[Node] = []
    parent: Node | None = None


class Box(BaseModel, Generic[T]):
    value: T


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog", "wolf"] = "dog"


class Frozen(BaseModel, frozen=True):
    x: int


@pytest.mark.parametrize(
    ("annotation", "kind", "python"),
    [
        (str, "str", str),
        (int, "int", int),
        (float, "float", float),
        (Decimal, "decimal", Decimal),
        (bool, "bool", bool),
        (bytes, "bytes", bytes),
        (datetime, "datetime", datetime),
        (pydantic.AwareDatetime, "datetime", datetime),
        (pydantic.FutureDatetime, "datetime", datetime),
        (date, "date", date),
        (pydantic.PastDate, "date", date),
        (time, "time", time),
        (timedelta, "timedelta", timedelta),
        (UUID, "uuid", UUID),
        (pydantic.UUID4, "uuid", UUID),
        (pydantic.EmailStr, "str", str),
        (pydantic.StrictStr, "str", str),
        (pydantic.constr(max_length=3), "str", str),
        (pydantic.conint(gt=3), "int", int),
        (pydantic.ByteSize, "int", pydantic.ByteSize),
        (pydantic.Base64Bytes, "bytes", bytes),
        (pydantic.FiniteFloat, "float", float),
        (Color, "enum", Color),
        (Access, "enum", Access),
        (Literal["a"], "literal", None),
        (ipaddress.IPv4Address, "ip", ipaddress.IPv4Address),
        (ipaddress.IPv6Network, "ip", ipaddress.IPv6Network),
        (pydantic.IPvAnyAddress, "ip", pydantic.IPvAnyAddress),
        (pydantic.HttpUrl, "url", pydantic.HttpUrl),
        (pydantic.AnyUrl, "url", pydantic.AnyUrl),
        (pydantic.PostgresDsn, "url", pydantic.PostgresDsn),
        (Address, "model", Address),
        (Box[int], "model", Box[int]),
        (Any, "any", None),
        (object, "any", None),
        (pydantic.JsonValue, "any", None),
        (pydantic.Json, "any", None),
        (list, "list", list),
        (List, "list", list),
        (Tuple, "tuple", tuple),
        (dict, "dict", dict),
        (Dict, "dict", dict),
        (UserId, "int", int),
        (Tags, "list", list),
        (Dozens, "list", list),
        (Final[int], "int", int),
        (pydantic.Json[list[int]], "list", list),
        (Annotated[str, BeforeValidator(str.strip), Field(max_length=3)], "str", str),
        (int | str, "union", None),
    ],
)
def test_an_annotation_has_a_kind_and_a_class(annotation: Any, kind: str, python: Any) -> None:
    described = describe(annotation, "User.x")
    assert (described.kind, described.python, described.nullable) == (kind, python, False)


@pytest.mark.parametrize(
    ("annotation", "hint"),
    [
        (complex, "floats"),
        (Callable[[int], int], "BaseModel"),
        (Path, "as str"),
        (collections.deque, "use list"),
        (collections.deque[int], "use list"),
        (Sequence[int], "use list"),
        (Mapping[str, int], "use dict"),
        (collections.OrderedDict[str, int], "use dict"),
        (pydantic.NaiveDatetime, "time zone"),
        (pydantic.SecretStr, "encrypts"),
        (pydantic.Secret[int], "encrypts"),
        (pydantic.NameEmail, "EmailStr"),
        (T, "parametrise"),
        (Box, "parametrise"),
        (BaseModel, "BaseModel"),
        (None, None),
        (type[int], "BaseModel"),
        (TypedDict("Movie", {"name": str}), "BaseModel"),
        (NamedTuple("Point", [("x", int)]), "BaseModel"),
        (dataclasses.make_dataclass("Data", ["x"]), "BaseModel"),
        (type("Moment", (datetime,), {}), "BaseModel"),
        (Literal[None], None),
        (Literal[b"x"], "values are"),
        (enum.Enum("Empty", {}), None),
        (enum.Enum("Pairs", {"A": (1, 2)}), "values are"),
        (enum.Enum("Odd", {"A": float("nan")}), "values are"),
        (list[complex], "floats"),
        (dict[str, list[Path]], "as str"),
        (set[list[int]], None),
        (set[Address], None),
        (frozenset[tuple[int, dict[str, int]]], None),
        (dict[float, int], "keys are"),
        (dict[str | None, int], "keys are"),
        (dict[Any, int], "keys are"),
        (dict[Mixed, int], "keys are"),
        (Tree, "nested model"),
        ("Nowhere", None),
    ],
)
def test_a_type_that_no_store_can_hold_is_refused_with_the_field_named(annotation: Any, hint: str | None) -> None:
    with pytest.raises(SchemaError, match=r"User\.x") as caught:
        describe(annotation, "User.x")
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize("annotation", [Optional[int], int | None, Union[None, int], Optional[UserId]])
def test_optional_means_nullable(annotation: Any) -> None:
    described = describe(annotation, "User.x")
    assert (described.kind, described.nullable) == ("int", True)


def test_none_is_found_at_any_depth_of_a_union() -> None:
    maybe = TypeAliasType("maybe", str | None)
    described = describe(int | maybe, "User.x")
    assert described.nullable
    assert [member.kind for member in described.args] == ["int", "str"]
    assert not any(member.nullable for member in described.args)


def test_none_among_literals_means_nullable() -> None:
    described = describe(Literal["a", None], "User.x")
    assert (described.choices, described.nullable) == (("a",), True)


def test_elements_keep_their_own_nullability() -> None:
    described = describe(dict[str, list[int | None]] | None, "User.x")
    assert described.nullable
    assert described.args[1].args[0].nullable


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        (list[int], "list[int]"),
        (list, "list[Any]"),
        (tuple[int, str], "tuple[int, str]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[()], "tuple[]"),
        (tuple, "tuple[Any, ...]"),
        (frozenset[UUID], "frozenset[UUID]"),
        (dict[Level, Address], "dict[Level, Address]"),
        (dict, "dict[str, Any]"),
        (Pair[int], "tuple[int, int]"),
        (Flipped[int, str], "dict[str, int]"),
        (Literal["a", 3] | None, "Literal['a', 3] | None"),
        (list[int] | str, "list[int] | str"),
        (set[Frozen], "set[Frozen]"),
    ],
)
def test_a_described_type_reads_like_its_annotation(annotation: Any, told: str) -> None:
    assert str(describe(annotation, "User.x")) == told


@pytest.mark.parametrize(
    ("annotation", "stored", "choices"),
    [
        (Color, "str", ("red", "blue")),
        (Level, "int", (1, 2)),
        (Mixed, "any", (1, "two")),
        (Literal["a", "b"], "str", ("a", "b")),
        (Literal[1, 2], "int", (1, 2)),
        (Literal[True], "bool", (True,)),
        (Literal["a", 1], "any", ("a", 1)),
        (Literal[Color.RED], "str", (Color.RED,)),
    ],
)
def test_enums_and_literals_are_stored_by_value(annotation: Any, stored: str, choices: tuple[Any, ...]) -> None:
    described = describe(annotation, "User.x")
    assert (described.stored, described.choices) == (stored, choices)


def test_text_is_stored_for_what_has_no_column_type_of_its_own() -> None:
    kinds = (ipaddress.IPv4Address, pydantic.HttpUrl, UUID)
    assert [describe(kind, "User.x").stored for kind in kinds] == ["str"] * 3
    assert describe(datetime, "User.x").stored == "datetime"


def test_enums_of_a_model_that_uses_their_values_are_literals() -> None:
    class Plain(BaseModel, use_enum_values=True):
        color: Color = Color.RED

    assert describe(Plain, "User.x").nested()["color"].kind == "literal"
    assert describe(Color, "User.x", enum_values=True).choices == ("red", "blue")


def test_two_literals_stored_alike_are_refused() -> None:
    with pytest.raises(SchemaError, match="same value"):
        describe(Literal[Color.RED, "red"], "User.x")


def test_nested_models_have_fields() -> None:
    fields = describe(Address, "User.address").nested()
    assert {name: str(inner) for name, inner in fields.items()} == {"city": "str", "zip": "int | None"}
    assert describe(int, "User.age").nested() == {}


def test_recursive_models_can_be_walked_to_any_depth() -> None:
    described = describe(Node, "Tree.root")
    for _ in range(5):
        described = described.nested()["children"].args[0]
    assert described.python is Node
    assert described.nested()["parent"].nullable


def test_mistakes_deep_inside_nested_models_are_found_and_named() -> None:
    class Inner(BaseModel):
        both: int | float

    class Outer(BaseModel):
        inners: list[Inner]

    with pytest.raises(SchemaError, match=r"User\.outer\.inners\.both: int and float"):
        describe(Outer, "User.outer")


def test_a_nested_model_with_an_undefined_name_is_refused() -> None:
    class Open(BaseModel):
        later: Undefined  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(SchemaError, match=r"User\.x: Open refers to a type that is not defined"):
        describe(Open, "User.x")


@pytest.mark.parametrize(
    ("annotation", "scalar", "orderable"),
    [
        (int, True, True),
        (Color, True, True),
        (Mixed, True, False),
        (list[int], False, False),
        (Address, False, False),
        (Any, False, False),
        (int | str, False, False),
    ],
)
def test_scalars_are_one_value_and_orderable_if_of_one_type(annotation: Any, scalar: bool, orderable: bool) -> None:
    described = describe(annotation, "User.x")
    assert (described.scalar, described.orderable) == (scalar, orderable)
