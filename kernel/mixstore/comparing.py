"""How two values compare: the reference that every backend agrees with.

Values are compared by `comparable()`, a pair of a rank and a form.
Values of different ranks are never equal and never in order; within a rank, forms compare as python does:
int, float and Decimal are one rank, bool is another, text goes by code point.

A *test* is what a lookup with its operand becomes: a function from the value of a row to whether it holds.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

from pydantic import BaseModel

Test = Callable[[Any], bool]
Comparison = Callable[[Any, Any], bool]
Form = tuple[int, Any]

(NONE, BOOL, NUMBER, TEXT, BYTES, DATETIME, NAIVE, DATE, TIME, AWARE_TIME, TIMEDELTA) = range(11)
(UUIDS, ADDRESS, NETWORK, INTERFACE, SEQUENCE, SET, MAPPING) = range(11, 18)

COLLECTIONS = (list, tuple, set, frozenset)
"""What `contains` looks into for an element; in anything else it looks for a part of the text."""

_SIZED = (str, bytes, *COLLECTIONS, Mapping)


def comparable(value: Any) -> Form:
    """The pair (rank, form) that stands for a value in comparisons and sorting; hashable and totally ordered.

    None has the lowest rank. An enum member stands as its value, a URL as its text, a model as the dict of
    its fields, a moment as itself in UTC. TypeError for a value of a type that no field can have.
    """
    form = _FORMS.get(value.__class__)
    return form(value) if form is not None else _form_of(value)


def _form_of(value: Any) -> Form:
    """The form of a value whose class is not in the table: an enum member, a model, a URL, a subclass."""
    if isinstance(value, Enum):
        return comparable(value.value)
    if isinstance(value, BaseModel):
        fields = vars(value)
        known = {name: fields.get(name) for name in type(value).__pydantic_fields__}
        return _mapping({**known, **(value.__pydantic_extra__ or {})})
    for kind, form in _FORMS.items():
        if isinstance(value, kind):
            return form(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if is_url(value):
        return (TEXT, str(value))
    raise TypeError(f"a value of type {type(value).__name__} can't be compared")


def is_url(value: Any) -> bool:
    """Whether this is one of pydantic's URLs, with one host or several."""
    # Imported here since pydantic itself loads its network types only when they are used.
    from pydantic import AnyUrl, PostgresDsn
    from pydantic_core import MultiHostUrl, Url

    return isinstance(value, (AnyUrl, *PostgresDsn.__bases__, Url, MultiHostUrl))


def _moment(value: datetime) -> Form:
    if value.tzinfo is timezone.utc:
        return (DATETIME, value)
    return (NAIVE, value) if value.utcoffset() is None else (DATETIME, value.astimezone(timezone.utc))


def _time(value: time) -> Form:
    return (TIME if value.utcoffset() is None else AWARE_TIME, value)


def _address(value: IPv4Address | IPv6Address) -> Form:
    return (ADDRESS, (value.version, int(value), getattr(value, "scope_id", None) or ""))


def _interface(value: IPv4Interface | IPv6Interface) -> Form:
    return (
        INTERFACE,
        (value.version, int(value.ip), value.network.prefixlen, getattr(value, "scope_id", None) or ""),
    )


def _network(value: IPv4Network | IPv6Network) -> Form:
    return (NETWORK, (value.version, int(value.network_address), value.prefixlen))


def _sequence(value: Iterable[Any]) -> Form:
    return (SEQUENCE, tuple(map(comparable, value)))


def _set(value: Iterable[Any]) -> Form:
    return (SET, tuple(sorted(map(comparable, value))))


def _mapping(value: Mapping[Any, Any]) -> Form:
    return (MAPPING, tuple(sorted((comparable(key), comparable(part)) for key, part in value.items())))


