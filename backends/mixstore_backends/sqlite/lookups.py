"""Lookups to SQL: one function each. No piece made here is ever NULL, whatever the row holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mixstore.keyranges import after_prefix
from mixstore.ranks import SHIFTED
from mixstore_backends.sqlite.operands import NotInSQLError, Source
from mixstore_backends.sqlite.values import to_text


class Sql(NamedTuple):
    """A piece of SQL and its parameters."""

    text: str
    parameters: tuple[Any, ...] = ()


NOTHING = Sql("0")
EVERYTHING = Sql("1")
MANY = 64
"""From so many values on, `in` takes them as one JSON parameter."""

_SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def joined(found: Sequence[Sql], word: str) -> Sql:
    """The pieces joined in a balanced way, since SQLite allows a depth of 1000 only."""
    if not found:
        return EVERYTHING
    if len(found) == 1:
        return found[0]
    if len(found) > 100:
        middle = len(found) // 2
        found = [joined(found[:middle], word), joined(found[middle:], word)]
    return Sql(f"({word.join([one.text for one in found])})", tuple([part for one in found for part in one.parameters]))


def negated(one: Sql) -> Sql:
    return Sql(f"NOT ({one.text})", one.parameters)


def _guarded(source: Source, text: str, *parameters: Any) -> Sql:
    """A comparison that would be NULL for NULL, made false."""
    return Sql(f"({source.sql} IS NOT NULL AND {text})" if source.nullable else text, parameters)


def _eq(source: Source, value: Any) -> Sql:
    if value is None:
        return Sql(f"{source.sql} IS NULL")
    stored = _exactly(source, value)
    if stored is None:
        return NOTHING
    return Sql(f"{source.sql} {'IS' if source.nullable else '='} ?", (stored,))


def _exactly(source: Source, value: Any) -> Any:
    """The parameter that equals a value, None if no stored value can."""
    if source.form == "json" and source.kind != "choice":
        raise NotInSQLError(source.sql)
    try:
        stored, near = source.stored(value)
    except LookupError:
        return None
    return None if near else stored


def _ne(source: Source, value: Any) -> Sql:
    return negated(_eq(source, value))


def _ordering(lookup: str) -> Callable[[Source, Any], Sql]:
    def compile_ordering(source: Source, value: Any) -> Sql:
        if source.ordered is None:
            raise NotInSQLError(source.sql)
        if value is None:
            return NOTHING
        try:
            stored, near = source.stored(value)
        except LookupError:
            return NOTHING
        sign = _SIGNS[SHIFTED.get((lookup, near), lookup)]
        return _guarded(source, f"{source.ordered} {sign} ?", stored)

    return compile_ordering


def _between(source: Source, value: Any) -> Sql:
    low, high = value
    return joined([LOOKUPS["gte"](source, low), LOOKUPS["lte"](source, high)], " AND ")


def _in(source: Source, values: Any) -> Sql:
    stored = [_exactly(source, value) for value in values if value is not None]
    found = list(dict.fromkeys(one for one in stored if one is not None))
    null = Sql(f"{source.sql} IS NULL") if any(value is None for value in values) and source.nullable else None
    if not found:
        return null or NOTHING
    several = _one_of(source, found)
    if null is None:
        return _guarded(source, several.text, *several.parameters)
    return Sql(f"({null.text} OR {several.text})", several.parameters)


def _one_of(source: Source, found: list[Any]) -> Sql:
    if len(found) == 1:
        return Sql(f"{source.sql} = ?", (found[0],))
    if len(found) <= MANY:
        return Sql(f"{source.sql} IN ({', '.join('?' * len(found))})", tuple(found))
    value = "value"
    if source.form == "float":
        value, found = "mixstore_real(value)", [repr(one) for one in found]
    elif isinstance(found[0], bytes):
        value, found = "mixstore_from_hex(value)", [one.hex() for one in found]
    elif isinstance(found[0], str) and any("\0" in one for one in found):
        # SQLite's JSON functions end a text at NUL.
        value, found = "CAST(mixstore_from_hex(value) AS TEXT)", [one.encode().hex() for one in found]
    return Sql(f"{source.sql} IN (SELECT {value} FROM json_each(?))", (json.dumps(found, ensure_ascii=False),))


def _not_in(source: Source, values: Any) -> Sql:
    return negated(_in(source, values))


def _contains(source: Source, value: Any) -> Sql:
    if source.element is not None:
        return _has(source, value)
    part = _text(source, value)
    return NOTHING if part is None else _guarded(source, f"instr({source.sql}, ?) > 0", part)


def _has(source: Source, value: Any) -> Sql:
    """Whether a collection of plain values holds one."""
    element = source.element
    if element is None or element.form in ("float", "json"):
        raise NotInSQLError(source.sql)
    operand = None
    if value is not None:
        operand = _exactly(element, value)
        if operand is None:
            return NOTHING
    if element.form == "bool" and operand is not None:
        operand = bool(operand)
    return Sql(f"mixstore_has({source.sql}, ?)", (to_text(operand),))


def _text(source: Source, value: Any) -> str | None:
    """The text of an operand, None if it is none; NotInSQLError where python would not find text in the source."""
    if not source.textual:
        raise NotInSQLError(source.sql)
    try:
        return None if value is None else str(source.stored(value)[0])
    except LookupError:
        return None


def _startswith(source: Source, value: Any) -> Sql:
    prefix = _text(source, value)
    if prefix is None:
        return NOTHING
    end = after_prefix(prefix)
    if end is None:
        return _guarded(source, f"{source.sql} >= ?", prefix)
    return _guarded(source, f"{source.sql} >= ? AND {source.sql} < ?", prefix, end)


def _endswith(source: Source, value: Any) -> Sql:
    suffix = _text(source, value)
    if suffix is None:
        return NOTHING
    if not suffix:
        return Sql(f"{source.sql} IS NOT NULL")
    found = suffix.encode()
    # substr() of an empty BLOB is NULL.
    return Sql(f"coalesce(substr(CAST({source.sql} AS BLOB), -{len(found)}) = ?, 0)", (found,))


def _folded(function: str) -> Callable[[Source, Any], Sql]:
    def compile_folded(source: Source, value: Any) -> Sql:
        part = _text(source, value)
        return NOTHING if part is None else Sql(f"{function}({source.sql}, ?)", (part.casefold(),))

    return compile_folded


def _regex(source: Source, value: Any) -> Sql:
    pattern = _text(source, value)
    return NOTHING if pattern is None else Sql(f"mixstore_regex({source.sql}, ?)", (pattern,))


def _isnull(source: Source, value: Any) -> Sql:
    return Sql(f"{source.sql} IS {'' if value else 'NOT '}NULL")


def _size(source: Source, value: Any) -> Sql:
    if value is None or isinstance(value, bool):
        return NOTHING
    if source.declared == "str":
        function = "mixstore_size"
    elif source.declared == "bytes" and source.ordered is not None:
        function = "length"
    elif source.declared in ("list", "tuple", "set", "frozenset", "dict"):
        function = "mixstore_json_size"
    else:
        raise NotInSQLError(source.sql)
    return Sql(f"{function}({source.sql}) IS ?", (value,)) if abs(value) < 2**63 else NOTHING


LOOKUPS: dict[str, Callable[[Source, Any], Sql]] = {
    "eq": _eq,
    "ne": _ne,
    **{lookup: _ordering(lookup) for lookup in _SIGNS},
    "between": _between,
    "in": _in,
    "not_in": _not_in,
    "contains": _contains,
    "icontains": _folded("mixstore_icontains"),
    "startswith": _startswith,
    "istartswith": _folded("mixstore_istartswith"),
    "endswith": _endswith,
    "iendswith": _folded("mixstore_iendswith"),
    "regex": _regex,
    "isnull": _isnull,
    "size": _size,
}
