"""Models with a history, and how its tests tell of it."""

from __future__ import annotations

from typing import Any

from mixstore import (
    Field,
    Model,
)
from mixstore_extensions import History, Versioned


class Doc(History, Model):
    id: str = Field(primary_key=True)
    title: str = ""
    stars: int = 0
    tag: str | None = Field(None, unique=True)


class Locked(History, Versioned, Model):
    id: str = Field(primary_key=True)
    title: str = ""


def told(model: Any, key: Any) -> list[tuple[int, str]]:
    """(number, operation) of each revision, oldest first."""
    return [(one.number, one.operation) for one in reversed(model.history(key))]


def titles(model: Any, key: Any) -> list[str]:
    return [one.values["title"] for one in reversed(model.history(key))]
