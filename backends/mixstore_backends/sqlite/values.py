"""What a value is in a column: the form of each type, and the codecs between python and SQLite's own classes.

SQLite knows NULL, INTEGER, REAL, TEXT and BLOB. A *form* says which of them a type becomes and what its stored values
can do there: whether their order is the order of the values, and whether equal values are stored alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic_core import from_json, to_json

from mixstore import codecs, shortcuts
from mixstore.codecs import Codec
from mixstore.types import FieldType
from mixstore.unicode import text

Form = Literal["text", "int", "bool", "float", "bytes", "decimal", "ip", "json", "opaque"]

SQL_TYPES: Mapping[Form, str] = {
    "text": "TEXT", "int": "INTEGER", "bool": "INTEGER", "float": "REAL", "bytes": "BLOB",
    "decimal": "TEXT", "ip": "TEXT", "json": "TEXT", "opaque": "ANY",
}  # fmt: skip
_FORMS: Mapping[str, Form] = {
    "str": "text", "url": "text", "uuid": "text", "datetime": "text", "date": "text", "time": "text",
    "int": "int", "timedelta": "int", "bool": "bool", "float": "float", "bytes": "bytes",
    "decimal": "decimal", "ip": "ip",
}  # fmt: skip

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""The range of SQLite's INTEGER."""

_LONG_NUMBER = re.compile(r"[0-9]{19}").search


def form_of(field_type: FieldType) -> Form:
    """The form of a type: enums and literals go by their values, everything that is not one plain value is JSON."""
    kind = field_type.stored if field_type.kind in ("enum", "literal") else field_type.kind
    return _FORMS.get(kind, "json")


def may_be_null(field_type: FieldType) -> bool:
    """Whether a column of this type can hold NULL; `Any` has None among its values."""
    return field_type.nullable or field_type.kind == "any" or any(map(may_be_null, _members(field_type)))


def _members(field_type: FieldType) -> tuple[FieldType, ...]:
    return field_type.args if field_type.kind == "union" else ()


def column_codec(field_type: FieldType) -> Codec:
    """How values of this type (never None) become what a column holds, and back.

    What the column's own type and CHECK guarantee (STRICT tables) is not checked again when it is read.
    """
    form = form_of(field_type)
    if form == "json":
        return _json_codec(codecs.jsonable(field_type))
    codec = codecs.primitive(field_type)
    if field_type.kind in _GUARDED and _is_builtin(field_type):
        return _GUARDED[field_type.kind]
    if form == "int":
        return Codec(_within_64_bits(codec.encode), codec.decode)
    if form == "bool":
        return Codec(_after(codec.encode, _BOOLS.__getitem__), _after(bool, codec.decode))
    return codec


def _is_builtin(field_type: FieldType) -> bool:
    return getattr(field_type.python, "__module__", None) == "builtins"


def _after(first: Any, then: Any) -> Any:
    if first is None or then is None:
        return then or first
    return lambda value: then(first(value))


def integer(value: Any) -> int:
    """The int itself; ValueError if it takes more than 64 bits."""
    if not isinstance(value, int):
        raise ValueError(f"expected an int, found {type(value).__name__}")
    if SMALLEST <= value <= LARGEST:
        return value
    raise ValueError("an integer must fit in 64 bits")


def real(value: Any) -> float:
    """The number as a float; ValueError for NaN."""
    if value != value:
        raise ValueError("NaN can't be stored")
    if isinstance(value, float):
        return value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"expected a float, found {type(value).__name__}")
    return float(value)


def _within_64_bits(encode: Any) -> Any:
    return integer if encode is None else lambda value: integer(encode(value))


_BOOLS = {True: 1, False: 0}
_GUARDED: Mapping[str, Codec] = {
    "str": Codec(text, None),
    "int": Codec(integer, None),
    "float": Codec(real, None),
    "bytes": Codec(None, None),
    "bool": Codec(_BOOLS.__getitem__, bool),
}
"""Kinds whose column can hold nothing else, so that reading needs no check."""

shortcuts.PASSES.update(
    {
        integer: f"type(v) is int and {SMALLEST} <= v <= {LARGEST}",
        real: "type(v) is float and v == v",
    }
)


# -- JSON ------------------------------------------------------------------------------------------------------------


def to_text(value: Any) -> str:
    """JSON text of JSON values; ValueError for an integer of more than 64 bits, which SQLite's own JSON would round."""
    try:
        found = to_json(value).decode()
    except ValueError:
        found = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text(found)
    if _LONG_NUMBER(found):
        _check_numbers(value)
    return found


def from_text(found: Any) -> Any:
    """The JSON values of a text; ValueError for junk."""
    try:
        return from_json(found, allow_inf_nan=False)
    except ValueError:
        # pydantic's parser stops at 200 levels; python's goes on.
        return json.loads(found, parse_constant=_refused)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _check_numbers(value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool):
        integer(value)
    elif isinstance(value, list):
        for element in value:
            _check_numbers(element)
    elif isinstance(value, dict):
        for element in value.values():
            _check_numbers(element)


def _json_codec(codec: Codec) -> Codec:
    encode, decode = codec.encode, codec.decode
    return Codec(
        to_text if encode is None else lambda value: to_text(encode(value)),
        from_text if decode is None else lambda found: decode(from_text(found)),
    )


# -- what extensions store -------------------------------------------------------------------------------------------

_MARK = "\0json:"


def enclose(value: Any) -> Any:
    """Whatever an extension stores in place of a field, as something that an ANY column holds.

    Text, bytes, numbers and None are kept as they are; other JSON values become marked text.
    """
    if value is None or isinstance(value, (float, bytes)):
        return value
    if type(value) is int:
        return integer(value)
    if isinstance(value, str) and not value.startswith(_MARK):
        return text(value)
    return _MARK + to_text(value)


def disclose(value: Any) -> Any:
    """The opposite of `enclose`."""
    if isinstance(value, str) and value.startswith(_MARK):
        return from_text(value[len(_MARK) :])
    return value
