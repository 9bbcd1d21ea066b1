"""Models of the conformance classes. Those with a unique value are apart, since not every backend takes them."""

from __future__ import annotations

from datetime import timedelta

from mixstore import Field, Model
from mixstore_extensions import TTL, Timestamps, Versioned


class Session(TTL, Model):
    """A row that expires."""

    id: str = Field(primary_key=True)
    user: str = Field("", index=True)
    token: str | None = None


class Pass(Session):
    """A row that expires, with a unique value."""

    token: str | None = Field(None, unique=True)


class Ticket(TTL, Model):
    """A row that expires after an hour unless told otherwise."""

    class Meta:
        """An hour."""

        ttl = timedelta(hours=1)

    id: str = Field(primary_key=True)


class Document(Versioned, Model):
    """A row with an optimistic lock."""

    id: str = Field(primary_key=True)
    text: str = ""
    hits: int = 0
    slug: str | None = None


class Entry(Timestamps, Model):
    """A row that knows when it was written."""

    id: str = Field(primary_key=True)
    text: str = ""


class Lease(TTL, Versioned, Timestamps, Model):
    """All three mixins at once."""

    id: str = Field(primary_key=True)
    holder: str = ""
    slot: int | None = Field(None, unique=True)
