"""What backends need to compare an operand with a stored value: the ranks of kinds, the nearest stored number."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from mixstore import comparing

if TYPE_CHECKING:
    from mixstore.types import FieldType

RANKS: dict[str, frozenset[int]] = {
    "str": frozenset({comparing.TEXT}),
    "url": frozenset({comparing.TEXT}),
    "int": frozenset({comparing.NUMBER}),
    "float": frozenset({comparing.NUMBER}),
    "decimal": frozenset({comparing.NUMBER}),
    "bool": frozenset({comparing.BOOL}),
    "bytes": frozenset({comparing.BYTES}),
    "datetime": frozenset({comparing.DATETIME}),
    "date": frozenset({comparing.DATE}),
    "time": frozenset({comparing.TIME}),
    "timedelta": frozenset({comparing.TIMEDELTA}),
    "uuid": frozenset({comparing.UUIDS}),
    "ip": frozenset({comparing.ADDRESS, comparing.NETWORK, comparing.INTERFACE}),
}
"""The ranks of `comparable` that values of a kind can have."""

SHIFTED = {
    ("gt", 1): "gte", ("gte", 1): "gte", ("lt", 1): "lt", ("lte", 1): "lt",
    ("gt", -1): "gt", ("gte", -1): "gt", ("lt", -1): "lte", ("lte", -1): "lte",
}  # fmt: skip
"""(lookup, how the stored operand compares with the asked one) -> the lookup that says the same of the stored one."""


def stored_kind(field_type: FieldType | None) -> str:
    """The kind of the stored values: enums and literals go by theirs, "choice" if these are of several kinds."""
    if field_type is None:
        return "str"
    if field_type.kind not in ("enum", "literal"):
        return field_type.kind
    return "choice" if field_type.stored == "any" else field_type.stored


def nearest_integer(value: Any, smallest: int, largest: int) -> tuple[int, int]:
    """The integer of the range that is nearest to a number, and whether it is below (-1) or above (1) it."""
    if value > largest:
        return largest, -1
    if value < smallest:
        return smallest, 1
    below = math.floor(value)
    return below, 0 if below == value else -1


def nearest_float(value: Any) -> tuple[float, int]:
    """The float that is nearest to a number, finite unless that is infinite, and whether it is below or above it."""
    try:
        near = float(value)
    except OverflowError:
        near = math.copysign(sys.float_info.max, value)
    if math.isinf(near) and not math.isinf(value):
        near = math.copysign(sys.float_info.max, value)
    return near, 0 if near == value else -1 if near < value else 1
