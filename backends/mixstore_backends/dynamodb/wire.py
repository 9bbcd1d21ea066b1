"""Attribute values as they travel: `{"S": "text"}`, `{"N": "1.5"}`; from record values and back.

Bytes are either raw (as botocore hands them over) or base64 text (as they stand in the JSON of a response).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Wire = dict[str, Any]
NULL: Wire = {"NULL": True}
_LARGEST_WHOLE = 10**38
"""Below it a number has no more than 38 digits before its point."""


def to_wire(value: Any) -> Wire:
    """Any value of a record; ValueError for one that no attribute can hold."""
    made = _TO.get(type(value))
    if made is not None:
        return made(value)
    for kind, convert in _PLAIN:
        if isinstance(value, kind):
            return _TO[kind](convert(value))
    raise ValueError(f"DynamoDB has no attribute for a {type(value).__name__}")


_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str),
    (int, int),
    (float, float),
    (Decimal, Decimal),
    (bytes, bytes),
)
_TO: dict[type, Callable[[Any], Wire]] = {
    str: lambda value: {"S": value},
    int: lambda value: {"N": str(value)},
    float: lambda value: {"N": _float_text(value)},
    Decimal: lambda value: {"N": str(value)},
    bool: lambda value: {"BOOL": value},
    bytes: lambda value: {"B": value},
    type(None): lambda value: NULL,
    list: lambda value: {"L": [to_wire(element) for element in value]},
    dict: lambda value: {"M": {key: to_wire(element) for key, element in value.items()}},
}


def _float_text(value: float) -> str:
    """A float whose type is not known when it is read: to the last digit if it is whole, since it becomes an int."""
    return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_WHOLE else repr(value)


def from_wire(value: Wire) -> Any:
    """The value of an attribute whose type nobody declared; a set of another program's becomes a list."""
    ((kind, found),) = value.items()
    return _FROM[kind](found)


def number(found: str) -> int | float:
    """A number in JSON: an int if it is whole, unless it is as large as nothing but floats are."""
    try:
        made = int(found)
    except ValueError:
        exact = Decimal(found)
        if exact != exact.to_integral_value():
            return float(exact)
        made = int(exact)
    if abs(made) >= _LARGEST_WHOLE and Decimal(repr(float(made))) == made:
        return float(made)
    return made


def whole(found: str) -> int:
    """A number that is an int; ValueError if it has a fraction."""
    try:
        return int(found)
    except ValueError:
        exact = Decimal(found)
        if exact != exact.to_integral_value():
            raise
        return int(exact)


def raw(found: Any) -> bytes:
    """Bytes, whichever way they came."""
    return base64.b64decode(found) if type(found) is str else bytes(found)


_FROM: dict[str, Callable[[Any], Any]] = {
    "S": lambda found: found,
    "N": number,
    "BOOL": lambda found: found,
    "B": raw,
    "NULL": lambda found: None,
    "L": lambda found: [from_wire(element) for element in found],
    "M": lambda found: {key: from_wire(element) for key, element in found.items()},
    "SS": list,
    "NS": lambda found: [number(element) for element in found],
    "BS": lambda found: [raw(element) for element in found],
}

MARKS = {"text": "S", "int": "N", "float": "N", "decimal": "N", "bool": "BOOL", "bytes": "B"}
"""form -> the type of its attributes; `json` has none."""
