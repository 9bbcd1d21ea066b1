"""The record that every side stores: ten plain attributes, the same for the floor and for mixstore."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from mixstore import Field, Model
from mixstore_extensions import TTL, Timestamps, Versioned

Row = dict[str, Any]

ROWS_PER_CITY = 100
EPOCH = datetime(2024, 1, 1, tzinfo=timezone.utc)


class PlainPerson(BaseModel):
    """What somebody without a store library would write."""

    id: str
    city: str
    name: str
    age: int
    score: float
    active: bool
    seen: datetime
    born: date
    balance: Decimal
    nickname: str | None = None


class Person(Model):
    """The same for mixstore, with no mixin."""

    id: str = Field(primary_key=True)
    city: str = Field(index=True)
    name: str
    age: int
    score: float
    active: bool
    seen: datetime
    born: date
    balance: Decimal
    nickname: str | None = None


class PlainTaggedPerson(PlainPerson):
    """With a list as well."""

    tags: list[str]


class TaggedPerson(Person):
    """With a list as well, which has to be copied on the way in and out."""

    tags: list[str]


class KeptPerson(TTL, Versioned, Timestamps, Person):
    """With expiry, optimistic locking and timestamps; the floor has none of the three."""


def rows(count: int, start: int = 0) -> list[Row]:
    """Rows with distinct ids; each city has 100 of them, spread over the whole."""
    cities = max(1, count // ROWS_PER_CITY)
    return [row(number, f"city-{number % cities}") for number in range(start, start + count)]


def row(number: int, city: str) -> Row:
    """One row of python values, as a program has them in hand."""
    return {
        "id": f"person-{number:07d}",
        "city": city,
        "name": f"Ada Example {number}",
        "age": 18 + number % 60,
        "score": number * 0.25,
        "active": number % 3 != 0,
        "seen": EPOCH + timedelta(seconds=number),
        "born": date(1950 + number % 50, 1 + number % 12, 1 + number % 28),
        "balance": Decimal(number) / 100,
        "nickname": None if number % 2 else f"ada{number}",
    }


def tagged(some: list[Row]) -> list[Row]:
    """The same rows with three tags each."""
    return [{**one, "tags": ["new", f"tag-{number % 10}", "eu"]} for number, one in enumerate(some)]
