"""Lookups: what can follow a field in a filter (`age__gte=18`), and how a filter becomes an expression.

A name is a path and a lookup, joined by `__`; without a lookup it is `eq`. On models the path goes first:
`address__city` is the field. In free dicts (`dict`, `Any`) the last part is a lookup if there is one of
that name; `__eq` makes it a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from mixstore import operands
from mixstore.comparing import TESTS
from mixstore.errors import QueryError, nearest
from mixstore.nodes import (
    After,
    And,
    Compare,
    Constant,
    Deferred,
    Expr,
    Not,
    Or,
    Order,
    Q,
    conjunction,
    disjunction,
)
from mixstore.types import SCALARS, FieldType, Kind

if TYPE_CHECKING:
    from mixstore.matching import Path

Operand = Literal["value", "pair", "many", "text", "bool", "int", "element"]


class Spec(Protocol):
    """What lookups ask of a field."""

    @property
    def type(self) -> FieldType:
        """What a store knows of the field's annotation."""


class Schema(Protocol):
    """What lookups ask of a model's schema."""

    @property
    def name(self) -> str:
        """The model's name, for errors."""

    @property
    def fields(self) -> Mapping[str, Spec]:
        """Its fields by name."""


@dataclass(frozen=True)
class Lookup:
    """One way to compare a field with an operand.

    `kinds` are the kinds of fields it is for, or classes that their values are of, None meaning all; a union
    takes what one of its members takes. `operand` says how its operand is coerced: `value` to the field's type,
    `pair` and `many` to two or any number of these, `element` to the type of the container's elements (or text),
    `text`, `bool` and `int` to just that. It may be a function instead, which gives the operand to use, also of
    one that it gave before, or raises ValueError saying what it takes. `evaluate(found, operand)` gives the
    reference answer; it is not asked about None, which passes no lookup but the built-in ones. A lookup without
    it works only where a backend compiles it.
    """

    name: str
    kinds: frozenset[str | type] | None = None
    operand: Operand | Callable[[Any], Any] = "value"
    evaluate: Callable[[Any, Any], bool] | None = None

    def fault(self) -> str | None:
        """What is wrong with it, for who registers one; None if nothing is."""
        kinds = get_args(Kind)
        for kind in self.kinds or ():
            if not isinstance(kind, type) and kind not in kinds:
                return f"{kind!r} is no kind of field, {nearest(str(kind), kinds)}"
        if not callable(self.operand) and self.operand not in get_args(Operand):
            return f"an operand can't be coerced by {self.operand!r}, {nearest(str(self.operand), get_args(Operand))}"
        return None if self.evaluate is None or callable(self.evaluate) else "its `evaluate` is no function"


_TEXTUAL: frozenset[str | type] = frozenset({"str", "enum", "literal", "url", "any"})
_COLLECTIONS: frozenset[str | type] = frozenset({"list", "tuple", "set", "frozenset"})
_SIZED = _COLLECTIONS | {"str", "bytes", "dict", "any"}
_ORDERED: frozenset[str | type] = frozenset({*SCALARS.values(), "enum", "literal", "ip", "url", "any"})


def _builtin(name: str, operand: Operand = "value", kinds: frozenset[str | type] | None = None) -> Lookup:
    build = TESTS[name]
    return Lookup(name, kinds, operand, lambda found, value: build(value)(found))


BUILTIN: dict[str, Lookup] = {
    lookup.name: lookup
    for lookup in (
        _builtin("eq"),
        _builtin("ne"),
        _builtin("lt", kinds=_ORDERED),
        _builtin("lte", kinds=_ORDERED),
        _builtin("gt", kinds=_ORDERED),
        _builtin("gte", kinds=_ORDERED),
        _builtin("between", "pair", _ORDERED),
        _builtin("in", "many"),
        _builtin("not_in", "many"),
        _builtin("contains", "element", _TEXTUAL | _COLLECTIONS),
        _builtin("icontains", "text", _TEXTUAL),
        _builtin("startswith", "text", _TEXTUAL),
        _builtin("istartswith", "text", _TEXTUAL),
        _builtin("endswith", "text", _TEXTUAL),
        _builtin("iendswith", "text", _TEXTUAL),
        _builtin("regex", "text", _TEXTUAL),
        _builtin("isnull", "bool"),
        _builtin("size", "int", _SIZED),
    )
}
"""The lookups that every backend knows, with their reference answers."""

_STR = FieldType("str", str)


