"""What a value is in a record: plain python values that DynamoDB can hold exactly, or a refusal by name.

A record holds str, int, float, Decimal, bool, bytes and None at the top, and JSON values inside of lists and dicts.
Sets are sorted lists: a native set can be neither empty nor of mixed types, and does not come back as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mixstore import codecs, shortcuts
from mixstore.codecs import Codec
from mixstore.scalars import canonical_decimal, is_canonical
from mixstore.scalars import real as nan_refused
from mixstore.types import FieldType
from mixstore.unicode import text

DIGITS = 38
"""How many significant digits a number can have."""
LARGEST_EXPONENT, SMALLEST_EXPONENT = 125, -130
"""The powers of ten of the first digit of a number."""
DEEPEST = 31
"""How many lists and maps may be in each other, below the attribute itself."""

_LARGEST_QUICK = 10**DIGITS
_MOST_REAL, _LEAST_REAL = 9.9999999999999999e125, 1e-130
_MARKS = {"str", "url", "uuid", "datetime", "date", "time", "ip"}
_ASCII = {"uuid", "datetime", "date", "time", "ip"}
"""Kinds whose text can hold nothing that could not be stored."""
_NUMBERS = {"int": "int", "timedelta": "int", "float": "float", "decimal": "decimal"}


def form_of(field_type: FieldType) -> str:
    """The form of a type's stored values: text, int, float, decimal, bool, bytes, or json (of any kind)."""
    kind = field_type.stored if field_type.kind in ("enum", "literal") else field_type.kind
    if kind in _MARKS:
        return "text"
    return _NUMBERS.get(kind) or (kind if kind in ("bool", "bytes") else "json")


def field_codec(field_type: FieldType) -> Codec:
    """How values of this type (never None) become values of a record, and back."""
    form = form_of(field_type)
    if form == "json":
        return _checked(codecs.jsonable(field_type))
    codec = codecs.primitive(field_type)
    if form == "decimal":
        exactly = field_type.kind == "decimal" and field_type.python is Decimal
        encode = _exact_decimal if exactly else _then(codec.encode, _decimal_of)
        return Codec(encode, lambda found: codec.decode(codecs.decimal_text(found)))  # type: ignore[misc]
    if form == "bytes" or field_type.kind in _ASCII:
        return codec
    if codec.encode is nan_refused:
        return Codec(real, codec.decode)
    return Codec(_then(codec.encode, _CHECKS[form]), codec.decode)


def read_decimal(text: str) -> Decimal:
    """The Decimal of a number as it is stored, in the form that every store gives back."""
    return Decimal(text) if is_canonical(text) and "e" not in text else canonical_decimal(Decimal(text))


def is_plain(field_type: FieldType) -> bool:
    """Whether an attribute of the right type needs no look: it can hold nothing but values of this type."""
    return field_type.kind in ("str", "int", "bool") and field_type.python in (str, int, bool)


def _then(first: Callable[[Any], Any] | None, check: Callable[[Any], Any] | None) -> Any:
    if first is None or check is None:
        return first or check
    return lambda value: check(first(value))


def _checked(codec: Codec) -> Codec:
    encode = codec.encode
    if encode is None:
        return Codec(checked, codec.decode)
    return Codec(lambda value: checked(encode(value)), codec.decode)


# -- what can be stored ----------------------------------------------------------------------------------------------


def integer(value: Any) -> int:
    """The int itself; ValueError if it takes more than 38 digits (zeros at the end aside)."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expected an int, found {type(value).__name__}")
    if not -_LARGEST_QUICK < value < _LARGEST_QUICK:
        if value.bit_length() > 500:  # beyond 10**126, and perhaps beyond what python turns into text
            raise ValueError("a number must be less than 10**126")
        check_digits(Decimal(value))
    return value


def real(value: Any) -> float:
    """The number as a float; ValueError if DynamoDB's numbers can't hold it."""
    number = nan_refused(value)
    if number and not _LEAST_REAL <= abs(number) <= _MOST_REAL:
        told = f"{number}" if not math.isinf(number) else "an infinite number"
        raise ValueError(f"{told} can't be stored: a number lies between 1e-130 and 1e126")
    return number


def check_digits(number: Decimal) -> None:
    """ValueError for a finite number that takes more than 38 significant digits, or lies outside of the range."""
    if not number:
        return
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > DIGITS:
        raise ValueError(f"it has {len(digits)} digits, and a number holds {DIGITS}")
    if not SMALLEST_EXPONENT <= number.adjusted() <= LARGEST_EXPONENT:
        raise ValueError("a number lies between 1e-130 and 1e126")


def _decimal_of(found: str) -> Decimal:
    number = Decimal(found)
    check_digits(number)
    return number


def _exact_decimal(value: Any) -> Decimal:
    if type(value) is Decimal and len(text := str(value)) <= DIGITS and is_canonical(text):
        return value
    number = canonical_decimal(value)
    text = str(number)
    if len(text) > DIGITS or "E" in text:  # what is shorter has fewer digits, and is within the range
        check_digits(number)
    return number


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"expected True or False, found {type(value).__name__}")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {"text": text, "int": integer, "float": real, "bool": _truth}


def checked(value: Any, depth: int = 0) -> Any:
    """The JSON value itself; ValueError for what DynamoDB can't hold of it."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else text(value)
    if kind is int:
        return integer(value)
    if kind is float:
        return real(value)
    if kind is list or kind is dict:
        if depth == DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        if kind is list:
            for element in value:
                checked(element, depth + 1)
        else:
            for key, element in value.items():
                text(key)
                checked(element, depth + 1)
    return value


shortcuts.PASSES.update(
    {
        integer: f"type(v) is int and {-_LARGEST_QUICK} < v < {_LARGEST_QUICK}",
        real: f"type(v) is float and {_LEAST_REAL!r} <= abs(v) <= {_MOST_REAL!r}",
        _truth: "type(v) is bool",
    }
)
