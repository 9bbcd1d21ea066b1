"""Places on the Earth: `Point` fields, the lookups `near` and `within`, and `Geo`, which finds rows by index."""

from __future__ import annotations

from mixstore_extensions.geo.mixin import Geo
from mixstore_extensions.geo.places import EARTH_RADIUS_KM, BBox, Point
from mixstore_extensions.geo.polygons import Polygon

__all__ = ["EARTH_RADIUS_KM", "BBox", "Geo", "Point", "Polygon"]
