"""Models of several shapes of key."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from mixstore import GSI, KEYS_ONLY, Field, Key, Model

NOON = datetime(2025, 6, 1, 12, tzinfo=timezone.utc)


class User(Model):
    id: str = Field(primary_key=True)
    name: str = ""
    age: int | None = None
    price: Decimal | None = None
    score: float | None = None
    active: bool = True
    limit: int | None = 5
    joined: datetime | None = None
    raw: bytes | None = None
    tags: set[str] = set()
    home: dict[str, Any] = {}


class Todo(Model):
    class Meta:
        key = Key(partition="USER#{user}", sort="TODO#{created}#{number}")

    user: str
    created: datetime = NOON
    number: int = 0
    text: str = ""
    done: bool = False


class Member(Model):
    group: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    role: str = "guest"


class Task(Model):
    class Meta:
        indexes = [
            GSI("by_owner", partition="OWNER#{owner}", sort="{rank:03d}"),
            GSI("by_state", partition="{state}", projection=KEYS_ONLY),
        ]

    id: str = Field(primary_key=True)
    owner: str | None = None
    rank: int = 0
    state: str = "open"
    text: str = ""


class Reading(Model):
    """For a table of its own, with keys in DynamoDB's own types."""

    sensor: int = Field(primary_key=True)
    moment: Decimal = Field(primary_key=True)
    value: float = 0.0