def parse(schema: Schema, name: str, value: Any, lookups: Mapping[str, Lookup] = BUILTIN) -> Compare:
    """The comparison that `name=value` asks for, as in `parse(schema, "address__city__startswith", "P")`.

    Raises QueryError for a field, path or lookup that is not there, naming the nearest, and for an operand
    that does not fit.
    """
    if name in schema.fields:
        return _comparison(schema, (name,), schema.fields[name].type, "eq", value, lookups)
    path, kind, lookup = _split(schema, name, lookups)
    return _comparison(schema, path, kind, lookup, value, lookups)


def resolve(schema: Schema, expr: Expr, lookups: Mapping[str, Lookup] = BUILTIN) -> Expr:
    """The expression with every Q parsed and every operand coerced; the same object where nothing changes.

    Raises QueryError as `parse` does. After is left alone: the kernel itself makes it, of values that were
    read.
    """
    match expr:
        case Q():
            if len(expr.lookups) == 1 and not expr.terms:  # what conditions of extensions usually are
                return parse(schema, *expr.lookups[0], lookups)
            parts = [resolve(schema, term, lookups) for term in expr.terms]
            return conjunction(*parts, *(parse(schema, name, value, lookups) for name, value in expr.lookups))
        case Compare():
            kind = type_at(schema, expr.path)
            if expr.lookup not in lookups and expr.function is not None:
                return expr
            made = _comparison(schema, expr.path, kind, expr.lookup, expr.value, lookups)
            same = made.function is expr.function and (made.value is expr.value or made == expr)
            return expr if same else made
        case And() | Or():
            resolved = [resolve(schema, term, lookups) for term in expr.terms]
            if all(new is old for new, old in zip(resolved, expr.terms, strict=True)):
                return expr
            return conjunction(*resolved) if isinstance(expr, And) else disjunction(*resolved)
        case Not():
            term = resolve(schema, expr.term, lookups)
            return expr if term is expr.term else ~term
        case Constant() | After():
            return expr
        case _:
            raise TypeError(f"{expr!r} is no expression that mixstore knows")


def parse_order(schema: Schema, name: str) -> Order:
    """The sort column that `order_by("-address__city")` asks for.

    Raises QueryError for a path that is not there, and for values of which no order is the same on all
    backends (containers, models, `Any`, unions).
    """
    if not isinstance(name, str):
        raise QueryError(f"order_by() takes names of fields, not {type(name).__name__}", model=schema.name)
    descending = name.startswith("-")
    path, kind, _ = _split(schema, name[1:] if descending else name, {})
    if not kind.orderable:
        raise QueryError(f"{_where(schema, path)} is {kind}, which has no order", model=schema.name)
    return Order(path, descending)


def type_at(schema: Schema, path: Path) -> FieldType:
    """The type of the values at a path. QueryError for a path that is not there, naming the nearest."""
    if path[0] not in schema.fields:
        raise _no_field(schema, path[0])
    kind = schema.fields[path[0]].type
    for depth, name in enumerate(path[1:], 1):
        inner = _step(kind, name)
        if inner is None:
            raise _nothing_there(schema, path[:depth], kind, name, {})
        kind = inner
    return kind


def _split(schema: Schema, name: str, lookups: Mapping[str, Lookup]) -> tuple[Path, FieldType, str]:
    """Path, type and lookup of a name; with no lookups to look for, all of it is a path."""
    _check_text(schema, name)
    head, rest = _take(name, schema.fields)
    if head not in schema.fields:
        raise _no_field(schema, head)
    path: Path = (head,)
    kind = schema.fields[head].type
    while rest is not None:
        head, rest = _take(rest, kind.nested())
        inner = _step(kind, head)
        if head in lookups and (inner is None or (rest is None and _is_free(kind))):
            if rest is not None:
                raise QueryError(f"{name!r}: nothing can follow the lookup {head!r}", model=schema.name)
            return path, kind, head
        if inner is None:
            raise _nothing_there(schema, path, kind, head, lookups)
        path, kind = (*path, head), inner
    return path, kind, "eq"


def _take(text: str, names: Iterable[str]) -> tuple[str, str | None]:
    """The longest of `names` that `text` begins with, else its first part; and what follows its `__`."""
    fitting = [name for name in names if text == name or text.startswith(f"{name}__")]
    head = max(fitting, key=len) if fitting else text.partition("__")[0]
    return head, text[len(head) + 2 :] if len(text) > len(head) else None


def _step(kind: FieldType, name: str) -> FieldType | None:
    """The type one step into a value, or None if there is nothing to step into."""
    match kind.kind:
        case "model":
            return kind.nested().get(name)
        case "dict":
            return kind.args[1] if name else None
        case "any":
            return kind if name else None
        case "union":
            inner = [found for member in kind.args if (found := _step(member, name)) is not None]
            return inner[0] if len(inner) == 1 else FieldType("union", None, args=tuple(inner)) if inner else None
        case _:
            return None


