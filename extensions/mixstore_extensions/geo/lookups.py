"""The lookups `near` and `within` of `Point` fields: what they take and what they mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mixstore import Lookup
from mixstore_extensions.geo.places import BBox, Point, Span, around, number
from mixstore_extensions.geo.polygons import Polygon


def _place_and_km(value: Any) -> tuple[Point, float]:
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not isinstance(value[0], Point):
        raise ValueError("it takes (Point, kilometres)")
    if value[1] == math.inf:
        raise ValueError("kilometres must be finite")
    return value[0], number("kilometres", value[1], 0, math.inf)


def _shape(value: Any) -> BBox | Polygon:
    if not isinstance(value, (BBox, Polygon)):
        raise ValueError("it takes a BBox or a Polygon")
    return value


def _is_near(found: Any, operand: tuple[Point, float]) -> bool:
    return isinstance(found, Point) and found.distance_to(operand[0]) <= operand[1]


def _is_within(found: Any, shape: BBox | Polygon) -> bool:
    return isinstance(found, Point) and shape.contains(found)


NEAR = Lookup("near", frozenset({Point}), _place_and_km, _is_near)
"""`location__near=(Point(52.5, 13.4), 5)`: at most 5 km away, by the great circle."""

WITHIN = Lookup("within", frozenset({Point}), _shape, _is_within)
"""`location__within=BBox(...)` or `Polygon(...)`: inside or on the edge."""

SPANS: dict[str, Callable[[Any], Span]] = {
    NEAR.name: lambda operand: around(*operand),
    WITHIN.name: lambda shape: shape.span(),
}
"""The span that all points lie in which a lookup with this operand finds, by the name of the lookup."""
