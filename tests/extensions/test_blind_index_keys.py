"""Keys of blind indexes, and indexes that can't be."""

from __future__ import annotations

import pytest

import mixstore
from mixstore import ConfigurationError, Field, Model, SchemaError
from mixstore_extensions import Encrypted, KeyRing
from tests.backends.shared.support import ids
from tests.extensions.indexed import Indexed, User, rotated, users
from tests.extensions.sealing import B64_ONE, B64_TWO, ONE, RING, SECRET, TWO, put

# -- keys


def test_while_keys_change_rows_of_both_are_found_and_reencrypt_moves_them(use):
    users(use, a="ann@x", b="ann@x", c=None)
    both = use(rotated("ij", "j"))
    both.get("b").update(email="bob@x")
    both.get("b").update(email="ann@x")
    assert {row.email_index[0] for row in both.where(email="ann@x")} == {"i", "j"}
    assert both.where(email__ne="ann@x").count() == 1
    both.get("a").update(age=5)
    assert both.get("a").email_index.startswith("i:")  # only who knows that the value is still the same may do that
    assert both.reencrypt() == 1
    assert both.reencrypt() == 0
    alone = use(rotated("j", "j"))
    assert ids(alone.where(email="ann@x").order_by("id")) == ["a", "b"]


def test_rows_from_before_the_index_get_theirs_by_reencrypt(use):
    users(use, a="ann@x", b=None)
    put(User, "a", email_index=None)
    assert User.where(email="ann@x").count() == 0
    assert User.reencrypt() == 1
    assert ids(User.where(email="ann@x")) == ["a"]


def test_keys_of_the_index_come_from_the_config_too():
    class Card(Encrypted, Model):
        id: str = Field(primary_key=True)
        number: str = Field("", encrypted=True)
        number_index: str | None = Field(None, index=True, blind_index_of="number")

    def options(**more):
        told = {"encrypted": {"keys": {"a": B64_ONE}, **more}}
        mixstore.configure(backends={"default": {"url": "memory://", "extensions": {"options": told}}})

    with mixstore.registry():
        options(index_keys={"i": B64_TWO})
        Card.create(id="a", number=SECRET)
        assert ids(Card.where(number=SECRET)) == ["a"]
        options()
        with pytest.raises(ConfigurationError, match=r"Card has a blind index and no key for it"):
            Card.count()
        options(index_keys={"i": "short"})
        with pytest.raises(ConfigurationError, match=r"options\.encrypted\.index_keys: ") as caught:
            Card.count()
        assert B64_TWO not in str(caught.value)


def test_a_unique_index_takes_one_key_at_a_time(backend):
    class Member(Encrypted, Model):
        class Meta:
            encryption = RING
            blind_index = KeyRing({"i": ONE, "j": TWO}, "j")

        id: str = Field(primary_key=True)
        email: str | None = Field(None, encrypted=True)
        email_index: str | None = Field(None, unique=True, blind_index_of="email")

    with pytest.raises(ConfigurationError, match=r"email_index is unique, and two keys would make two hashes"):
        backend.bound(Member)


# -- what can not be


def wrong(backend, index, source=None, name="email_index", annotation=str | None):
    notes = {"id": str, "email": str, name: annotation, "plain": str, "real": float}
    fields = {"id": Field(primary_key=True), "email": Field("", encrypted=True), name: index, "plain": ""}
    fields["real"] = Field(0.0, encrypted=True)
    place = {"__module__": __name__, "__qualname__": "Wrong", "__annotations__": notes}
    backend.bound(type(Model)("Wrong", (Indexed,), {**place, **fields}))


@pytest.mark.parametrize(
    ("told", "index", "annotation"),
    [
        ("of no field: 'emial'.*\n.*'email'", Field(None, blind_index_of="emial"), str | None),
        ("index of plain, which is not encrypted", Field(None, blind_index_of="plain"), str | None),
        ("real is float, of which equal values", Field(None, blind_index_of="real"), str | None),
        ("which mixstore fills", Field("", blind_index_of="email"), str),
        ("which mixstore fills", Field(None, blind_index_of="email"), int | None),
        ("neither encrypted nor searchable", Field(None, blind_index_of="email", searchable=True), str | None),
        ("neither encrypted nor searchable", Field(None, blind_index_of="email", encrypted=True), str | None),
    ],
)
def test_an_index_that_can_not_be_is_told_when_the_model_is_bound(backend, told, index, annotation):
    with pytest.raises(SchemaError, match=told):
        wrong(backend, index, annotation=annotation)


def test_a_value_has_one_index(backend):
    class Twice(Indexed):
        id: str = Field(primary_key=True)
        email: str = Field("", encrypted=True)
        one: str | None = Field(None, blind_index_of="email")
        two: str | None = Field(None, blind_index_of="email")

    with pytest.raises(SchemaError, match="two and one are both a blind index of email"):
        backend.bound(Twice)
