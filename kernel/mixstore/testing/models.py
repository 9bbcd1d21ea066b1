"""Models that the cases use. Each has its own entity, so that one backend holds them all."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, HttpUrl

from mixstore import Field, Key, Model, partition_key, sort_key
from mixstore.testing.mixins import Freeing, Hideable, Locked, Mortal, Stamped


class Color(Enum):
    """Stored as text."""

    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class Level(IntEnum):
    """Stored as a number."""

    LOW = 1
    HIGH = 2


class Address(BaseModel):
    """A nested model."""

    city: str
    zip: str | None = None
    floor: int = 0


class Person(Model):
    """The usual fields: a text key, an index, containers, a nested model."""

    id: str = Field(primary_key=True)
    name: str = ""
    age: int | None = Field(None, index=True)
    city: str | None = None
    email: str | None = None
    active: bool = True
    home: Address | None = None
    tags: list[str] = []
    notes: dict[str, Any] = {}


class Contact(Person):
    """A person whose e-mail is nobody else's."""

    email: str | None = Field(None, unique=True)


class Car(Freeing, Model):
    """A plate is nobody's once its car is gone."""

    id: str = Field(primary_key=True)
    plate: str | None = Field(None, unique=True)


class Account(Model):
    """Another entity, to be written along with a person."""

    id: str = Field(primary_key=True)
    owner: str | None = None
    balance: int = 0


class Membership(Model):
    """A key of two fields."""

    group: str = Field(primary_key=True)
    member: int = Field(primary_key=True)
    role: str = "guest"


class Note(Model):
    """A rendered key of two parts."""

    class Meta:
        """Partition by user, sort by number."""

        key = Key(partition="USER#{user}", sort="NOTE#{number:06d}")

    user: str
    number: int
    text: str = ""


class Parcel(Model):
    """A key made by methods."""

    sender: str
    number: int
    weight: float = 0.0

    @partition_key
    def by_sender(self) -> str:
        """The sender in lower case."""
        return self.sender.lower()

    @sort_key
    def by_number(self) -> str:
        """The number, with a width."""
        return f"{self.number:08d}"


class Page(Model):
    """Text to search."""

    id: str = Field(primary_key=True)
    title: str = Field(searchable=True)
    body: str | None = Field(None, searchable=True)
    shelf: int = 0


class Score(Model):
    """Fields that are called as what a search tells."""

    id: str = Field(primary_key=True)
    text: str = Field("", searchable=True)
    score: int = 0
    meta: str = ""  # type: ignore[assignment]  # for type checkers, it is what all instances have


class Session(Mortal, Model):
    """A row that dies."""

    id: str = Field(primary_key=True)
    user: str = Field("", index=True)


class Pass(Session):
    """A row that dies, with a unique value."""

    token: str | None = Field(None, unique=True)


class Document(Locked, Model):
    """A row with an optimistic lock."""

    id: str = Field(primary_key=True)
    text: str = ""
    hits: int = 0


class Sheet(Document):
    """A row with a lock and a unique value."""

    slug: str | None = Field(None, unique=True)


class Entry(Stamped, Model):
    """A row that knows when it was written."""

    id: str = Field(primary_key=True)
    text: str = ""


class Letter(Hideable, Model):
    """A row that stays when it is deleted."""

    id: str = Field(primary_key=True)
    user: str = ""


class Lease(Mortal, Locked, Stamped, Model):
    """All three mixins at once, and a unique value."""

    id: str = Field(primary_key=True)
    holder: str = ""
    slot: int | None = Field(None, unique=True)


class Thing(Model):
    """A field of every kind, all of which may be None."""

    id: int = Field(primary_key=True)
    text: str | None = None
    number: int | None = None
    real: float | None = None
    price: Decimal | None = None
    flag: bool | None = None
    raw: bytes | None = None
    moment: datetime | None = None
    day: date | None = None
    hour: time | None = None
    span: timedelta | None = None
    uuid: UUID | None = None
    color: Color | None = None
    level: Level | None = None
    mode: Literal["on", 1] | None = None
    ip: IPv4Address | None = None
    site: HttpUrl | None = None
    address: Address | None = None
    words: list[str] | None = None
    counts: set[int] | None = None
    pair: tuple[int, str] | None = None
    table: dict[str, int] | None = None
    free: Any = None
    either: int | str | None = None


class IndexedThing(Model):
    """The plain kinds again, with an index each."""

    id: int = Field(primary_key=True)
    text: str | None = Field(None, index=True)
    number: int | None = Field(None, index=True)
    real: float | None = Field(None, index=True)
    price: Decimal | None = Field(None, index=True)
    flag: bool | None = Field(None, index=True)
    raw: bytes | None = Field(None, index=True)
    moment: datetime | None = Field(None, index=True)
    day: date | None = Field(None, index=True)
    hour: time | None = Field(None, index=True)
    span: timedelta | None = Field(None, index=True)
    uuid: UUID | None = Field(None, index=True)
    color: Color | None = Field(None, index=True)
    level: Level | None = Field(None, index=True)
    mode: Literal["on", 1] | None = Field(None, index=True)
    ip: IPv4Address | None = Field(None, index=True)
    site: HttpUrl | None = Field(None, index=True)


SEVEN: list[dict[str, Any]] = [
    {"id": "g", "age": 2, "city": "Rome"},
    {"id": "a", "age": 1, "city": "rome"},
    {"id": "c", "age": None, "city": "Oslo"},
    {"id": "B", "age": 2, "city": None},
    {"id": "e", "age": 1, "city": "Rome", "home": {"city": "Zug"}},
    {"id": "é", "age": None, "city": "Ärz"},
    {"id": "f", "age": 3, "city": "", "home": {"city": "Ulm"}},
]
"""People with ties, None, and letters that sort by code point."""
