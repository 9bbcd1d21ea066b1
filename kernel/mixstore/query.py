"""Queries as data: `Query` is what is asked. It never changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mixstore.expressions import TRUE, Expr, Order

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Search:
    """Full text: every term of `text` must occur in one of `fields` (all searchable ones if empty)."""

    text: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One question about one model. `fields` are those that `select()` asks for; None means instances."""

    model: type[Any]
    where: Expr = TRUE
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    fields: tuple[str, ...] | None = None
    cursor: str | None = None
    search: Search | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows and the cursor for those after them; a None cursor is the end."""

    items: list[T]
    cursor: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a query would do, without doing it.

    `operation` and `index` in the backend's own words, `pushed` and `residual` the filters that the engine and that
    mixstore
    applies, `request` the native request.
    """

    backend: str
    operation: str
    index: str | None
    pushed: str
    residual: str
    request: Any
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"{self.operation} on {self.backend}" + (f" by {self.index}" if self.index else ""),
            f"  pushed:   {self.pushed or '-'}",
            f"  residual: {self.residual or '-'}",
            f"  request:  {self.request}",
        ]
        return "\n".join([*lines, *(f"  note:     {note}" for note in self.notes)])
