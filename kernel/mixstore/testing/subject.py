"""The model that two backends are compared with: its columns, what mixins bring, and its source."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import BaseModel

from mixstore.config import connect
from mixstore.fields import Field
from mixstore.model import Model
from mixstore.testing.answers import Answers, check_same
from mixstore.testing.clock import NOON
from mixstore.testing.source import Imports, Step, annotation, source

NAME = "Row"


class Color(enum.Enum):
    """Stored as text."""

    RED = "red"
    BLUE = "blue"


class Home(BaseModel):
    """Nested."""

    city: str
    floor: int | None = None


class Column(NamedTuple):
    """A field: its annotation, default (... for a part of the key), options of `Field()`, and values to draw from."""

    annotation: Any
    default: Any
    values: Sequence[Any]
    options: Mapping[str, Any] = {}

    def source(self, imports: Imports) -> str:
        """The right side of its annotation."""
        told = [] if self.default is ... else [source(self.default, imports)]
        told += [f"{name}={source(value, imports)}" for name, value in self.options.items()]
        return f"{annotation(self.annotation, imports)} = {imports.name(Field)}({', '.join(told)})"


class Act(NamedTuple):
    """A method that a mixin brings: `args` has the values to draw from for each argument.

    `of` is `row` or `class`; `by_key` passes the key of a row by names.
    """

    name: str
    args: Sequence[Sequence[Any]] = ()
    of: str = "row"
    by_key: bool = False


class Brings(NamedTuple):
    """A mixin, and what there is to try with it.

    arguments: of create, upsert and update, with values to draw from. acts: its methods. options: its query methods
    that take nothing. columns: fields that use it. meta: keys of Meta. within: a context manager that every call needs,
    and values for it.
    """

    mixin: type
    arguments: Mapping[str, Sequence[Any]] = {}
    acts: Sequence[Act] = ()
    options: Sequence[str] = ()
    columns: Mapping[str, Column] = {}
    meta: Mapping[str, Any] = {}
    within: tuple[Callable[[Any], AbstractContextManager[Any]], Sequence[Any]] | None = None


KEY: dict[str, Column] = {"id": Column(str, ..., ["a", "b", "c", "d", "É", ""], {"primary_key": True})}
COLUMNS: dict[str, Column] = {
    "n": Column(int | None, None, [None, 0, 1, 2, -1, 2**53 + 1], {"index": True}),
    "text": Column(
        str | None, None, [None, "", "a", "A", "b a", "%", "a_b", "straße", "STRASSE", "\0"], {"searchable": True}
    ),
    "real": Column(float | None, None, [None, 0.0, 1.0, -1.5, 1e300, float("inf"), 0.1], {"index": True}),
    "price": Column(Decimal | None, None, [None, Decimal("0"), Decimal("1.5"), Decimal("10"), Decimal("-1E-30")]),
    "flag": Column(bool | None, None, [None, True, False]),
    "moment": Column(
        datetime | None, None, [None, NOON, NOON + timedelta(microseconds=1), NOON - timedelta(days=1)], {"index": True}
    ),
    "color": Column(Color | None, None, [None, *Color]),
    "home": Column(Home | None, None, [None, Home(city="a"), Home(city="b", floor=1), Home(city="")]),
    "tags": Column(list[str], [], [[], ["a"], ["a", "b"], [""]]),
    "free": Column(Any, None, [None, 0, 1, True, "1", 1.0, [1], {"a": 1}, {"a": {"b": None}}]),
    "slug": Column(str | None, None, [None, None, "x", "y", ""], {"unique": True}),
}
PATHS = ("home__city", "home__floor", "free__a", "free__a__b")


class Subject(NamedTuple):
    """A model as data: it can be made, and written down."""

    brings: tuple[Brings, ...]
    key: Mapping[str, Column]
    columns: Mapping[str, Column]

    @property
    def fields(self) -> dict[str, Column]:
        """All columns, the key first."""
        return {**self.key, **self.columns}

    @property
    def meta(self) -> dict[str, Any]:
        """The keys of Meta; all queries may scan."""
        found: dict[str, Any] = {"scan": "allow"}
        for one in self.brings:
            found.update(one.meta)
        return found

    def model(self) -> type[Model]:
        """The class, made anew."""
        body: dict[str, Any] = {
            "__module__": __name__,
            "__qualname__": NAME,
            "__annotations__": {name: one.annotation for name, one in self.fields.items()},
            "Meta": type("Meta", (), {"__module__": __name__, "__qualname__": f"{NAME}.Meta", **self.meta}),
        }
        body.update((name, Field(one.default, **one.options)) for name, one in self.fields.items())
        bases = (*(one.mixin for one in self.brings), Model)
        made: type[Model] = types.new_class(NAME, bases, exec_body=lambda namespace: namespace.update(body))
        return made

    def lines(self, imports: Imports) -> list[str]:
        """The class, written down."""
        bases = ", ".join(imports.name(one) for one in (*(one.mixin for one in self.brings), Model))
        meta = [f"        {name} = {source(value, imports)}" for name, value in self.meta.items()]
        fields = [f"    {name}: {one.source(imports)}" for name, one in self.fields.items()]
        return [f"class {NAME}({bases}):", "    class Meta:", *meta, "", *fields]


def script(subject: Subject, steps: Sequence[Step], reference: Any, other: Any) -> str:
    """A program that makes the same calls on both backends, and fails if the answers differ."""
    imports = Imports()
    calls = [line for step in steps for line in step.lines(imports)]
    model = subject.lines(imports)
    made = [backend_source(one, imports) for one in (reference, other)]
    for thing in (Answers, check_same):
        imports.name(thing)
    first = next((one.within for one in subject.brings if one.within is not None), None)
    within = "" if first is None else f", within=lambda: {imports.name(first[0])}({source(first[1][0], imports)})"
    return "\n".join(
        [
            "from __future__ import annotations",
            "",
            *imports.lines(),
            "",
            "",
            *model,
            "",
            "",
            "def work(backend):",
            f"    ask = Answers(backend, {NAME}{within})",
            *[f"    {line}" for line in calls],
            "    backend.close()",
            "    return ask.told",
            "",
            "",
            f"expected = work({made[0]})",
            f"found = work({made[1]})",
            "check_same(found, expected)",
            "",
        ]
    )


def backend_source(told: Any, imports: Imports) -> str:
    """How a script makes a backend: from a URL, or by a function or class of a module. ConfigurationError."""
    if isinstance(told, str):
        return f"{imports.name(connect)}({told!r})"
    return f"{imports.name(told)}()"
