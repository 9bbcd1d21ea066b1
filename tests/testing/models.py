"""Models for the tests of the testing tools."""

from __future__ import annotations

from mixstore import Field, Model
from mixstore_extensions import History, Versioned


class Shelf(Model):
    """No extension, so that writes take the short way."""

    class Meta:
        scan = "allow"

    id: str = Field(primary_key=True)
    n: int = 0
    code: str | None = Field(None, unique=True)


class Plain(Model):
    """What any backend can hold."""

    class Meta:
        scan = "allow"

    id: str = Field(primary_key=True)


class Paper(History, Versioned, Model):
    """A row beside each row, and a lock."""

    class Meta:
        scan = "allow"

    id: str = Field(primary_key=True)
    n: int = 0
