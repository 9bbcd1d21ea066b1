"""Fields of a mixin that a model redefines, and methods of a mixin that a field would hide."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar, Generic, Literal, TypeVar

import pytest

from mixstore import Field, Mixin, Model, QueryBuilder, SchemaError, query_method
from mixstore.narrowing import narrows
from mixstore.schema import schema_of
from mixstore.types import describe
from mixstore_extensions import TTL, History, SoftDelete, Tenant, Versioned

T = TypeVar("T")


class Colour(str, Enum):
    RED = "red"


class Plain(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (str, str | None),
        (Literal["a"], str),
        (Literal["a"], Literal["a", "b"]),
        (Colour, str),
        (list[Literal["a"]], list[str | None]),
        (int, int | str),
        (Literal["a"] | int, int | str),
        (dict[str, int], Any),
    ],
)
def test_a_type_narrows_another(one, other):
    assert narrows(describe(one, "A.a"), describe(other, "B.b"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (str | None, str),
        (str, int),
        (bool, int),
        (str, Literal["a"]),
        (Literal["a", "c"], Literal["a", "b"]),
        (Plain, str),
        (list[int], list[str]),
        (tuple[int, ...], tuple[int]),
        (int | str, int),
        (Any, int),
    ],
)
def test_a_type_does_not_narrow_another(one, other):
    assert not narrows(describe(one, "A.a"), describe(other, "B.b"))


def test_a_field_of_a_mixin_may_be_narrowed_or_allow_none():
    class Doc(Versioned, Tenant, Model):
        id: str = Field(primary_key=True)
        version: int | None = Field(0, ge=0)
        tenant: Literal["a", "b"] | None = None

    assert schema_of(Doc).fields["tenant"].type.choices == ("a", "b")


@pytest.mark.parametrize(
    ("mixin", "name", "annotation", "told"),
    [
        (TTL, "expires_at", str, "is str, and TTL needs it to be datetime | None"),
        (SoftDelete, "deleted_at", bool, "is bool, and SoftDelete needs it to be datetime | None"),
        (Versioned, "version", str, "is str, and Versioned needs it to be int"),
    ],
)
def test_a_field_of_a_mixin_can_not_become_another_type(mixin, name, annotation, told):
    namespace = {"__module__": __name__, "__annotations__": {"id": str, name: annotation}}
    model: Any = type(Model)("Doc", (mixin, Model), {**namespace, "id": Field(primary_key=True), name: None})
    with pytest.raises(SchemaError) as caught:
        schema_of(model)
    assert f"Doc.{name} {told}" in str(caught.value)


def test_a_generic_mixin_needs_what_its_parameter_says():
    class Holds(Mixin, Generic[T]):
        held: T

    class Numbers(Holds[int], Model):
        id: str = Field(primary_key=True)

    class Texts(Holds[int], Model):
        id: str = Field(primary_key=True)
        held: str

    assert schema_of(Numbers).fields["held"].type.kind == "int"
    with pytest.raises(SchemaError, match=r"Texts\.held is str, and Holds\[int\] needs it to be int"):
        schema_of(Texts)


def test_a_model_can_not_take_a_field_of_a_mixin_away():
    class Doc(TTL, Model):
        id: str = Field(primary_key=True)
        expires_at: ClassVar[None] = None

    with pytest.raises(SchemaError, match="Doc is TTL, and lacks its field 'expires_at'"):
        schema_of(Doc)


class Kept(Mixin):
    kind: Sort | None = None  # which is defined later


class Shelved(Kept, Model):
    id: str = Field(primary_key=True)


class Sort(Enum):
    OLD = "old"


def test_a_mixin_may_have_a_field_whose_type_is_defined_later(store):
    assert Shelved.create(id="a", kind="old").kind is Sort.OLD


def test_a_field_can_not_hide_a_method_of_a_mixin():
    with pytest.raises(SchemaError, match=r"Doc\.history: a field can't have the name of a method of History"):

        class Doc(History, Model):
            id: str = Field(primary_key=True)
            history: list[str] = []

    with pytest.raises(SchemaError, match=r"Doc\.restore: .* a method of SoftDelete"):

        class Doc(SoftDelete, Model):  # type: ignore[no-redef]
            id: str = Field(primary_key=True)
            restore: bool = False


def test_a_field_can_not_hide_a_query_method_of_a_mixin():
    class Shown(Mixin):
        @query_method
        def shown(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
            return query

    with pytest.raises(SchemaError, match=r"Doc\.shown: .* a method of Shown"):

        class Doc(Shown, Model):
            id: str = Field(primary_key=True)
            shown: bool = False


def test_a_field_of_one_mixin_can_not_hide_a_method_of_another():
    class Restored(Mixin):
        restore: bool = False

    with pytest.raises(SchemaError, match=r"Doc\.restore: .* a method of SoftDelete"):

        class Doc(Restored, SoftDelete, Model):
            id: str = Field(primary_key=True)
