"""State: what an instance remembers of its row, which never shows in the instance itself."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, PrivateAttr

from mixstore import DuplicateKeyError, Field, Model, NotFoundError, ValidationError, before_save
from mixstore_backends.memory import InMemoryBackend

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


# -- copies


@both
@pytest.mark.parametrize(
    "make",
    [
        lambda user: user.model_copy(),
        lambda user: user.model_copy(deep=True),
        copy.copy,
        copy.deepcopy,
        lambda user: pickle.loads(pickle.dumps(user)),  # noqa: S301  (a test of pickling)
        lambda user: type(user)(**user.model_dump()),
        lambda user: type(user).model_validate_json(user.model_dump_json()),
    ],
    ids=["model_copy", "deep model_copy", "copy", "deepcopy", "pickle", "dump", "json"],
)
def test_copies_are_new(kind, make):
    user = kind.create(id="a", tags=["x"])
    twin = make(user)
    with pytest.raises(DuplicateKeyError):
        twin.save()
    twin.id = "b"
    twin.save()
    assert sorted(one.id for one in kind.all()) == ["a", "b"]


@both
def test_a_changed_copy_is_saved_as_a_new_row_and_leaves_the_old_one(kind):
    user = kind.create(id="a", tags=["x"])
    twin = user.model_copy(update={"id": "b"}, deep=True)
    twin.save()
    twin.update(name="y")
    assert (kind.get("a").name, kind.get("b").name) == ("", "y")


@both
def test_state_does_not_show(kind):
    new, stored = kind(id="a", name="x"), kind.create(id="a", name="x")
    assert new == stored == kind.get("a")
    assert repr(new) == repr(stored) == repr(kind.get("a"))
    assert new.model_dump() == stored.model_dump() == kind.get("a").model_dump()
    assert vars(new) == vars(stored)
    assert stored.model_fields_set <= set(kind.model_fields)
    assert new.__pydantic_private__ == stored.__pydantic_private__ == kind.get("a").__pydantic_private__


def test_private_attributes_take_their_defaults_on_loading():
    class Worker(Model):
        id: str = Field(primary_key=True)
        _queue: list[int] = PrivateAttr(default_factory=list)
        _name: str = "idle"

    Worker.batch_create([{"id": "a"}, {"id": "b"}])
    first, second = Worker.where().order_by("id").all()
    first._queue.append(1)
    assert (second._queue, second._name, first._queue) == ([], "idle", [1])


# -- keys


@both
def test_the_key_of_a_saved_row_cannot_change(kind):
    user = kind.create(id="a")
    user.id = "b"
    with pytest.raises(ValidationError, match=r"the key of a saved \w+ can't change, to 'b'.*key='a'"):
        user.save()
    user.id = "a"
    with pytest.raises(ValidationError, match="can't change"):
        user.update(id="b")
    assert (user.id, kind.count(), kind.exists(id="b")) == ("a", 1, False)


@both
def test_delete_uses_the_key_that_the_row_was_loaded_with(kind):
    kind.batch_create([{"id": "a"}, {"id": "b"}])
    user = kind.get("a")
    user.id = "b"
    assert user.delete() is True
    assert [one.id for one in kind.all()] == ["b"]


@both
def test_refresh_uses_the_key_that_the_row_was_loaded_with(kind):
    user = kind.create(id="a", name="x")
    user.id, user.name = "b", "y"
    user.refresh()
    assert (user.id, user.name) == ("a", "x")


# -- rows that are gone


@both
def test_save_after_delete_is_not_found(kind):
    user = kind.create(id="a")
    user.delete()
    for _ in range(2):
        with pytest.raises(NotFoundError, match=r"User to update is not there .*key='a'"):
            user.save()
    with pytest.raises(NotFoundError):
        user.update(name="x")
    assert (kind.count(), user.name) == (0, "")


@both
def test_a_stale_instance_does_not_bring_a_deleted_row_back(kind):
    stale = kind.create(id="a")
    kind.get("a").delete()
    stale.name = "x"
    with pytest.raises(NotFoundError):
        stale.save()
    assert stale.delete() is False
    with pytest.raises(NotFoundError):
        stale.refresh()
    assert kind.get("a") is None


@both
def test_a_copy_of_a_deleted_instance_can_be_created_again(kind):
    user = kind.create(id="a", name="x")
    user.delete()
    user.model_copy().save()
    assert kind.get("a").name == "x"


@both
def test_an_instance_that_was_never_loaded_updates_and_deletes_by_its_key(kind):
    kind.create(id="a", name="x")
    kind(id="a").update(name="y")
    assert kind.get("a").name == "y"
    assert kind(id="a").delete() is True
    assert kind(id="a").delete() is False
    with pytest.raises(NotFoundError):
        kind(id="a").update(name="z")


# -- refresh


@both
def test_refresh_brings_what_is_stored_and_drops_what_is_not(kind):
    user = kind.create(id="a", tags=["x"])
    kind.get("a").update(name="y")
    user.tags.append("unsaved")
    user.age = "nonsense"
    assert user.refresh() is user
    assert (user.name, user.tags, user.age) == ("y", ["x"], 0)
    user.save()
    assert kind.get("a") == user


# -- several backends


@both
def test_an_instance_returns_to_the_backend_it_came_from(kind, store):
    user = kind.create(id="a")
    other = InMemoryBackend()
    kind.bind(other)
    try:
        user.update(name="x")
        assert (store.get(kind, id="a")["name"], other.count(kind)) == ("x", 0)
        user.refresh()
        assert user.delete() is True
        kind(id="b").save()
        assert (store.count(kind), other.count(kind)) == (0, 1)
    finally:
        kind.bind(None)


@both
def test_a_backend_that_is_told_to_update_a_row_of_another_writes_all_of_it(kind, store):
    other = InMemoryBackend()
    other.create(kind, {"id": "a", "name": "there"})
    user = kind.create(id="a", name="here")
    other.update(kind, user)
    assert (other.get(kind, id="a")["name"], store.get(kind, id="a")["name"]) == ("here", "here")
    assert other.delete(kind, user) is True
    assert (other.count(kind), store.count(kind)) == (0, 1)