def _is_free(kind: FieldType) -> bool:
    return kind.kind in ("dict", "any") or (kind.kind == "union" and any(map(_is_free, kind.args)))


def _applies(lookup: Lookup, kind: FieldType) -> bool:
    if lookup.kinds is None:
        return True
    if kind.kind == "union":
        return any(_applies(lookup, member) for member in kind.args)
    if kind.kind in ("enum", "literal") and lookup.operand in ("text", "element"):
        return kind.kind in lookup.kinds and kind.stored in ("str", "any")
    return kind.kind in lookup.kinds or kind.python in lookup.kinds


def _comparison(
    schema: Schema, path: Path, kind: FieldType, name: str, value: Any, lookups: Mapping[str, Lookup]
) -> Compare:
    lookup = lookups.get(name)
    if lookup is None or not _applies(lookup, kind):
        raise _nothing_there(schema, path, kind, name, lookups)
    try:
        operand = _operand(lookup, kind, value)
    except ValueError as error:
        told = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:57]}..."
        raise QueryError(
            f"{_where(schema, path)} is {kind}: {name} can't take {told}: {error}", model=schema.name
        ) from error
    return Compare(path, name, operand, None if lookup is BUILTIN.get(name) else lookup.evaluate)


def _operand(lookup: Lookup, kind: FieldType, value: Any) -> Any:
    if isinstance(value, Deferred):
        return value
    if callable(lookup.operand):
        return lookup.operand(value)
    match lookup.operand:
        case "value":
            return operands.coerce(kind, value)
        case "pair" | "many":
            return _several(lookup, kind, value)
        case "bool":
            if not isinstance(value, bool):
                raise ValueError("it takes True or False")
            return value
        case "int":
            if isinstance(value, bool) or not isinstance(value, (int, type(None))):
                raise ValueError("it takes an int")
            return value
        case "element":
            return None if value is None else operands.first_fit(_elements(kind), value)
        case "text":
            return None if value is None else _pattern(lookup, operands.text(value))
        case _:
            raise TypeError(f"lookup {lookup.name!r} has an unknown operand {lookup.operand!r}")


def _several(lookup: Lookup, kind: FieldType, value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ValueError(f"it takes {'two values' if lookup.operand == 'pair' else 'a list of values'}")
    found = [operands.coerce(kind, part) for part in value]
    if lookup.operand == "pair" and len(found) != 2:
        raise ValueError(f"it takes two values, not {len(found)}")
    if isinstance(value, (set, frozenset)):
        if lookup.operand == "pair":
            raise ValueError("it takes two values in order, and a set has none")
        found.sort(key=repr)  # sets come in another order in every process; the question stays the same
    return tuple(found)


def _pattern(lookup: Lookup, text: str) -> str:
    if lookup is BUILTIN["regex"]:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
    return text


def _elements(kind: FieldType) -> tuple[FieldType, ...]:
    """What `contains` can look for: an element of a collection, a part of a text, either in `Any`."""
    if kind.kind == "any":
        return (kind,)
    if kind.kind == "union":
        return tuple(element for member in kind.args for element in _elements(member))
    if kind.kind in _COLLECTIONS:
        return kind.args
    return (_STR,) if kind.kind in _TEXTUAL else ()


def _where(schema: Schema, path: Path) -> str:
    return ".".join((schema.name, *path))


def _check_text(schema: Schema, name: str) -> None:
    try:
        operands.text(name)
    except ValueError as error:
        raise QueryError(f"{name!r} can't name a field: {error}", model=schema.name) from error


def _no_field(schema: Schema, name: str) -> QueryError:
    return QueryError(f"{schema.name} has no field {name!r}; {nearest(name, schema.fields)}", model=schema.name)


def _nothing_there(schema: Schema, path: Path, kind: FieldType, name: str, lookups: Mapping[str, Lookup]) -> QueryError:
    """The error for a name that is neither nested in a value of this type nor a lookup for it."""
    nested = [
        *kind.nested(),
        *(inner for member in kind.args for inner in member.nested() if kind.kind == "union"),
    ]
    usable = [*nested, *(lookup.name for lookup in lookups.values() if _applies(lookup, kind))]
    noun = " or ".join([*(["field"] if nested or not lookups else []), *(["lookup"] if lookups else [])])
    return QueryError(
        f"{_where(schema, path)} ({kind}) has no {noun} {name!r}; {nearest(name, usable)}", model=schema.name
    )
