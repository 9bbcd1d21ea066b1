"""How large an item is, as DynamoDB counts it, to the byte for all but numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OVERHEAD = 3
"""Bytes of a list or a map, and one more for each of its elements."""


def size_of(item: Mapping[str, Any]) -> int:
    """The bytes of an item: names and values."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    ((kind, found),) = value.items()
    if kind == "S":
        return len(found.encode())
    if kind == "N":
        return len(found.lstrip("-0.").replace(".", "")) // 2 + 2
    if kind == "B":
        return len(found)
    if kind == "L":
        return OVERHEAD + sum(1 + _size(element) for element in found)
    if kind == "M":
        return OVERHEAD + sum(1 + len(name.encode()) + _size(element) for name, element in found.items())
    return 1
