"""What expressions do to rows: closures, compiled once, that take a row ({field: python value}) and answer.

A comparison of a top-level field with a plain value is what queries are made of, so it has closures of its
own that look at the row only once; everything else goes by the tests of `comparing`, with the same answers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from mixstore.comparing import TESTS, Comparison, Test, comparable, never
from mixstore.errors import QueryError, nearest
from mixstore.scalars import datetime_text

Path = tuple[str, ...]
Row = Mapping[str, Any]
Matcher = Callable[[Row], bool]
Getter = Callable[[Row], Any]

_PLAIN = frozenset({str, int, float, bool, bytes, Decimal, date, timedelta, UUID})
"""Classes whose instances compare among themselves as their comparable forms do."""

_ORDERINGS: dict[str, Comparison] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


_AT_ONCE: dict[str, Comparison] = {**_ORDERINGS, "eq": operator.eq}


def getter(path: Path) -> Getter:
    """What reads a path out of a row: models by attribute, dicts by key. What is missing is None."""
    first = path[0]
    if len(path) == 1:
        return lambda row: row.get(first)
    rest = path[1:]

    def walk(row: Row) -> Any:
        found = row.get(first)
        for step in rest:
            if found is None:
                return None
            found = _step(found, step)
        return found

    return walk


def _step(found: Any, step: str) -> Any:
    if found.__class__ is not dict:
        if isinstance(found, BaseModel):
            return vars(found).get(step)
        if not isinstance(found, Mapping):
            return None
    if step in found or not found or isinstance(next(iter(found)), str):
        return found.get(step)
    return next((value for key, value in found.items() if _key_text(key) == step), None)


def _key_text(key: Any) -> str:
    """The text by which a path names the key of a dict."""
    if isinstance(key, Enum):
        return _key_text(key.value)
    if isinstance(key, datetime):
        return datetime_text(key)
    return key.isoformat() if isinstance(key, date) else str(key)


def test_of(lookup: str, operand: Any, function: Comparison | None) -> Test:
    """The test that a lookup makes of its operand; `function` is that of a lookup that is not built in.

    `function(found, operand)` is never called with None for the value: a comparison with None is False.
    """
    if function is not None:
        evaluate = function
        return lambda found: found is not None and bool(evaluate(found, operand))
    build = TESTS.get(lookup)
    if build is None:
        raise QueryError(f"lookup {lookup!r} has no function to evaluate it", hint=nearest(lookup, TESTS))
    return build(operand)


def comparison(path: Path, lookup: str, operand: Any, function: Comparison | None = None) -> Matcher:
    """Rows whose value at `path` passes the lookup."""
    test = test_of(lookup, operand, function)
    if len(path) == 1 and function is None:
        name, compare = path[0], _ORDERINGS.get(lookup)
        if compare is not None:
            return _ordered(name, compare, operand, test)
        direct = _DIRECT.get(lookup)
        return direct(name, operand, test) if direct is not None else lambda row: test(row.get(name))
    read = getter(path)
    return lambda row: test(read(row))


def passes(row: Row, path: Path, lookup: str, operand: Any, function: Comparison | None = None) -> bool:
    """`comparison` for a single row, for which preparing it would cost more than asking."""
    compare = _AT_ONCE.get(lookup) if function is None and len(path) == 1 else None
    if compare is not None:
        found, kind = row.get(path[0]), operand.__class__
        if kind in _PLAIN or (kind is datetime and operand.tzinfo is timezone.utc):
            if found is None:
                return False
            if found.__class__ is kind and (kind is not datetime or found.tzinfo is timezone.utc):
                return bool(compare(found, operand))
    return comparison(path, lookup, operand, function)(row)


def _equal(name: str, operand: Any, test: Test) -> Matcher:
    kind = operand.__class__
    if operand is None:
        return lambda row: row.get(name) is None
    if kind not in _PLAIN and not issubclass(kind, Enum):
        return lambda row: test(row.get(name))

    def match(row: Row) -> bool:
        found = row.get(name)
        return bool(found == operand) if found.__class__ is kind else test(found)

    return match


def _unequal(name: str, operand: Any, test: Test) -> Matcher:
    kind = operand.__class__
    if operand is None:
        return lambda row: row.get(name) is not None
    if kind not in _PLAIN and not issubclass(kind, Enum):
        return lambda row: test(row.get(name))

    def match(row: Row) -> bool:
        found = row.get(name)
        return bool(found != operand) if found.__class__ is kind else test(found)

    return match


def _ordered(name: str, compare: Comparison, operand: Any, test: Test) -> Matcher:
    kind = operand.__class__
    if test is never:
        return never
    if kind is datetime:
        return _moment(name, compare, operand, test)
    if kind not in _PLAIN:
        return lambda row: test(row.get(name))

    def match(row: Row) -> bool:
        found = row.get(name)
        if found.__class__ is kind:
            return compare(found, operand)
        return found is not None and test(found)

    return match


def _moment(name: str, compare: Comparison, operand: datetime, test: Test) -> Matcher:
    # Two aware moments compare fastest if they share their tzinfo object, and rows hold theirs in UTC.
    if operand.utcoffset() is None:
        return lambda row: test(row.get(name))
    utc = timezone.utc
    moment = operand.astimezone(utc)

    def match(row: Row) -> bool:
        found = row.get(name)
        if found.__class__ is datetime and found.tzinfo is utc:
            return compare(found, moment)
        return found is not None and test(found)

    return match


def _between(name: str, operand: Any, test: Test) -> Matcher:
    low, high = operand
    kind = low.__class__
    if kind is not high.__class__ or kind not in _PLAIN:
        return lambda row: test(row.get(name))

    def match(row: Row) -> bool:
        found = row.get(name)
        if found.__class__ is kind:
            return bool(low <= found <= high)
        return found is not None and test(found)

    return match


def _member(name: str, operand: Any, test: Test) -> Matcher:
    kinds = {value.__class__ for value in operand}
    if len(kinds) != 1 or not kinds <= _PLAIN:
        return lambda row: test(row.get(name))
    (kind,) = kinds
    values = frozenset(operand)

    def match(row: Row) -> bool:
        found = row.get(name)
        return found in values if found.__class__ is kind else test(found)

    return match


_DIRECT: dict[str, Callable[[str, Any, Test], Matcher]] = {
    "eq": _equal,
    "ne": _unequal,
    "between": _between,
    "in": _member,
}


def all_of(matchers: Sequence[Matcher]) -> Matcher:
    """Rows that match all; the two-term case is spelled out because it is the usual one."""
    if len(matchers) == 2:
        first, second = matchers
        return lambda row: first(row) and second(row)

    def match(row: Row) -> bool:
        for one in matchers:  # noqa: SIM110 - a generator costs more than the tests themselves
            if not one(row):
                return False
        return True

    return match


def any_of(matchers: Sequence[Matcher]) -> Matcher:
    """Rows that match one of them."""

    def match(row: Row) -> bool:
        for one in matchers:  # noqa: SIM110 - as above
            if one(row):
                return True
        return False

    return match


def negation(matcher: Matcher) -> Matcher:
    """Rows that do not match."""
    return lambda row: not matcher(row)


def constant(value: bool) -> Matcher:
    """All rows, or none."""
    return lambda row: value


def after(order: Iterable[tuple[Path, bool]], values: Iterable[Any]) -> Matcher:
    """Rows that sort strictly after the row with these sort values; `order` holds (path, descending)."""
    columns = [
        (getter(path), comparable(value), descending) for (path, descending), value in zip(order, values, strict=True)
    ]

    def match(row: Row) -> bool:
        for read, form, descending in columns:
            found = comparable(read(row))
            if found != form:
                return found < form if descending else found > form
        return False

    return match


class _Reversed:
    """A sort key that sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(self.key == other.key)

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.key < self.key)


def sorting(order: Iterable[tuple[Path, bool]]) -> Callable[[Row], Any]:
    """A key for `sorted()` and `min()`; None sorts first ascending and last descending."""
    columns = [(getter(path), descending) for path, descending in order]
    readers = [read for read, _ in columns]
    directions = {descending for _, descending in columns}
    if directions == {True}:
        return lambda row: _Reversed([comparable(read(row)) for read in readers])
    if directions == {False} and len(readers) == 1:
        (read,) = readers
        return lambda row: comparable(read(row))
    if True not in directions:
        return lambda row: [comparable(read(row)) for read in readers]
    return lambda row: [
        _Reversed(comparable(read(row))) if descending else comparable(read(row)) for read, descending in columns
    ]
