"""Models with unique values, for the tests of guards."""

from __future__ import annotations

from mixstore import Field, Key, Model
from mixstore_extensions import TTL, Counters, SoftDelete, Versioned


class User(Model):
    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)
    number: int | None = Field(None, unique=True)


class Lease(TTL, Versioned, Model):
    id: str = Field(primary_key=True)
    name: str = ""
    slot: str | None = Field(None, unique=True)
    port: int | None = Field(None, unique=True)


class Page(SoftDelete, Model):
    class Meta:
        soft_delete_frees_unique = True

    id: str = Field(primary_key=True)
    slug: str | None = Field(None, unique=True)


class Rank(Counters, Model):
    id: str = Field(primary_key=True)
    place: int = Field(unique=True)


class Task(Model):
    class Meta:
        key = Key("LIST#{owner}", "TASK#{number:04d}")

    owner: str
    number: int
    code: str | None = Field(None, unique=True)


class Odd(Model):
    first: int = Field(primary_key=True)
    second: str = Field(primary_key=True)
    code: str = Field(unique=True)
