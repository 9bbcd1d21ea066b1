"""What a document holds: each type as JSON values that the engine indexes exactly, and back.

A form says how values of a type are indexed. What is not one of these (`Any`, dicts, unions, lists of lists) is kept in
the document and not indexed.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic_core import from_json, to_json

from mixstore import codecs, scalars, shortcuts
from mixstore.codecs import Codec
from mixstore.types import FieldType
from mixstore.unicode import text

Form = Literal[
    "text", "int", "float", "bool", "decimal", "moment", "date", "ip4", "bytes", "object", "nested", "unindexed"
]

_FORMS: Mapping[str, Form] = {
    "str": "text", "url": "text", "uuid": "text", "time": "text", "int": "int", "timedelta": "int", "float": "float",
    "bool": "bool", "decimal": "decimal", "datetime": "moment", "date": "date", "bytes": "bytes", "model": "object",
}  # fmt: skip

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""The range of the engine's `long`."""
TERM_BYTES = 32_766
"""The longest term that Lucene indexes, in UTF-8."""

_LONG_NUMBER = re.compile(rb"[0-9]{19}").search
_NEGATIVE_ZERO = re.compile(rb"-0\.0[,}\]]").search


def form_of(field_type: FieldType) -> Form:
    """The form of a type: enums and literals go by their values, addresses of version 4 are the engine's own."""
    if field_type.kind == "ip":
        return "ip4" if getattr(field_type.python, "__name__", "") == "IPv4Address" else "text"
    kind = field_type.stored if field_type.kind in ("enum", "literal") else field_type.kind
    return _FORMS.get(kind, "unindexed")


def is_open(field_type: FieldType) -> bool:
    """Whether values of a model may hold fields that it does not name, for which there is no mapping."""
    return bool(field_type.python.model_config.get("extra") == "allow")


def element_of(field_type: FieldType) -> FieldType | None:
    """The type of the elements that the engine indexes one by one: plain values, or models in a list."""
    if field_type.kind not in ("list", "tuple", "set", "frozenset") or len(field_type.args) != 1:
        return None
    element = field_type.args[0]
    return element if form_of(element) != "unindexed" else None


def may_be_null(field_type: FieldType) -> bool:
    """Whether None is among the values; `Any` has it."""
    members = field_type.args if field_type.kind == "union" else ()
    return field_type.nullable or field_type.kind == "any" or any(map(may_be_null, members))


def document_codec(field_type: FieldType, any_length: bool = False) -> Codec:
    """How values of this type (never None) become part of a document, and back.

    any_length: the text may be longer than a term. ValueError for what the engine can't hold.
    """
    codec = codecs.jsonable(field_type)
    form = form_of(field_type)
    if form == "float" and field_type.python is float:
        return Codec(real, codec.decode)
    if not field_type.scalar:
        return Codec(_after(codec.encode, compound), codec.decode)
    if form == "text":
        return Codec(_after(codec.encode, text if any_length else term), codec.decode)
    if form == "int":
        return Codec(_after(codec.encode, integer), codec.decode)
    if form == "float":
        return Codec(_after(codec.encode, _positive_zero), codec.decode)
    return codec


def _after(first: Any, then: Any) -> Any:
    return then if first is None else lambda value: then(first(value))


def term(value: Any) -> str:
    """The text itself; ValueError if it is longer than the engine indexes as one."""
    found = text(value)
    if len(found) > TERM_BYTES // 4 and len(found.encode()) > TERM_BYTES:
        raise ValueError(
            f"it takes {len(found.encode()):,} bytes, and OpenSearch compares {TERM_BYTES:,}; "
            "Field(searchable=True) makes it a text of any length"
        )
    return found


def integer(value: Any) -> int:
    """The int itself; ValueError if it takes more than 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expected an int, found {type(value).__name__}")
    if SMALLEST <= value <= LARGEST:
        return value
    raise ValueError("an integer must fit in 64 bits")


def _positive_zero(value: Any) -> Any:
    """A float, or the text of an infinite one. Lucene sorts -0.0 before 0.0, which python takes for one number."""
    return 0.0 if value == 0.0 else value


def real(value: Any) -> Any:
    """A float as JSON has it: an infinite one as text. ValueError for NaN."""
    number = scalars.real(value)
    return _positive_zero(number if math.isfinite(number) else str(number))


shortcuts.PASSES.update(
    {
        term: f"type(v) is str and v.isascii() and len(v) <= {TERM_BYTES}",
        integer: f"type(v) is int and {SMALLEST} <= v <= {LARGEST}",
        real: "type(v) is float and v - v == 0.0 and v != 0.0",
    }
)


def compound(value: Any) -> Any:
    """JSON values as they are, checked: no lone surrogate, no integer of more than 64 bits, no -0.0."""
    try:
        found = to_json(value)
    except ValueError:
        found = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # deeper than pydantic goes
    if _LONG_NUMBER(found):
        _check_numbers(value)
    return _without_negative_zero(value) if _NEGATIVE_ZERO(found) else value


def _check_numbers(value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool):
        integer(value)
    elif isinstance(value, list):
        for element in value:
            _check_numbers(element)
    elif isinstance(value, dict):
        for element in value.values():
            _check_numbers(element)


def _without_negative_zero(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_negative_zero(element) for element in value]
    if isinstance(value, dict):
        return {key: _without_negative_zero(element) for key, element in value.items()}
    return _positive_zero(value) if isinstance(value, float) else value


# -- JSON ------------------------------------------------------------------------------------------------------------


def encoded(value: Any) -> bytes:
    """The JSON of JSON values, in UTF-8."""
    try:
        return to_json(value)
    except ValueError:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def dumps(value: Any) -> str:
    """The JSON text of JSON values."""
    return encoded(value).decode()


def loads(found: str) -> Any:
    """The JSON values of a text; ValueError for junk."""
    try:
        return from_json(found, allow_inf_nan=False)
    except ValueError:
        return json.loads(found)  # pydantic's parser stops at 200 levels


# -- what extensions store -------------------------------------------------------------------------------------------

_MARK = "\0base64:"
_ESCAPED = "\0text:"


def enclose(value: Any) -> Any:
    """Whatever an extension stores in place of a field or beside them, as JSON: bytes become marked base64 text."""
    if isinstance(value, bytes):
        return _MARK + base64.b64encode(value).decode("ascii")
    if isinstance(value, str):
        return _ESCAPED + value if value.startswith("\0") else text(value)
    return compound(value)


def disclose(value: Any) -> Any:
    """The opposite of `enclose`."""
    if isinstance(value, str) and value.startswith("\0"):
        if value.startswith(_MARK):
            return base64.b64decode(value[len(_MARK) :], validate=True)
        return value.removeprefix(_ESCAPED)
    return value
