"""Hooks work on a candidate: the instance of the caller changes after success, and nothing is hashed twice."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import AfterValidator, field_validator, model_validator

from mixstore import (
    BatchError,
    DuplicateKeyError,
    Field,
    HookError,
    Model,
    ValidationError,
    before_save,
)

pytestmark = pytest.mark.usefixtures("store")


class Shouting(Model):
    id: str = Field(primary_key=True)
    name: str = ""
    tags: list[str] = []
    size: Annotated[int, Field(ge=0)] = 0
    email: str | None = Field(None, unique=True)

    @before_save
    def shout(self) -> None:
        self.name = self.name.upper()
        self.tags.append("shouted")
        if self.name == "FAIL":
            raise RuntimeError("no")


def test_what_a_before_hook_changes_is_stored_and_comes_back_to_the_caller():
    one = Shouting(id="a", name="ada")
    one.save()
    assert (one.name, one.tags) == ("ADA", ["shouted"])
    assert Shouting.get("a") == one


@pytest.mark.parametrize(
    "change",
    [{"name": "fail"}, {"size": -1}, {"size": "many"}, {"email": "taken"}],
    ids=["hook", "constraint", "type", "unique"],
)
def test_a_save_that_fails_leaves_the_instance_as_it_was(change):
    Shouting.create(id="other", email="taken")
    one = Shouting.create(id="a", name="ada")
    for name, value in change.items():
        setattr(one, name, value)
    before = dict(one.__dict__), list(one.tags)
    with pytest.raises((ValidationError, HookError, DuplicateKeyError)):
        one.save()
    assert (dict(one.__dict__), one.tags) == before
    assert Shouting.get("a").name == "ADA"


@pytest.mark.parametrize(
    "change",
    [{"name": "fail"}, {"size": -1}, {"size": "many"}, {"email": "taken"}],
    ids=["hook", "constraint", "type", "unique"],
)
def test_an_update_that_fails_leaves_the_instance_as_it_was(change):
    Shouting.create(id="other", email="taken")
    one = Shouting.create(id="a", name="ada")
    before = one.model_copy(deep=True)
    with pytest.raises((ValidationError, HookError, DuplicateKeyError)):
        one.update(name="x", **change) if "name" not in change else one.update(**change)
    assert one == before
    assert Shouting.get("a").name == "ADA"


def test_a_create_that_fails_leaves_the_new_instance_as_it_was_and_new():
    Shouting.create(id="a")
    twin = Shouting(id="a", name="ada")
    with pytest.raises(DuplicateKeyError):
        twin.save()
    assert (twin.name, twin.tags) == ("ada", [])
    twin.id = "b"
    twin.save()
    assert Shouting.get("b").name == "ADA"


def test_a_batch_leaves_the_instances_that_failed_as_they_were():
    Shouting.create(id="a")
    items = [Shouting(id="a", name="ada"), Shouting(id="b", name="bob")]
    with pytest.raises(BatchError) as caught:
        Shouting.batch_create(items)
    assert list(caught.value.failed) == [0]
    assert [(one.name, one.tags) for one in items] == [("ada", []), ("BOB", ["shouted"])]


def test_in_a_transaction_instances_change_after_the_commit(store):
    one = Shouting(id="a", name="ada")
    with store.transaction():
        one.save()
        assert (one.name, one.tags) == ("ada", [])
    assert (one.name, one.tags) == ("ADA", ["shouted"])


def test_a_transaction_that_fails_leaves_every_instance_as_it_was(store):
    Shouting.batch_create([{"id": "b"}, {"id": "c"}])
    one, loaded = Shouting(id="a", name="ada"), Shouting.get("b")
    with pytest.raises(DuplicateKeyError), store.transaction():  # noqa: PT012  (the transaction is the block)
        one.save()
        loaded.update(name="bob")
        Shouting.create(id="c")
    with pytest.raises(DuplicateKeyError), store.transaction():  # noqa: PT012  (the transaction is the block)
        one.save()
        loaded.update(name="bob", email="taken")
        Shouting.create(id="d", email="taken")
    assert (one.name, one.tags, loaded.name) == ("ada", [], "")
    assert Shouting.get("a") is None


def test_a_transaction_left_by_an_exception_changes_nothing(store):
    one = Shouting(id="a", name="ada")
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012  (the transaction is the block)
        one.save()
        raise KeyError("out")
    assert (one.name, one.tags, Shouting.count()) == ("ada", [], 0)


# -- nothing is hashed twice


def hashed(value: str) -> str:
    return f"#{value}"


class Account(Model):
    id: str = Field(primary_key=True)
    name: str = ""
    secret: Annotated[str, AfterValidator(hashed)] = ""
    password: Annotated[str, Field(max_length=4)] = ""
    checks: int = 0

    @field_validator("password")
    @classmethod
    def hash_password(cls, value: str) -> str:
        return f"#{value}" + "." * 10

    @model_validator(mode="after")
    def count_checks(self) -> Account:
        self.__dict__["checks"] += 1
        return self


class HookedAccount(Account):
    @before_save
    def nothing(self) -> None: ...


both = pytest.mark.parametrize("kind", [Account, HookedAccount])
DOTS = "." * 10


@both
def test_create_hashes_once_and_reading_does_not(kind):
    created = kind.create(id="a", secret="x", password="y")
    assert (created.secret, created.password, created.checks) == ("#x", "#y" + DOTS, 1)
    assert kind.get("a") == created


@both
def test_saving_another_field_does_not_hash_again(kind):
    kind.create(id="a", secret="x", password="y")
    loaded = kind.get("a")
    loaded.name = "Ada"
    loaded.save()
    loaded.refresh()
    assert (loaded.secret, loaded.password, loaded.checks) == ("#x", "#y" + DOTS, 1)


@both
def test_updating_another_field_does_not_hash_again(kind):
    account = kind.create(id="a", secret="x", password="y")
    account.update(name="Ada")
    assert (kind.get("a").secret, kind.get("a").password) == ("#x", "#y" + DOTS)


@both
def test_updating_the_field_itself_hashes_once(kind):
    account = kind.create(id="a", secret="x", password="y")
    account.update(secret="s")
    account.update(password="p")
    assert (kind.get("a").secret, kind.get("a").password) == ("#s", "#p" + DOTS)


@both
def test_update_by_query_hashes_once(kind):
    kind.create(id="a", secret="x", password="y")
    kind.where().update(secret="s", password="p")
    assert (kind.get("a").secret, kind.get("a").password) == ("#s", "#p" + DOTS)


@both
def test_upsert_and_batches_hash_once(kind):
    kind.upsert(id="a", secret="x", password="y")
    kind.batch_create([{"id": "b", "secret": "x", "password": "y"}])
    kind.batch_upsert([{"id": "c", "secret": "x", "password": "y"}])
    assert {(one.secret, one.password) for one in kind.all()} == {("#x", "#y" + DOTS)}


@both
def test_saving_a_new_instance_hashes_once(kind):
    kind(id="a", secret="x").save()
    assert kind.get("a").secret == "#x"


def test_a_hashing_hook_does_not_hash_twice_when_the_write_is_retried():
    class Hashing(Model):
        id: str = Field(primary_key=True)
        secret: str = ""
        email: str | None = Field(None, unique=True)

        @before_save
        def hash_secret(self, context) -> None:
            if context.previous is None or context.previous["secret"] != self.secret:
                self.secret = hashed(self.secret)

    Hashing.create(id="b", email="taken")
    one = Hashing(id="a", secret="x", email="taken")
    with pytest.raises(DuplicateKeyError):
        one.save()
    one.email = None
    one.save()
    one.save()
    assert (one.secret, Hashing.get("a").secret) == ("#x", "#x")
