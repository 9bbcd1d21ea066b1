"""Queries as data: `Query` is what is asked. It never changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from mixstore.expressions import TRUE, Expr, Order
from mixstore.nearness import Similar
from mixstore.search import Search

T = TypeVar("T")


class Query(NamedTuple):
    """One question about one model. `fields` are those that `select()` asks for; None means instances.

    `index` is the one that `using()` names: only rows in it are asked for. With `similar` a backend is asked for rows
    by how near they are, and never for words as well.
    """

    model: type[Any]
    where: Expr = TRUE
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    fields: tuple[str, ...] | None = None
    cursor: str | None = None
    search: Search | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    index: str | None = None  # type: ignore[assignment]  # a question is not searched as a tuple
    similar: Similar | None = None

    def replace(self, **changes: Any) -> Query:
        """The same question with other parts: `query.replace(limit=10)`."""
        return self._replace(**changes)


class Page(Generic[T]):
    """Some rows (`items`) and the `cursor` for those after them; a None cursor is the end."""

    __slots__ = ("cursor", "items")

    def __init__(self, items: list[T], cursor: str | None) -> None:
        self.items = items
        self.cursor = cursor

    def __repr__(self) -> str:
        return f"Page({self.items!r}, cursor={self.cursor!r})"

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a query would do, without doing it.

    `operation` and `index` in the backend's own words, `pushed` and `residual` the filters that the engine and that
    mixstore applies, `request` the native request.
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
