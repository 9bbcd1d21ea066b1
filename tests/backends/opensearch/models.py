"""The models of these tests."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from mixstore import Field, Key, Model


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Home(BaseModel):
    city: str
    floor: int | None = None


class Article(Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    stars: int = 0
    votes: int | None = None
    score: float = 0.0
    price: Decimal | None = None
    at: datetime | None = None
    day: date | None = None
    open: bool = False
    colour: Colour | None = None
    uuid: UUID | None = None
    ip: IPv4Address | None = None
    ip6: IPv6Address | None = None
    raw: bytes = b""
    tags: list[str] = []
    home: Home | None = None
    homes: list[Home] = []
    free: dict[str, Any] = {}


class Todo(Model):
    class Meta:
        key = Key(partition="USER#{user}", sort="TODO#{number:04d}")

    user: str
    number: int
    done: bool = False
