"""What OpenSearch is asked for `near` and `within`, where the Point is a `geo_point`: JSON, and no driver.

Each finds all rows that pass, and perhaps some more: the engine rounds coordinates to 0.01 m, and the lookups decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mixstore_extensions.geo.lookups import NEAR, SPANS, WITHIN
from mixstore_extensions.geo.places import Point

MAPPING = {"type": "geo_point"}
_FARTHEST_KM = 19_000.0
"""Nearly half around the Earth; beyond that, distances tell hardly anything of a place."""


def queries(field: str) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """What a lookup of the field asks of the engine, by its operand."""

    def near(operand: tuple[Point, float]) -> dict[str, Any]:
        center, km = operand
        if km > _FARTHEST_KM:
            return {"exists": {"field": field}}
        place = {"lat": center.lat, "lon": center.lon}
        return {"geo_distance": {"distance": f"{km * 1.001 + 0.01}km", field: place}}

    def within(shape: Any) -> dict[str, Any]:
        span = SPANS[WITHIN.name](shape)
        left, right = (-180.0, 180.0) if span.east - span.west >= 360 else (_turned(span.west), _turned(span.east))
        corners = {
            "top_left": {"lat": min(90.0, span.north), "lon": left},
            "bottom_right": {"lat": max(-90.0, span.south), "lon": right},
        }
        return {"geo_bounding_box": {field: corners}}

    return {NEAR.name: near, WITHIN.name: within}


def _turned(lon: float) -> float:
    """The longitude from -180 to 180; a box whose left is east of its right crosses the antimeridian."""
    return lon + 360 if lon < -180 else lon - 360 if lon > 180 else lon
