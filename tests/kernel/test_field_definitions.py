"""Fields when they are defined: their options, and the names that they may have."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Optional

import pytest
from typing_extensions import TypeAliasType

from mixstore import (
    Field,
    Mixin,
    Model,
    SchemaError,
)
from mixstore.schema import schema_of

pytestmark = pytest.mark.usefixtures("store")


class Ageing(Mixin):
    class Declares:
        meta = {"lifetime": timedelta}
        options = {"masked": bool, "weight": (int, float)}


# -- field options -----------------------------------------------------------------------------------------------------


def test_an_unclaimed_field_option_names_the_nearest_one():
    with pytest.raises(SchemaError, match=r"User\.email.*'uniqe'.*\n.*did you mean 'unique'"):

        class User(Model):
            id: str = Field(primary_key=True)
            email: str = Field(uniqe=True)


def test_an_option_or_a_meta_key_of_a_mixin_that_is_no_base_is_told_with_the_mixin():
    with pytest.raises(SchemaError, match=r"nobody claims the Field option 'masked'(.|\n)*Ageing declares it"):

        class User(Model):
            id: str = Field(primary_key=True, masked=True)

    with pytest.raises(SchemaError, match=r"lifetime is not a Meta key(.|\n)*Ageing declares it: make that a base"):

        class User(Model):  # type: ignore[no-redef]
            class Meta:
                lifetime = timedelta(1)

            id: str = Field(primary_key=True)


def test_a_mistyped_pydantic_argument_names_the_nearest_one():
    with pytest.raises(SchemaError, match="did you mean 'min_length'"):

        class User(Model):
            id: str = Field(primary_key=True, min_lenght=3)


def test_an_option_is_claimed_by_a_mixin_that_declares_it():
    class User(Ageing, Model):
        id: str = Field(primary_key=True)
        email: str = Field(masked=True)

    assert schema_of(User).fields["email"].option("masked") is True


def test_an_option_without_the_mixin_that_claims_it_is_refused():
    with pytest.raises(SchemaError, match="a mixin may be missing"):

        class User(Model):
            id: str = Field(primary_key=True)
            email: str = Field(nowhere_declared=True)


@pytest.mark.parametrize("options", [{"unique": 1}, {"index": "yes"}, {"masked": "no"}, {"weight": "heavy"}])
def test_an_option_of_the_wrong_type_is_refused(options):
    with pytest.raises(SchemaError, match=rf"option '{next(iter(options))}' must be"):

        class User(Ageing, Model):
            id: str = Field(primary_key=True)
            email: str = Field(**options)


def test_options_in_annotated_and_in_the_default_merge():
    class User(Model):
        id: str = Field(primary_key=True)
        email: Annotated[str, Field(index=True)] = Field(unique=True)

    assert schema_of(User).fields["email"].options == {"index": True, "unique": True}


def test_options_that_disagree_are_refused():
    with pytest.raises(SchemaError, match=r"User\.email: option 'unique' is given twice, as .* and as"):

        class User(Model):
            id: str = Field(primary_key=True)
            email: Annotated[str, Field(unique=False)] = Field(unique=True)


def test_options_of_a_shared_annotated_alias_are_seen():
    Email = Annotated[str, Field(unique=True)]

    class User(Model):
        id: str = Field(primary_key=True)
        email: Email

    assert schema_of(User).unique == ("email",)


@pytest.mark.parametrize(
    "annotation",
    [
        Optional[Annotated[str, Field(unique=True)]],  # noqa: UP045
        Annotated[str, Field(unique=True)] | None,
        list[Annotated[str, Field(unique=True)]],
        dict[str, list[Annotated[str, Field(unique=True)]]],
        TypeAliasType("Email", Annotated[str, Field(unique=True)]),
        TypeAliasType("Email", Annotated[str, Field(unique=True)]) | None,
    ],
    ids=str,
)
def test_options_below_the_top_level_of_an_annotation_are_refused(annotation):
    with pytest.raises(SchemaError, match=r"User\.email: .*inside the annotation"):

        class User(Model):
            id: str = Field(primary_key=True)
            email: annotation = None


def test_a_field_redefined_without_options_inherits_them():
    class Person(Model):
        id: str = Field(primary_key=True)
        email: str = Field(unique=True)

    class User(Person):
        id: str
        email: str | None = None

    assert (schema_of(User).key_fields, schema_of(User).unique) == (("id",), ("email",))


def test_a_field_of_a_mixin_redefined_without_options_inherits_them():
    class Reachable(Mixin):
        email: str = Field(index=True)

    class User(Reachable, Model):
        id: str = Field(primary_key=True)
        email: str | None = None

    assert schema_of(User).indexed == ("email",)


def test_a_field_redefined_with_options_has_only_those():
    class Person(Model):
        id: str = Field(primary_key=True)
        email: str = Field(unique=True)

    class User(Person):
        email: str = Field(index=True)

    assert schema_of(User).fields["email"].options == {"index": True}


def test_a_field_can_be_relieved_of_an_inherited_option():
    class Person(Model):
        id: str = Field(primary_key=True)
        email: str = Field(unique=True)

    class User(Person):
        email: str = Field(unique=False)

    assert schema_of(User).unique == ()


# -- names of fields ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["save", "update", "delete", "refresh", "asave", "aupdate", "adelete", "arefresh"])
def test_a_field_named_like_an_instance_method_is_refused(name):
    with pytest.raises(SchemaError, match=rf"User\.{name}"):
        type(Model)("User", (Model,), {"__module__": __name__, "__annotations__": {name: str}})


def test_a_field_named_like_an_instance_method_is_refused_with_a_default_too():
    with pytest.raises(SchemaError, match=r"User\.delete"):

        class User(Model):
            id: str = Field(primary_key=True)
            delete: bool = False


def test_a_mixin_field_named_like_an_instance_method_is_refused_on_the_model():
    class Flagged(Mixin):
        delete: bool = False

    with pytest.raises(SchemaError, match=r"User\.delete"):

        class User(Flagged, Model):
            id: str = Field(primary_key=True)


def test_a_plain_class_field_named_like_an_instance_method_is_refused_on_the_model():
    class Flagged:
        save: bool = False

    with pytest.raises(SchemaError, match=r"User\.save"):

        class User(Flagged, Model):
            id: str = Field(primary_key=True)


CLASS_VERBS = sorted(Model.__class_verbs__)


@pytest.mark.parametrize("name", CLASS_VERBS)
def test_a_field_may_have_the_name_of_a_class_method(store, name):
    Row = type(Model)(
        "Row",
        (Model,),
        {
            "__module__": __name__,
            "__annotations__": {"id": str, name: int},
            "id": Field(primary_key=True),
            name: Field(5, index=True),
        },
    )
    store.create(Row, {"id": "a"})
    store.create(Row, {"id": "b", name: 7})
    assert [row[name] for row in store.query(Row).order_by(name).select(name).all()] == [5, 7]
    assert store.count(Row, **{name: 7}) == 1
    loaded = store.query(Row).filter(**{name: 7}).one()
    loaded.update(**{name: 8})
    assert (store.get(Row, id="b")[name], loaded.delete()) == (8, True)


def test_a_field_named_like_a_class_method_is_required_unless_it_has_a_default():
    class Shelf(Model):
        id: str = Field(primary_key=True)
        count: int

    assert Shelf.create(id="a", count=3).count == 3
    with pytest.raises(ValueError, match="count: Field required"):
        Shelf.create(id="b")


def test_a_field_named_like_a_class_method_keeps_its_default_in_subclasses():
    class Shelf(Model):
        id: str = Field(primary_key=True)
        count: int = 2
        all: bool

    class Bookshelf(Shelf):
        books: int = 0

    Bookshelf.create(id="a", all=True)
    assert (Bookshelf.get("a").count, Bookshelf.get("a").all) == (2, True)


def test_a_mixin_field_may_have_the_name_of_a_class_method():
    class Counted(Mixin):
        count: int = 0
        all: str

    class Shelf(Counted, Model):
        id: str = Field(primary_key=True)

    Shelf.create(id="a", all="x")
    assert (Shelf.get("a").count, Shelf.get("a").all) == (0, "x")


def test_a_plain_class_field_may_have_the_name_of_a_class_method():
    class Counted:
        count: int = 0

    class Shelf(Counted, Model):
        id: str = Field(primary_key=True)

    Shelf.create(id="a")
    assert Shelf.get("a").count == 0


def test_verbs_that_are_not_shadowed_work_beside_a_field_called_where():
    class Shop(Model):
        id: str = Field(primary_key=True)
        where: str

    Shop.create(id="a", where="Rome")
    assert (Shop.count(), Shop.exists(where="Rome"), len(Shop.all())) == (1, True, 1)


# -- extra values


def test_a_model_that_allows_extra_values_is_refused_since_they_would_be_lost():
    with pytest.raises(SchemaError, match=r"User allows extra values(?s:.*)dict"):

        class User(Model, extra="allow"):
            id: str = Field(primary_key=True)
