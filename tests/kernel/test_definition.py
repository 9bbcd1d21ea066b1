"""The moment "define": what a class statement alone can get wrong is an error there, with the nearest right name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Generic, TypeVar

import pytest

from mixstore import (
    BackendExtension,
    Field,
    Mixin,
    Model,
    SchemaError,
    after_load,
    before_save,
    query_method,
)
from mixstore.schema import schema_of

pytestmark = pytest.mark.usefixtures("store")

T = TypeVar("T")


class Ageing(Mixin):
    class Declares:
        meta = {"lifetime": timedelta}
        options = {"masked": bool, "weight": (int, float)}


# -- Meta --------------------------------------------------------------------------------------------------------------


def test_an_unknown_meta_key_names_the_nearest_one():
    with pytest.raises(SchemaError, match=r"User\.Meta\.entty.*\n.*did you mean 'entity'"):

        class User(Model):
            class Meta:
                entty = "people"

            id: str = Field(primary_key=True)


def test_a_meta_key_of_a_mixin_is_unknown_without_the_mixin():
    with pytest.raises(SchemaError, match="lifetime"):

        class User(Model):
            class Meta:
                lifetime = timedelta(1)

            id: str = Field(primary_key=True)


def test_a_meta_key_of_a_mixin_is_known_and_typed():
    with pytest.raises(SchemaError, match=r"lifetime must be timedelta, not int"):

        class User(Ageing, Model):
            class Meta:
                lifetime = 3

            id: str = Field(primary_key=True)


@pytest.mark.parametrize(("name", "value"), [("entity", 1), ("abstract", "yes"), ("key", "USER#{id}"), ("scan", 1)])
def test_a_meta_key_of_the_wrong_type_is_refused(name, value):
    with pytest.raises(SchemaError, match=rf"Meta\.{name} must be"):

        class User(Model):
            class Meta(type("Told", (), {name: value})):
                pass


def test_a_scan_policy_that_does_not_exist_names_the_nearest_one():
    with pytest.raises(SchemaError, match="did you mean 'forbid'"):

        class User(Model):
            class Meta:
                scan = "forbidden"

            id: str = Field(primary_key=True)


def test_meta_merges_key_by_key_along_the_bases():
    class Base(Model):
        class Meta:
            abstract = True
            scan = "forbid"
            backend = "far"

    class User(Base):
        class Meta:
            backend = "near"

        id: str = Field(primary_key=True)

    meta = schema_of(User).meta
    assert (meta["scan"], meta["backend"]) == ("forbid", "near")


def test_entity_is_not_inherited():
    class Person(Model):
        class Meta:
            entity = "people"

        id: str = Field(primary_key=True)

    class Employee(Person):
        pass

    assert (schema_of(Person).entity, schema_of(Employee).entity) == ("people", "Employee")


def test_abstract_is_not_inherited():
    class Base(Model):
        class Meta:
            abstract = True

        id: str = Field(primary_key=True)

    class User(Base):
        pass

    assert User.create(id="a").id == "a"


def test_abstract_and_entity_are_not_inherited_by_a_meta_that_subclasses_its_parents():
    class Base(Model):
        class Meta:
            abstract = True
            entity = "base"
            scan = "forbid"

        id: str = Field(primary_key=True)

    class User(Base):
        class Meta(Base.Meta):
            pass

    assert (schema_of(User).entity, schema_of(User).meta["scan"]) == ("User", "forbid")


def test_meta_of_a_mixin_reaches_the_model():
    class Cautious(Mixin):
        class Meta:
            scan = "forbid"

    class User(Cautious, Model):
        id: str = Field(primary_key=True)

    assert schema_of(User).meta["scan"] == "forbid"


# -- abstract and generic models ---------------------------------------------------------------------------------------


def test_an_abstract_model_cannot_be_stored():
    class Base(Model):
        class Meta:
            abstract = True

        id: str = Field(primary_key=True)

    with pytest.raises(SchemaError, match="Base is abstract"):
        Base.create(id="a")


def test_a_generic_model_is_abstract_until_it_is_parametrised_and_named():
    class Box(Model, Generic[T]):
        id: str = Field(primary_key=True)
        item: T

    for unnamed in (Box, Box[int]):
        with pytest.raises(SchemaError, match="abstract"):
            unnamed.count()

    class IntBox(Box[int]):
        pass

    IntBox.create(id="a", item=3)
    assert IntBox.get("a").item == 3
    assert schema_of(IntBox).fields["item"].type.kind == "int"


def test_a_generic_model_that_is_named_but_still_open_is_abstract():
    class Box(Model, Generic[T]):
        id: str = Field(primary_key=True)
        item: T

    class Crate(Box[T], Generic[T]):
        pass

    with pytest.raises(SchemaError, match="abstract"):
        Crate.count()


def test_a_generic_field_keeps_its_options_when_parametrised():
    class Box(Model, Generic[T]):
        id: str = Field(primary_key=True)
        item: T = Field(index=True)

    class TextBox(Box[str]):
        pass

    assert schema_of(TextBox).indexed == ("item",)


# -- mixins ------------------------------------------------------------------------------------------------------------


def test_an_unknown_part_of_declares_names_the_nearest_one():
    with pytest.raises(SchemaError, match=r"TTL\.Declares\.argument .*\n.*did you mean 'arguments'"):

        class TTL(Mixin):
            class Declares:
                argument = {}


def test_a_plain_class_may_be_a_mixin_with_annotations():
    class Named:
        name: str
        nick: str | None = None

    class User(Named, Model):
        id: str = Field(primary_key=True)

    User.create(id="a", name="Ada")
    assert (User.get("a").name, User.get("a").nick) == ("Ada", None)


def test_a_plain_class_mixin_may_set_field_options():
    class Named:
        name: str = Field(index=True)

    class User(Named, Model):
        id: str = Field(primary_key=True)

    assert schema_of(User).indexed == ("name",)


def test_a_plain_class_may_bring_hooks_and_methods():
    class Shouting:
        @before_save
        def shout(self) -> None:
            self.name = self.name.upper()

        def greeting(self) -> str:
            return f"Hello {self.name}"

    class User(Shouting, Model):
        id: str = Field(primary_key=True)
        name: str

    assert User.create(id="a", name="ada").greeting() == "Hello ADA"


def test_a_query_method_of_a_mixin_is_found_on_builder_and_model():
    class Ranked(Mixin):
        rank: int = 0

        @query_method
        def above(query: Any, rank: int) -> Any:
            """Rows above a rank."""
            return query.filter(rank__gt=rank)

    class User(Ranked, Model):
        id: str = Field(primary_key=True)

    User.batch_create([{"id": "a", "rank": 1}, {"id": "b", "rank": 5}])
    assert [user.id for user in User.above(2).all()] == ["b"]
    assert [user.id for user in User.where(id__ne="x").above(2).all()] == ["b"]


def test_a_mistyped_query_method_names_the_nearest_one():
    class Ranked(Mixin):
        rank: int = 0

        @query_method
        def above(query: Any, rank: int) -> Any:
            return query.filter(rank__gt=rank)

    class User(Ranked, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(AttributeError, match="did you mean 'above'"):
        User.where().abov(2)


# -- hooks -------------------------------------------------------------------------------------------------------------


def test_an_async_model_hook_is_refused():
    with pytest.raises(SchemaError, match=r"User\.normalise: a hook can't be async"):

        class User(Model):
            id: str = Field(primary_key=True)

            @before_save
            async def normalise(self) -> None: ...


def test_a_model_hook_with_a_wrong_signature_is_refused():
    with pytest.raises(SchemaError, match=r"User\.normalise: an @before_save hook takes"):

        class User(Model):
            id: str = Field(primary_key=True)

            @before_save
            def normalise(self, context, more) -> None: ...


def test_an_after_load_hook_takes_no_context():
    with pytest.raises(SchemaError, match=r"User\.loaded: an @after_load hook takes \(self\)"):

        class User(Model):
            id: str = Field(primary_key=True)

            @after_load
            def loaded(self, context) -> None: ...


def test_a_model_hook_with_a_required_keyword_is_refused():
    with pytest.raises(SchemaError, match=r"User\.normalise"):

        class User(Model):
            id: str = Field(primary_key=True)

            @before_save
            def normalise(self, *, how) -> None: ...


@pytest.mark.parametrize("kind", [classmethod, staticmethod, property])
def test_a_hook_that_is_no_plain_method_is_refused_instead_of_ignored(kind):
    with pytest.raises(
        SchemaError, match=r"normalise: a hook is a plain method|@before_save makes a hook of a plain method"
    ):

        class Below(Model):
            id: str = Field(primary_key=True)

            @kind
            @before_save
            def normalise(self) -> None: ...

    with pytest.raises(
        SchemaError, match=r"normalise: a hook is a plain method|@before_save makes a hook of a plain method"
    ):

        class Above(Model):
            id: str = Field(primary_key=True)

            @before_save
            @kind
            def normalise(self) -> None: ...


def test_an_async_extension_hook_is_refused():
    with pytest.raises(SchemaError, match=r"before_write: an extension hook can't be async"):

        class TTL(Mixin):
            class Anywhere(BackendExtension):
                async def before_write(self, context): ...


def test_an_extension_hook_with_a_wrong_signature_says_which_arguments_it_takes():
    with pytest.raises(SchemaError, match=r"serialize must take \(self, data\)"):

        class TTL(Mixin):
            class Anywhere(BackendExtension):
                def serialize(self): ...


def test_a_mistyped_extension_hook_names_the_nearest_one():
    with pytest.raises(SchemaError, match=r"before_writes.*\n.*did you mean 'before_write'"):

        class TTL(Mixin):
            class Anywhere(BackendExtension):
                def before_writes(self, context): ...


def test_helper_methods_of_an_extension_are_allowed():
    class TTL(Mixin):
        class Anywhere(BackendExtension):
            def rounded(self, value): ...

    assert TTL.Anywhere.name == "ttl"


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_model_without_a_key_says_the_ways_to_declare_one():
    class User(Model):
        id: str

    with pytest.raises(SchemaError, match=r"(?s)User has no primary key.*primary_key=True.*Meta\.key.*@partition_key"):
        User.create(id="a")
