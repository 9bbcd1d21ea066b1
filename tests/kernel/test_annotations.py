"""Annotations without their validators, with and without their constraints."""

# ruff: noqa: UP045  (the old spellings are what is tested)
from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar

import annotated_types
import pydantic
import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer, TypeAdapter
from pydantic import ValidationError as PydanticError
from typing_extensions import TypeAliasType

from mixstore.types import bare, constrained

T = TypeVar("T")
UserId = NewType("UserId", int)
Pair = TypeAliasType("Pair", tuple[T, T], type_params=(T,))
Tree = TypeAliasType("Tree", dict[str, "Tree"])


class Level(enum.IntEnum):
    LOW = 1


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog", "wolf"] = "dog"


def shout(text: str) -> str:
    return text.upper() + "!"


@pytest.mark.parametrize(
    ("annotation", "stripped"),
    [
        (int, int),
        (Annotated[int, Field(gt=3)], int),
        (Optional[Annotated[int, Field(gt=3)]], Optional[int]),
        (list[Annotated[str, AfterValidator(shout)]], list[str]),
        (dict[str, Annotated[int, annotated_types.Gt(3)] | None], dict[str, Optional[int]]),
        (tuple[Annotated[int, Field(gt=3)], ...], tuple[int, ...]),
        (tuple[()], tuple[()]),
        (Annotated[str, PlainSerializer(shout)], str),
        (pydantic.EmailStr, str),
        (pydantic.PositiveInt, int),
        (pydantic.PastDate, date),
        (pydantic.AwareDatetime, datetime),
        (pydantic.ByteSize, int),
        (Level, Level),
        (UserId, int),
        (Pair[UserId], tuple[int, int]),
        (Literal["a"], Literal["a"]),
        (Any, Any),
    ],
)
def test_bare_strips_validators_and_constraints_at_every_depth(annotation: Any, stripped: Any) -> None:
    assert bare(annotation) == stripped


def test_bare_keeps_discriminators() -> None:
    adapter = TypeAdapter(bare(list[Annotated[Cat | Dog, Field(discriminator="kind"), AfterValidator(shout)]]))
    assert adapter.validate_python([{"kind": "wolf"}]) == [Dog(kind="wolf")]


def test_bare_and_constrained_leave_recursive_aliases_usable() -> None:
    assert TypeAdapter(bare(Tree)).validate_python({"a": {}}) == {"a": {}}
    assert bare(pydantic.JsonValue) is pydantic.JsonValue


def test_constrained_keeps_constraints_only() -> None:
    class Account(BaseModel):
        name: Annotated[str, AfterValidator(shout), Field(max_length=4, pattern="^[a-z]+$")]
        scores: list[Annotated[int, Field(ge=0), BeforeValidator(abs)]] = Field(max_length=2)
        secret: pydantic.Base64Bytes = b""
        limit: Annotated[int | None, Field(strict=True), AfterValidator(shout)] = None

    def checker(name: str) -> Callable[[Any], Any]:
        info = Account.model_fields[name]
        return TypeAdapter(constrained(info.annotation, info.metadata)).validate_python

    assert checker("name")("abc") == "abc"
    assert checker("scores")([1, 2]) == [1, 2]
    assert checker("secret")(b"raw") == b"raw"
    for name, bad in [
        ("name", "abcde"),
        ("name", "ABC"),
        ("scores", [-1]),
        ("scores", [1, 2, 3]),
        ("limit", "5"),
    ]:
        with pytest.raises(PydanticError):
            checker(name)(bad)


def test_constrained_drops_foreign_metadata() -> None:
    assert constrained(int, [object(), "a note", annotated_types.Gt(3)]) == Annotated[int, annotated_types.Gt(3)]