_FORMS: dict[type, Callable[[Any], Form]] = {
    type(None): lambda value: (NONE, 0),
    bool: lambda value: (BOOL, value),
    int: lambda value: (NUMBER, value),
    float: lambda value: (NUMBER, value),
    Decimal: lambda value: (NUMBER, value),
    str: lambda value: (TEXT, value),
    bytes: lambda value: (BYTES, value),
    datetime: _moment,
    date: lambda value: (DATE, value),
    time: _time,
    timedelta: lambda value: (TIMEDELTA, value),
    UUID: lambda value: (UUIDS, value.int),
    # An interface is a subclass of an address, so it comes first.
    IPv4Interface: _interface,
    IPv6Interface: _interface,
    IPv4Address: _address,
    IPv6Address: _address,
    IPv4Network: _network,
    IPv6Network: _network,
    list: _sequence,
    tuple: _sequence,
    set: _set,
    frozenset: _set,
    dict: _mapping,
}


def text_of(value: Any) -> str | None:
    """The text that a value stands for, or None if it stands for none."""
    rank, form = comparable(value)
    return form if rank == TEXT else None


def never(value: Any) -> bool:
    """The test that holds for nothing."""
    return False


def _eq(operand: Any) -> Test:
    form = comparable(operand)
    return lambda found: comparable(found) == form


def _ne(operand: Any) -> Test:
    form = comparable(operand)
    return lambda found: comparable(found) != form


def _ordered(compare: Comparison) -> Callable[[Any], Test]:
    def build(operand: Any) -> Test:
        rank, form = comparable(operand)
        if rank == NONE or rank >= SEQUENCE:
            return never

        def test(found: Any) -> bool:
            kind, value = comparable(found)
            try:
                return kind == rank and compare(value, form)
            except InvalidOperation:  # a Decimal beside NaN
                return False

        return test

    return build


def _between(operand: Any) -> Test:
    low, high = operand
    above, below = TESTS["gte"](low), TESTS["lte"](high)
    return lambda found: above(found) and below(found)


def _in(operand: Any) -> Test:
    forms = frozenset(map(comparable, operand))
    return lambda found: comparable(found) in forms


def _not_in(operand: Any) -> Test:
    forms = frozenset(map(comparable, operand))
    return lambda found: comparable(found) not in forms


def _contains(operand: Any) -> Test:
    form = comparable(operand)
    part = form[1] if form[0] == TEXT else None

    def test(found: Any) -> bool:
        if found.__class__ is str:
            return part is not None and part in found
        if isinstance(found, COLLECTIONS):
            return any(comparable(element) == form for element in found)
        text = text_of(found)
        return part is not None and text is not None and part in text

    return test


def _textual(compare: Callable[[str, str], bool], fold: bool = False) -> Callable[[Any], Test]:
    def build(operand: Any) -> Test:
        part = text_of(operand)
        if part is None:
            return never
        sought = part.casefold() if fold else part

        def test(found: Any) -> bool:
            text = found if found.__class__ is str else text_of(found)
            return text is not None and compare(text.casefold() if fold else text, sought)

        return test

    return build


def _regex(operand: Any) -> Test:
    if operand is None:
        return never
    search = re.compile(operand).search

    def test(found: Any) -> bool:
        text = found if found.__class__ is str else text_of(found)
        return text is not None and search(text) is not None

    return test


def _isnull(operand: Any) -> Test:
    return (lambda found: found is None) if operand else (lambda found: found is not None)


def _size(operand: Any) -> Test:
    rank, size = comparable(operand)
    return lambda found: rank == NUMBER and isinstance(found, _SIZED) and len(found) == size


TESTS: dict[str, Callable[[Any], Test]] = {
    "eq": _eq,
    "ne": _ne,
    "lt": _ordered(operator.lt),
    "lte": _ordered(operator.le),
    "gt": _ordered(operator.gt),
    "gte": _ordered(operator.ge),
    "between": _between,
    "in": _in,
    "not_in": _not_in,
    "contains": _contains,
    "icontains": _textual(operator.contains, fold=True),
    "startswith": _textual(str.startswith),
    "istartswith": _textual(str.startswith, fold=True),
    "endswith": _textual(str.endswith),
    "iendswith": _textual(str.endswith, fold=True),
    "regex": _regex,
    "isnull": _isnull,
    "size": _size,
}
"""The built-in lookups: from an operand to a test. All that depends on the operand alone is done once."""
