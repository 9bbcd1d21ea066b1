"""Models of the tests of SQLite: one with a column of each form, and what fills it."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, ip_address
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, HttpUrl

from mixstore import Field, Model

UTC = timezone.utc


class Color(Enum):
    """Stored as text."""

    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    """Stored as an integer."""

    LOW = 1
    HIGH = 2


class Mixed(Enum):
    """Stored as JSON, since its values differ in type."""

    ONE = 1
    HALF = 2.5
    TEXT = "b"


class Place(BaseModel):
    """A model two levels deep, with defaults that a stored object may lack."""

    lat: float = 0.5
    name: str | None = None
    floor: int = 3


class Address(BaseModel):
    """A nested model."""

    city: str
    number: int | None = None
    place: Place | None = None
    since: datetime | None = None
    price: Decimal | None = None
    raw: bytes | None = None
    valid: bool | None = None
    free: Any = None


class Everything(Model):
    """A field of each kind."""

    id: int = Field(primary_key=True)
    text: str
    note: str | None
    count: int
    maybe: int | None
    real: float | None
    money: Decimal | None
    flag: bool | None
    raw: bytes | None
    moment: datetime | None
    day: date | None
    hour: time | None
    span: timedelta | None
    uid: UUID | None
    color: Color | None
    level: Level | None
    mixed: Mixed | None
    choice: Literal["a", 1, True] | None
    ip: IPv4Address | None
    url: HttpUrl | None
    tags: list[str] | None
    numbers: list[int | None]
    colors: set[Color] | None
    flags: list[bool] | None
    prices: list[Decimal] | None
    reals: list[float] | None
    home: Address | None
    free: Any
    scores: dict[str, int] | None
    notes: dict[str, Any] | None
    either: int | str | None


TEXTS = [
    "", "a", "A", "b", "ab", "ß", "ss", "a\0b", "a\0c", "é", "e\u0301", "\U0010ffff", "İ", "%", "_", "'", '"', "\ud7ff",
    "a%",
]  # fmt: skip
INTS = [0, 1, -1, 2, 5, 2**63 - 1, -(2**63), 2**53, 2**53 + 1]
REALS = [0.0, -0.0, 1.0, 1.5, -1.5, math.inf, -math.inf, 1e300, 2.0**53, 0.1, 9.223372036854775807e18]
DECIMALS = [
    Decimal(text) for text in ("0", "1", "1.5", "-1.5", "10", "9", "1e30", "-1e-20", "2", "9223372036854775808")
]
FLAGS = [True, False]
BYTES = [b"", b"a", b"a\0b", b"\xff", b"A"]
MOMENTS = [
    datetime(2020, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
]
DAYS = [date(2020, 1, 1), date(1, 1, 1), date(2021, 5, 5)]
HOURS = [time(0), time(12, 30), time(23, 59, 59, 999999)]
SPANS = [timedelta(0), timedelta(days=1), timedelta(-1), timedelta(microseconds=1)]
UIDS = [UUID(int=0), UUID(int=5), UUID(int=2**127)]
IPS = [ip_address(text) for text in ("1.2.3.4", "10.0.0.1", "9.0.0.1")]
URLS = [HttpUrl(text) for text in ("http://a.com/", "http://b.com/x?y=1", "http://a.com/z")]
JSON = [None, 1, 1.0, True, False, "a", "b", [1, "a"], {"k": 1}, {"k": "a", "l": {"m": 2}}, 0, 1.5, "", []]

PLAIN: dict[str, list[Any]] = {
    "text": TEXTS, "note": TEXTS, "count": INTS, "maybe": INTS, "real": REALS, "money": DECIMALS, "flag": FLAGS,
    "raw": BYTES, "moment": MOMENTS, "day": DAYS, "hour": HOURS, "span": SPANS, "uid": UIDS, "color": list(Color),
    "level": list(Level), "mixed": list(Mixed), "choice": ["a", 1, True], "ip": IPS, "url": URLS, "free": JSON,
    "either": [*INTS, *TEXTS],
}  # fmt: skip
"""What the plain fields hold."""

ELEMENTS: dict[str, list[Any]] = {
    "tags": TEXTS, "numbers": [*INTS, None], "colors": list(Color), "flags": FLAGS, "prices": DECIMALS, "reals": REALS,
}  # fmt: skip
"""What the elements of the collections are."""
