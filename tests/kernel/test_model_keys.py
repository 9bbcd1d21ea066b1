"""Keys of models that are made of fields."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import Enum
from uuid import UUID

import pytest

from mixstore import (
    DuplicateKeyError,
    Field,
    Key,
    Model,
    QueryError,
    SchemaError,
    before_save,
    sort_key,
)

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


class Color(Enum):
    RED = "red"


# -- fields


class Seat(Model):
    hall: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    guest: str | None = None


def test_several_fields_make_one_key():
    Seat.create(hall="a", number=1, guest="x")
    Seat.create(hall="a", number=2)
    Seat.create(hall="b", number=1)
    with pytest.raises(DuplicateKeyError, match=r"key=\{'hall': 'a', 'number': 1\}"):
        Seat.create(hall="a", number=1)
    assert (Seat.count(), Seat.get(hall="a", number=1).guest) == (3, "x")


@pytest.mark.parametrize("key", [("a", 1), {"hall": "a", "number": 1}, {"number": "1", "hall": "a"}], ids=str)
def test_get_takes_a_key_of_several_fields_as_tuple_or_dict(key):
    Seat.create(hall="a", number=1, guest="x")
    assert Seat.get(key).guest == "x"
    assert [seat and seat.guest for seat in Seat.batch_get([key, ("a", 9)])] == ["x", None]


@pytest.mark.parametrize(
    ("args", "filters", "told"),
    [
        (("a",), {}, "2 parts, not 1"),
        ((("a", 1, 2),), {}, "2 parts, not 3"),
        ((), {"hall": "a"}, "number missing"),
        ((), {"hall": "a", "number": None}, "number missing"),
        ((), {"hall": "a", "number": "many"}, "Seat.number is int"),
        ((), {"hall": "a", "nmber": 1}, "did you mean 'number'"),
        ((), {"guest": "x"}, "not guest"),
        ((), {"hall": "a", "number": 1, "guest": "x"}, "guest"),
        ((("a", 1),), {"hall": "a"}, "a key or names, not both"),
        ((), {}, "takes the primary key"),
        ((None,), {}, "takes the primary key"),
    ],
    ids=str,
)
def test_get_by_what_is_no_key_says_what_is_wrong(args, filters, told):
    with pytest.raises(QueryError, match=told):
        Seat.get(*args, **filters)


def test_rows_are_ordered_by_the_whole_key():
    Seat.batch_create([{"hall": hall, "number": number} for hall in "ba" for number in (10, 9, 2)])
    ordered = [(seat.hall, seat.number) for seat in Seat.where()]
    assert ordered == [("a", 2), ("a", 9), ("a", 10), ("b", 2), ("b", 9), ("b", 10)]
    assert Seat.where().first().number == 2
    assert (Seat.where().last().hall, Seat.where().last().number) == ("b", 10)


def test_every_order_has_the_key_as_tie_breaker():
    Seat.batch_create([{"hall": hall, "number": number, "guest": "x"} for hall in "ba" for number in (2, 1)])
    ordered = [(seat.hall, seat.number) for seat in Seat.where().order_by("-guest").all()]
    assert ordered == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    ordered = [(seat.hall, seat.number) for seat in Seat.where().order_by("-number").all()]
    assert ordered == [("a", 2), ("b", 2), ("a", 1), ("b", 1)]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 0),
        (str, ""),
        (UUID, UUID(int=0)),
        (datetime, NOON),
        (Color, Color.RED),
        (bool, False),
        (float, 0.0),
    ],
    ids=str,
)
def test_falsy_and_rich_values_are_keys_too(annotation, value):
    class Thing(Model):
        id: annotation = Field(primary_key=True)

    thing = Thing.create(id=value)
    assert Thing.get(value) == Thing.get(id=value) == thing
    assert Thing.batch_get([value]) == [thing]
    assert thing.delete() is True


def test_the_same_moment_in_another_zone_is_the_same_key():
    class Event(Model):
        at: datetime = Field(primary_key=True)

    Event.create(at=NOON)
    assert Event.get(NOON.astimezone(timezone(timedelta(hours=5)))).at == NOON
    with pytest.raises(DuplicateKeyError):
        Event.create(at=NOON.astimezone(timezone(timedelta(hours=-5))))


def test_a_key_is_never_none():
    class Thing(Model):
        id: str | None = Field(None, primary_key=True)

    with pytest.raises(SchemaError, match=r"Thing\.id: a key is one plain value"):
        Thing.create(id="a")


def test_a_key_is_no_container():
    class Thing(Model):
        id: list[str] = Field(primary_key=True)

    with pytest.raises(SchemaError, match=r"Thing\.id: a key is one plain value"):
        Thing.create(id=["a"])


def test_a_hook_may_make_the_key():
    class Thing(Model):
        id: str = Field("", primary_key=True)
        name: str

        @before_save
        def identify(self) -> None:
            self.id = self.id or self.name.lower()

    thing = Thing.create(name="Ada")
    assert (thing.id, Thing.get("ada")) == ("ada", thing)
    Thing.batch_create([{"name": "Bob"}, {"name": "Cid"}])
    Thing.batch_upsert([{"name": "Bob"}, {"name": "Dan"}, {"name": "Eve"}])
    assert [one.id for one in Thing.where()] == ["ada", "bob", "cid", "dan", "eve"]


# -- several ways


def test_a_key_is_declared_one_way():
    class Odd(Model):
        class Meta:
            key = Key(partition="USER#{name}")

        id: str = Field(primary_key=True)
        name: str

    with pytest.raises(SchemaError, match=r"Odd has its key declared 2 times: Field\(primary_key=True\), Meta\.key"):
        Odd.create(id="a", name="x")


def test_a_sort_key_method_needs_a_partition_key_method():
    class Odd(Model):
        name: str

        @sort_key
        def sk(self) -> str:
            return self.name

    with pytest.raises(SchemaError, match="partition_key"):
        Odd.create(name="x")


def test_get_takes_one_unique_field_too():
    class User(Model):
        id: str = Field(primary_key=True)
        email: str | None = Field(None, unique=True)
        name: str = ""

    User.create(id="a", email="a@x")
    User.create(id="b")
    assert User.get(email="a@x").id == "a"
    assert User.get(email="b@x") is None
    with pytest.raises(QueryError, match="None is not unique"):
        User.get(email=None)
    with pytest.raises(QueryError, match="one unique field, not name"):
        User.get(name="x")
    with pytest.raises(QueryError, match="email"):
        User.get(id="a", email="a@x")
