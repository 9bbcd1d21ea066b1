"""Models may be defined anywhere, and refer to types that come later."""

from __future__ import annotations

from typing import Annotated

import pydantic
import pytest
from pydantic import BaseModel

from mixstore import (
    ConfigurationError,
    Field,
    Mixin,
    Model,
    SchemaError,
)
from mixstore.schema import schema_of

pytestmark = pytest.mark.usefixtures("store")


def test_models_in_functions_see_local_types():
    class Address(BaseModel):
        city: str

    class User(Model):
        id: str = Field(primary_key=True)
        address: Address
        others: list[Address] = []

    User.create(id="a", address=Address(city="Rome"), others=[{"city": "Oslo"}])
    assert User.get("a").address == Address(city="Rome")
    assert User.get("a").others == [Address(city="Oslo")]


def test_abstract_parents_in_functions_see_local_types():
    class Address(BaseModel):
        city: str

    class Base(Model):
        class Meta:
            abstract = True

        id: str = Field(primary_key=True)
        address: Address

    class User(Base):
        home: Address | None = None

    User.create(id="a", address=Address(city="Rome"))
    assert (User.get("a").address.city, User.get("a").home) == ("Rome", None)


def test_mixins_in_functions_see_local_types():
    class Address(BaseModel):
        city: str

    class Housed(Mixin):
        address: Address

    class User(Housed, Model):
        id: str = Field(primary_key=True)

    User.create(id="a", address=Address(city="Rome"))
    assert User.get("a").address.city == "Rome"


def test_a_forward_reference_is_completed_at_the_first_use():
    class User(Model):
        id: str = Field(primary_key=True)
        address: Address | None = None

    class Address(BaseModel):
        city: str

    User.create(id="a", address={"city": "Rome"})
    assert User.get("a").address == Address(city="Rome")


def test_options_behind_a_forward_reference_are_seen_when_it_is_completed():
    class User(Model):
        id: str = Field(primary_key=True)
        email: Annotated[Email, Field(unique=True)]

    Email = str
    assert schema_of(User).unique == ("email",)


def test_a_mistake_behind_a_forward_reference_is_found_when_it_is_completed():
    class User(Model):
        id: str = Field(primary_key=True)
        address: Annotated[Address, Field(serchable=True)]

    class Address(BaseModel):
        city: str

    with pytest.raises(SchemaError, match="did you mean 'searchable'"):
        User.count()


class Early(Model):
    id: str = Field(primary_key=True)
    late: Late | None = None


class Late(BaseModel):
    size: int


def test_a_forward_reference_in_a_module_is_completed_at_the_first_use():
    Early.create(id="a", late={"size": 3})
    assert Early.get("a").late == Late(size=3)


def test_a_type_that_is_never_defined_is_an_error_that_names_it():
    class User(Model):
        id: str = Field(primary_key=True)
        address: Adress | None = None  # noqa: F821

    with pytest.raises(ConfigurationError, match="Adress"):
        User.create(id="a")


def test_a_nested_model_may_contain_itself():
    class Node(BaseModel):
        name: str
        children: list[Node] = []

    class Tree(Model):
        id: str = Field(primary_key=True)
        root: Node

    Tree.create(id="a", root=Node(name="x", children=[Node(name="y")]))
    assert Tree.get("a").root.children[0].name == "y"


def test_two_functions_may_define_models_of_one_name():
    def make(kind: type) -> type[Model]:
        class Thing(Model):
            class Meta:
                entity = f"Thing_{kind.__name__}"

            id: str = Field(primary_key=True)
            value: kind

        return Thing

    Whole, Text = make(int), make(str)
    Whole.create(id="a", value=1)
    Text.create(id="a", value="1")
    assert (Whole.get("a").value, Text.get("a").value) == (1, "1")


def test_class_arguments_of_pydantic_still_work():
    class User(Model, frozen=True):
        id: str = Field(primary_key=True)

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        User(id="a").id = "b"


def test_an_unknown_field_in_the_constructor_is_refused():
    class User(Model):
        id: str = Field(primary_key=True)

    with pytest.raises(pydantic.ValidationError, match="Extra inputs"):
        User(id="a", nme="x")
