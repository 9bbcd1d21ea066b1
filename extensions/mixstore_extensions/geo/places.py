"""`Point` and `BBox`, the distance of two points, and the spans of latitude and longitude that shapes lie in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

EARTH_RADIUS_KM = 6371.0088
"""The mean radius R1 of the Earth by the IUGG (H. Moritz, Geodetic Reference System 1980, Journal of Geodesy 74, 2000).

On a sphere of this radius, distances differ from those on the ellipsoid by up to about 0.6 %.
"""

_SLACK = 1e-7
"""Radians (0.6 m) by which spans are wider than what they hold, which is far more than rounding can make of it."""


class Point(BaseModel):
    """A place: latitude from -90 to 90 and longitude from -180 to 180, in degrees. It never changes.

    As a field it is stored as a nested model; a longitude of 180 and one of -180 are the same meridian.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)

    if TYPE_CHECKING:

        def __init__(self, lat: float, lon: float) -> None: ...

    else:

        def __init__(self, *place, **named):  # pydantic, too, calls it, with whatever it is to judge
            if len(place) > 2:
                raise TypeError(f"a Point has lat and lon, not {len(place)} coordinates")
            super().__init__(**dict(zip(("lat", "lon"), place, strict=False)), **named)

    def distance_to(self, other: Point) -> float:
        """Kilometres along the great circle, on a sphere of `EARTH_RADIUS_KM`.

        By the haversine formula (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984), which is exact
        to the millimetre for near points, and to a metre for antipodes.
        """
        here, there = math.radians(self.lat), math.radians(other.lat)
        across = math.sin(math.radians(other.lon - self.lon) / 2) ** 2
        half = math.sin((there - here) / 2) ** 2 + math.cos(here) * math.cos(there) * across
        return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half)))


class Span(NamedTuple):
    """From south to north and from west eastwards to east, in degrees; longitudes may go beyond 180."""

    south: float
    west: float
    north: float
    east: float

    def widened(self) -> Span:
        """A little more, so that no rounding loses a point at the edge, and that who reaches 180 reaches -180."""
        slack = math.degrees(_SLACK)
        return Span(self.south - slack, self.west - slack, self.north + slack, self.east + slack)


@dataclass(frozen=True, slots=True)
class BBox:
    """All between two parallels and two meridians, edges included, in degrees.

    It goes from `west` eastwards to `east`: a `west` that is greater than `east` makes it cross the antimeridian.
    ValueError for a coordinate out of range, and for a `south` that is greater than `north`.
    """

    south: float
    west: float
    north: float
    east: float

    def __post_init__(self) -> None:
        for name, most in (("south", 90), ("west", 180), ("north", 90), ("east", 180)):
            object.__setattr__(self, name, number(f"BBox.{name}", getattr(self, name), -most, most))
        if self.south > self.north:
            raise ValueError(f"BBox: south={self.south} is north of north={self.north}")

    def contains(self, point: Point) -> bool:
        """Whether the point lies in it or on its edge; latitudes and longitudes are compared as numbers."""
        if not self.south <= point.lat <= self.north:
            return False
        return self._reaches(point.lon) or (abs(point.lon) == 180 and self._reaches(-point.lon))

    def _reaches(self, lon: float) -> bool:
        if self.west <= self.east:
            return self.west <= lon <= self.east
        return lon >= self.west or lon <= self.east

    def span(self) -> Span:
        """What it lies in."""
        east = self.east if self.west <= self.east else self.east + 360
        return Span(self.south, self.west, self.north, east).widened()


def around(center: Point, km: float) -> Span:
    """The span of all points that are at most so many kilometres away.

    By J. Matuschek, "Finding points within a distance of a latitude/longitude using bounding coordinates", 2011.
    """
    angle = km / EARTH_RADIUS_KM + _SLACK
    lat = math.radians(center.lat)
    south, north = lat - angle, lat + angle
    if south <= -math.pi / 2 or north >= math.pi / 2:  # a pole is in it, and with it all longitudes
        return Span(max(-90.0, math.degrees(south)), -180.0, min(90.0, math.degrees(north)), 180.0)
    spread = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(lat))))
    return Span(math.degrees(south), center.lon - spread, math.degrees(north), center.lon + spread).widened()


def number(name: str, value: object, low: float, high: float) -> float:
    """The value as a float; ValueError if it is no finite number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}, not {value!r}")
    return float(value)
