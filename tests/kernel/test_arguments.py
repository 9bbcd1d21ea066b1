"""Arguments that mixins declare: keywords of create, upsert and update that set fields."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mixstore import (
    BackendExtension,
    Field,
    HookError,
    Mixin,
    Model,
    SchemaError,
    ValidationError,
    WriteChange,
)

pytestmark = pytest.mark.usefixtures("store")


class Dated(Mixin):
    """`born_in=` says when, from the moment of the operation; `seen` is that moment."""

    born: datetime | None = None
    seen: datetime | None = None

    class Declares:
        arguments = {"born_in": lambda hours, now: {"born": now + timedelta(hours=hours)}}

    class Anywhere(BackendExtension):
        reads = {"upsert": ()}

        def before_write(self, context):
            return WriteChange({"seen": context.now})


class Child(Dated, Model):
    id: str = Field(primary_key=True)


@pytest.mark.parametrize(
    "act",
    [
        lambda: Child.create(id="a", born_in=1),
        lambda: Child.upsert(id="a", born_in=1),
        lambda: Child.batch_create([{"id": "a", "born_in": 1}]),
        lambda: Child.batch_upsert([{"id": "a", "born_in": 1}]),
        lambda: Child.create(id="a").update(born_in=1),
        lambda: (Child.create(id="a"), Child.where().update(born_in=1)),
    ],
    ids=["create", "upsert", "batch_create", "batch_upsert", "update", "update by query"],
)
def test_an_operation_has_one_moment_from_its_arguments_to_its_extensions(store, act):
    class Running:
        now = store.clock.now

        def __call__(self):
            self.now += timedelta(seconds=1)
            return self.now

    store.clock = Running()
    act()
    child = Child.get("a")
    assert child.born - child.seen == timedelta(hours=1)


@pytest.mark.parametrize("value", ["soon", None, object()])
def test_an_argument_that_makes_no_sense_is_a_validation_error_that_names_it(value):
    with pytest.raises(ValidationError, match="Child: born_in: ") as caught:
        Child.create(id="a", born_in=value)
    assert caught.value.field == "born_in"


@pytest.mark.parametrize(
    ("function", "told"),
    [(lambda value, now: {}["x"], "KeyError"), (lambda value, now: None, "must give a dict of fields, not NoneType")],
)
def test_an_argument_whose_function_is_broken_is_a_hook_error_that_names_it(function, told):
    class Broken(Mixin):
        class Declares:
            arguments = {"when": function}

    class Thing(Broken, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(HookError, match=rf"Thing\.Declares\.arguments\.when .*{told}"):
        Thing.create(id="a", when=1)


def test_an_argument_and_the_field_that_it_sets_can_not_both_be_given():
    with pytest.raises(ValidationError, match="born_in and born say the same thing"):
        Child.create(id="a", born_in=1, born=None)


def test_an_argument_is_not_taken_by_the_constructor():
    with pytest.raises(ValueError, match="born_in"):
        Child(id="a", born_in=1)


# -- when they are declared


def when(field: str) -> type[Mixin]:
    class When(Mixin):
        class Declares:
            arguments = {"when": lambda value, now: {field: value}}

    return When


def test_an_argument_named_like_a_field_is_refused():
    with pytest.raises(SchemaError, match="When declares the argument 'when', which is a field of Thing"):

        class Thing(when("id"), Model):
            id: str = Field(primary_key=True)
            when: int = 0


def test_two_mixins_cannot_declare_one_argument():
    First, Second = when("first"), when("second")
    with pytest.raises(SchemaError, match="Thing: When and When both declare the argument 'when'"):

        class Thing(First, Second, Model):
            id: str = Field(primary_key=True)


def test_a_mixin_may_declare_an_argument_of_its_parent_anew():
    class Later(when("first")):
        class Declares:
            arguments = {"when": lambda value, now: {"second": value}}

    class Thing(Later, Model):
        id: str = Field(primary_key=True)
        first: int = 0
        second: int = 0

    assert Thing.create(id="a", when=3).second == 3
