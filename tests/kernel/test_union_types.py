"""Which unions a store can hold, and how they are simplified."""

from __future__ import annotations

import enum
import ipaddress
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from mixstore.errors import SchemaError
from mixstore.types import annotated, describe, forms


class Color(enum.Enum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog", "wolf"] = "dog"


@pytest.mark.parametrize(
    "annotation",
    [
        int | float,
        str | bytes,
        str | datetime,
        date | datetime,
        UUID | str,
        Color | str,
        ipaddress.IPv4Address | ipaddress.IPv6Address,
        list[int] | tuple[int, int],
        set[int] | list[int],
        Cat | Dog,
        Cat | dict[str, int],
        timedelta | int,
        int | Any,
        Literal[1, "a"] | Color,
    ],
)
def test_a_union_whose_members_are_stored_alike_is_refused(annotation: Any) -> None:
    with pytest.raises(SchemaError, match=r"User\.x: .* both stored as .* can't be told apart"):
        describe(annotation, "User.x")


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        (str | Literal["auto"], "str"),
        (Literal["a"] | Literal["b"], "Literal['a', 'b']"),
        (int | Literal["auto", 3], "int | Literal['auto']"),
        (bool | int | str, "bool | int | str"),
        (Annotated[int, Field(gt=0)] | Annotated[int, Field(lt=9)], "int"),
        (pydantic.UUID4 | pydantic.UUID1, "UUID"),
    ],
)
def test_a_union_is_simplified_where_its_values_are_the_same(annotation: Any, told: str) -> None:
    assert str(describe(annotation, "User.x")) == told


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[Cat | Dog, Field(discriminator="kind")],
        Annotated[Cat | Dog | None, pydantic.Discriminator("kind")],
        Annotated[Cat | Dog, Field(discriminator="kind")] | None,
        Annotated[TypeAliasType("Pet", Cat | Dog), Field(discriminator="kind")],
    ],
)
def test_a_discriminated_union_may_hold_models(annotation: Any) -> None:
    described = describe(annotation, "User.x")
    assert (described.kind, described.discriminator) == ("union", "kind")
    assert [member.python for member in described.args] == [Cat, Dog]


def test_the_discriminator_of_a_field_is_read_from_its_field_info() -> None:
    class Owner(BaseModel):
        pet: Cat | Dog = Field(discriminator="kind")

    info = Owner.model_fields["pet"]
    assert describe(info, "Owner.pet").discriminator == "kind"
    assert describe(annotated(info), "Owner.pet").discriminator == "kind"
    assert describe(Owner, "Home.owner").nested()["pet"].discriminator == "kind"


def test_a_discriminated_union_stays_whole_among_other_members() -> None:
    described = describe(Annotated[Cat | Dog, Field(discriminator="kind")] | str, "User.x")
    assert [member.kind for member in described.args] == ["union", "str"]
    assert forms(described) == {"object", "text"}


def test_a_discriminator_that_is_a_function_is_refused() -> None:
    tagged = Annotated[Cat, pydantic.Tag("c")] | Annotated[Dog, pydantic.Tag("d")]
    with pytest.raises(SchemaError, match="can't be a function"):
        describe(Annotated[tagged, pydantic.Discriminator(lambda value: "c")], "User.x")
