"""A model with a field of every kind, and the little of a schema that lookups ask for."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, HttpUrl, field_validator

from mixstore.types import FieldType, describe


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    city: str
    size: int = 0

    @field_validator("city")
    @classmethod
    def shout(cls, value: str) -> str:
        return value.upper()


class Person(BaseModel):
    age: Annotated[int, Field(ge=0)] = 0
    name: str | None = None
    score: float = 0
    price: Decimal = Decimal(0)
    active: bool = True
    raw: bytes = b""
    at: datetime | None = None
    born: date | None = None
    wakes: time | None = None
    rests: timedelta | None = None
    id: UUID | None = None
    color: Color | None = None
    level: Level | None = None
    mode: Literal["on", 1] = "on"
    ip: IPv4Address | None = None
    site: HttpUrl | None = None
    home: Address | None = None
    homes: list[Address] = []
    tags: list[str] = []
    pair: tuple[int, str] = (0, "")
    numbers: set[int] = set()
    meta: dict[str, Any] = {}
    points: dict[int, float] = {}
    free: Any = None
    mixed: int | str | Address | None = None
    class_: int = 0


class Spec:
    def __init__(self, type: FieldType) -> None:
        self.type = type


class Schema:
    name = "Person"
    fields = {name: Spec(describe(info, f"Person.{name}")) for name, info in Person.model_fields.items()}


SCHEMA = Schema()
UTC = timezone.utc
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
