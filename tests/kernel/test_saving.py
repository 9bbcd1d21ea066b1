"""What save and update write: what changed, checked, and nothing that the caller still holds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import BaseModel

from mixstore import Field, Model, ValidationError, before_save

pytestmark = pytest.mark.usefixtures("store")


class Address(BaseModel):
    city: str
    lines: list[str] = []


class User(Model):
    id: str = Field(primary_key=True)
    name: str = ""
    age: Annotated[int, Field(ge=0)] = 0
    tags: list[str] = []
    address: Address | None = None
    meta: dict[str, Any] = {}
    seen: datetime | None = None


class HookedUser(User):
    @before_save
    def nothing(self) -> None: ...


both = pytest.mark.parametrize("kind", [User, HookedUser])


# -- what is stored and what is not shared


@both
def test_what_the_caller_changes_later_does_not_leak_into_the_store(kind):
    tags, meta = ["x"], {"a": [1]}
    user = kind.create(id="a", tags=tags, meta=meta, address={"city": "Rome", "lines": ["1"]})
    tags.append("leak")
    meta["a"].append("leak")
    user.tags.append("leak")
    user.address.lines.append("leak")
    stored = kind.get("a")
    assert (stored.tags, stored.meta, stored.address.lines) == (["x"], {"a": [1]}, ["1"])


@both
def test_what_the_caller_changes_in_a_loaded_instance_does_not_leak_either(kind):
    kind.create(id="a", tags=["x"], meta={"a": [1]}, address={"city": "Rome"})
    for loaded in (kind.get("a"), kind.all()[0], kind.where().select().all()[0]):
        if isinstance(loaded, dict):
            loaded["tags"].append("leak")
            loaded["meta"]["a"].append("leak")
        else:
            loaded.tags.append("leak")
            loaded.meta["a"].append("leak")
            loaded.address.city = "leak"
    stored = kind.get("a")
    assert (stored.tags, stored.meta, stored.address.city) == (["x"], {"a": [1]}, "Rome")


# -- save


@both
def test_save_creates_what_is_new_and_then_updates_it(kind):
    user = kind(id="a")
    user.save()
    user.name = "x"
    user.save()
    assert (kind.count(), kind.get("a").name) == (1, "x")


@both
@pytest.mark.parametrize(
    "mutate",
    [
        lambda user: user.tags.append("new"),
        lambda user: user.meta["a"].append("new"),
        lambda user: user.meta.update(b=None),
        lambda user: setattr(user.address, "city", "Oslo"),
        lambda user: user.address.lines.append("new"),
        lambda user: setattr(user, "address", None),
    ],
    ids=["list", "nested list", "dict", "nested model", "list in nested model", "none"],
)
def test_nested_mutation_is_saved(kind, mutate):
    user = kind.create(id="a", tags=["x"], meta={"a": [1]}, address={"city": "Rome", "lines": ["1"]})
    for one in (user, kind.get("a")):
        mutate(one)
        one.save()
        assert kind.get("a") == one


@both
def test_only_changed_fields_are_written(kind):
    kind.create(id="a", tags=["x"])
    first, second = kind.get("a"), kind.get("a")
    first.tags.append("y")
    first.save()
    second.name = "z"
    second.save()
    stored = kind.get("a")
    assert (stored.tags, stored.name) == (["x", "y"], "z")


@both
def test_an_equal_value_is_no_change(kind):
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    kind.create(id="a", seen=noon, tags=["x"])
    first, second = kind.get("a"), kind.get("a")
    first.update(seen=noon + timedelta(hours=1), tags=["other"])
    second.seen = noon.astimezone(timezone(timedelta(hours=2)))
    second.tags = list(second.tags)
    second.save()
    stored = kind.get("a")
    assert (stored.seen, stored.tags) == (noon + timedelta(hours=1), ["other"])


def test_a_bool_in_place_of_a_number_is_a_change():
    class Flag(Model):
        id: str = Field(primary_key=True)
        value: bool | int = 0
        price: Decimal = Decimal("1.0")

    flag = Flag.create(id="a", value=1)
    flag.value = True
    flag.save()
    assert Flag.get("a").value is True


@both
def test_containers_of_the_instance_stay_the_same_objects_when_it_is_saved(kind):
    user = kind.create(id="a", tags=["x"], address={"city": "Rome"})
    tags, address = user.tags, user.address
    user.name = "y"
    user.save()
    user.update(name="z")
    tags.append("later")
    address.city = "Oslo"
    user.save()
    assert (kind.get("a").tags, kind.get("a").address.city) == (["x", "later"], "Oslo")


@both
def test_saving_twice_writes_the_second_change_too(kind):
    user = kind.create(id="a")
    for name in ("x", "y", "x"):
        user.name = name
        user.save()
        assert kind.get("a").name == name


@both
def test_save_checks_changed_fields_against_annotation_and_constraints(kind):
    user = kind.create(id="a")
    for value in (-1, "many", None):
        user.age = value
        with pytest.raises(ValidationError, match="age") as caught:
            user.save()
        assert caught.value.field == "age"
    user.age = "7"
    user.save()
    assert (user.age, kind.get("a").age) == (7, 7)


@both
@pytest.mark.parametrize(
    ("mutate", "field"),
    [
        (lambda user: user.tags.append(5), "tags"),
        (lambda user: user.meta.update(a=object()), "meta"),
        (lambda user: setattr(user.address, "city", 5), "address"),
        (lambda user: user.address.lines.append(None), "address"),
        (lambda user: delattr(user, "name"), "name"),
    ],
    ids=["list", "any", "nested model", "list in nested model", "missing"],
)
def test_save_checks_what_was_changed_inside(kind, mutate, field):
    user = kind.create(id="a", address={"city": "Rome", "lines": ["1"]})
    mutate(user)
    with pytest.raises(ValidationError, match=field):
        user.save()
    assert kind.get("a").tags == []
    assert kind.get("a").address == Address(city="Rome", lines=["1"])


@both
@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("address", {"city": "Oslo"}, Address(city="Oslo")),
        ("address", 5, None),
        ("tags", ("a", "b"), ["a", "b"]),
        ("tags", {"a": 1, "b": 2}.keys(), ["a", "b"]),
        ("tags", "ab", None),
    ],
    ids=["dict for a model", "number for a model", "tuple for a list", "view for a list", "text for a list"],
)
def test_save_takes_what_fits_after_coercion_and_refuses_the_rest(kind, field, value, stored):
    user = kind.create(id="a")
    setattr(user, field, value)
    if stored is None:
        with pytest.raises(ValidationError, match=field):
            user.save()
    else:
        user.save()
        assert getattr(kind.get("a"), field) == getattr(user, field) == stored


@both
def test_an_error_names_only_the_fields_that_do_not_fit(kind):
    class Login(kind):
        code: Annotated[str, Field(max_length=2), pydantic.AfterValidator(lambda code: f"#{code}")] = ""

    login = Login.create(id="a", code="ab")
    login.age = "many"
    with pytest.raises(ValidationError) as caught:
        login.save()
    assert [error["loc"] for error in caught.value.errors()] == [("age",)]


# -- update


@both
def test_update_validates_changes_as_the_model_does(kind):
    user = kind.create(id="a")
    with pytest.raises(ValidationError, match="age") as caught:
        user.update(name="x", age=-1)
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    assert (user.name, user.age, kind.get("a").name) == ("", 0, "")


@both
def test_update_of_an_unknown_field_names_the_nearest_one(kind):
    user = kind.create(id="a")
    with pytest.raises(ValidationError, match="did you mean 'name'"):
        user.update(nam="x")


@both
def test_update_stores_what_was_changed_before_as_well(kind):
    user = kind.create(id="a")
    user.name = "x"
    user.update(age=3)
    assert (kind.get("a").name, kind.get("a").age) == ("x", 3)


@both
def test_update_of_several_fields_runs_each_validator_once(kind):
    ran: list[str] = []

    class Watched(kind):
        @pydantic.field_validator("name", "age")
        @classmethod
        def of_field(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
            ran.append(str(info.field_name))
            return value

        @pydantic.model_validator(mode="after")
        def of_model(self) -> Watched:
            ran.append("model")
            return self

    watched = Watched.create(id="a")
    ran.clear()
    watched.update(name="x", age=3)
    assert ran == ["name", "age", "model"]


class Tree(Model):
    id: str = Field(primary_key=True)
    left: int = 0
    right: int = 1
    root: Branch | None = None

    @pydantic.model_validator(mode="after")
    def ordered(self) -> Tree:
        if self.left > self.right:
            raise ValueError("left after right")
        return self


class Branch(BaseModel):
    name: str
    branches: list[Branch] = []


def test_update_moves_fields_together_in_a_model_that_contains_a_recursive_one():
    tree = Tree.create(id="a", root={"name": "x", "branches": [{"name": "y"}]})
    tree.update(left=5, right=6, root={"name": "z", "branches": []})
    assert (Tree.get("a").left, Tree.get("a").root) == (5, Branch(name="z"))


def test_update_may_move_two_fields_that_a_model_validator_ties_together():
    class Span(Model):
        id: str = Field(primary_key=True)
        start: int
        end: int

        @pydantic.model_validator(mode="after")
        def ordered(self) -> Span:
            if self.start > self.end:
                raise ValueError("start after end")
            return self

    span = Span.create(id="a", start=1, end=2)
    span.update(start=5, end=6)
    assert (Span.get("a").start, Span.get("a").end) == (5, 6)
    with pytest.raises(ValidationError, match="start after end"):
        span.update(start=9)
    assert span.start == 5


# -- instances of other classes


class Manager(User):
    level: int = 0


def test_an_instance_of_a_subclass_is_not_stored_as_its_parent(store):
    for write in (User.batch_create, User.batch_upsert):
        with pytest.raises(ValidationError, match="a row is a dict or a User, not Manager"):
            write([Manager(id="a", level=3)])
    boss = Manager.create(id="a", level=3)
    for act in (store.update, store.delete):
        with pytest.raises(ValidationError, match="this takes a User, not a Manager"):
            act(User, boss)
    assert (User.count(), Manager.get("a").level) == (0, 3)
