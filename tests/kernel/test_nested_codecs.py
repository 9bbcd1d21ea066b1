"""What codecs do with nested models, and what they share with nobody."""

from __future__ import annotations

import copy
import enum
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

import pydantic
import pytest
from pydantic import BaseModel, Field, PrivateAttr, field_validator

from mixstore.codecs import Codec, copier, jsonable
from mixstore.types import FieldType, describe

UTC = timezone.utc


class Color(enum.Enum):
    RED = "red"


class Place(BaseModel):
    city: str
    since: date | None = None


class Node(BaseModel):
    value: int
    children: list[Node] = []


def described(annotation: Any) -> FieldType:
    return describe(annotation, "Thing.x")


def as_json(annotation: Any) -> Codec:
    return jsonable(described(annotation))


def through_json(codec: Codec, value: Any) -> Any:
    return codec.decode(json.loads(json.dumps(codec.encode(value), allow_nan=False)))


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
