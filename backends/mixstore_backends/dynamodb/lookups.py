"""Lookups to expressions: one function each. An attribute that is not there counts as None in each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mixstore.comparing import TESTS
from mixstore_backends.dynamodb.operands import NotNativeError, Source
from mixstore_backends.dynamodb.placeholders import Placeholders
from mixstore_backends.dynamodb.wire import NULL, Wire

IN_AT_ONCE = 100
"""How many operands IN takes."""

_SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_SIZED = {"list": "L", "tuple": "L", "set": "L", "frozenset": "L", "dict": "M", "bytes": "B"}


def _is_none(source: Source, given: Placeholders) -> str:
    name = given.path(source.path)
    given.count(2)
    return f"(attribute_not_exists({name}) OR {name} = {given.value(NULL)})"


def _equal_to(source: Source, value: Any) -> Wire | None:
    """The attribute value that equals the operand; None if no stored value can."""
    try:
        return source.stored(value)
    except LookupError:
        return None


def _eq(source: Source, value: Any, given: Placeholders) -> str:
    if value is None:
        return _is_none(source, given)
    stored = _equal_to(source, value)
    if stored is None:
        return given.never()
    given.count()
    return f"{given.path(source.path)} = {given.value(stored)}"


def _ne(source: Source, value: Any, given: Placeholders) -> str:
    return given.negated(_eq(source, value, given))


def _ordering(lookup: str) -> Callable[[Source, Any, Placeholders], str]:
    def compile_ordering(source: Source, value: Any, given: Placeholders) -> str:
        if value is None:
            return given.never()
        if source.kind == "bool":
            return _truths(source, [one for one in (False, True) if TESTS[lookup](value)(one)], given)
        if not source.ordered:
            raise NotNativeError(source.path)
        stored = _equal_to(source, value)
        if stored is None:
            return given.never()
        given.count()
        return f"{given.path(source.path)} {_SIGNS[lookup]} {given.value(stored)}"

    return compile_ordering


def _truths(source: Source, values: Sequence[bool], given: Placeholders) -> str:
    return _one_of(source, [{"BOOL": value} for value in values], given)


def _between(source: Source, value: Any, given: Placeholders) -> str:
    low, high = value
    # BETWEEN itself refuses bounds in the wrong order, where nothing is between.
    return given.joined([LOOKUPS["gte"](source, low, given), LOOKUPS["lte"](source, high, given)], "AND")


def _in(source: Source, values: Any, given: Placeholders) -> str:
    wanted = [_equal_to(source, value) for value in values if value is not None]
    found = [_one_of(source, [one for one in wanted if one is not None], given)]
    if any(value is None for value in values):
        found.append(_is_none(source, given))
    return given.joined(found, "OR")


def _one_of(source: Source, wanted: Sequence[Wire], given: Placeholders) -> str:
    if not wanted:
        return given.never()
    name = given.path(source.path)
    pieces = []
    for start in range(0, len(wanted), IN_AT_ONCE):
        operands = [given.value(one) for one in wanted[start : start + IN_AT_ONCE]]
        given.count(len(operands))
        pieces.append(f"{name} = {operands[0]}" if len(operands) == 1 else f"{name} IN ({', '.join(operands)})")
    return given.joined(pieces, "OR")


def _not_in(source: Source, values: Any, given: Placeholders) -> str:
    return given.negated(_in(source, values, given))


def _contains(source: Source, value: Any, given: Placeholders) -> str:
    element = source.element
    if element is None:
        return _of_text("contains", source, value, given)
    if value is None:
        raise NotNativeError(source.path)
    stored = _equal_to(element, value)
    if stored is None:
        return given.never()
    given.count()
    return f"contains({given.path(source.path)}, {given.value(stored)})"


def _of_text(function: str, source: Source, value: Any, given: Placeholders) -> str:
    if not source.textual:
        raise NotNativeError(source.path)
    stored = None if value is None else _equal_to(source, value)
    if stored is None or "S" not in stored:
        return given.never()
    given.count()
    if not stored["S"]:
        return f"attribute_type({given.path(source.path)}, {given.value({'S': 'S'})})"
    return f"{function}({given.path(source.path)}, {given.value(stored)})"


def _startswith(source: Source, value: Any, given: Placeholders) -> str:
    return _of_text("begins_with", source, value, given)


def _isnull(source: Source, value: Any, given: Placeholders) -> str:
    found = _is_none(source, given)
    return found if value else given.negated(found)


def _size(source: Source, value: Any, given: Placeholders) -> str:
    mark = _SIZED.get(source.field_type.kind)
    if value is None or mark is None or (source.nested and mark == "B"):
        raise NotNativeError(source.path)
    if value < 0:
        return given.never()
    if value >= 2**31:
        raise NotNativeError(source.path)
    name = given.path(source.path)
    given.count(3)
    kind, size = given.value({"S": mark}), given.value({"N": str(value)})
    return f"(attribute_type({name}, {kind}) AND size({name}) = {size})"


LOOKUPS: dict[str, Callable[[Source, Any, Placeholders], str]] = {
    "eq": _eq,
    "ne": _ne,
    **{lookup: _ordering(lookup) for lookup in _SIGNS},
    "between": _between,
    "in": _in,
    "not_in": _not_in,
    "contains": _contains,
    "startswith": _startswith,
    "isnull": _isnull,
    "size": _size,
}
"""Those that DynamoDB can answer exactly; what is not here is done after it."""
