"""`Polygon`, with shapely, which is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mixstore import ConfigurationError
from mixstore_extensions.geo.places import Point, Span

_Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Polygon:
    """An area with straight edges on the plane of longitude and latitude, holes left out; edges count as inside.

    Each edge takes the shorter way round the Earth, so that one from longitude 170 to -170 crosses the antimeridian.
    The first point need not be repeated. It can't go round a pole: use a `BBox` for that.
    ValueError for what is no such area (fewer than three points, edges that cross, holes that lie outside).
    It needs shapely; without it, ConfigurationError says what to install.
    """

    points: tuple[Point, ...]
    holes: tuple[tuple[Point, ...], ...] = ()
    _area: Any = field(init=False, repr=False, compare=False)

    def __init__(self, points: Iterable[Point], holes: Iterable[Iterable[Point]] = ()) -> None:
        shapely = _shapely()
        object.__setattr__(self, "points", _ring(points))
        object.__setattr__(self, "holes", tuple(_ring(hole) for hole in holes))
        shell = _unrolled(self.points)
        west = min(lon for lon, _ in shell)
        area = shapely.Polygon(shell, [_moved(_unrolled(hole), west) for hole in self.holes])
        if not area.is_valid or not area.area:
            raise ValueError(f"Polygon: {shapely.is_valid_reason(area) if not area.is_valid else 'it has no area'}")
        shapely.prepare(area)
        object.__setattr__(self, "_area", area)

    def contains(self, point: Point) -> bool:
        """Whether the point lies in it or on its edge."""
        shapely = _shapely()
        return any(bool(shapely.intersects_xy(self._area, point.lon + turn, point.lat)) for turn in (0, 360, -360))

    def span(self) -> Span:
        """What it lies in."""
        west, south, east, north = self._area.bounds
        return Span(south, west, north, east).widened()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.points, self.holes)


def _shapely() -> Any:
    try:
        import shapely
    except ImportError as error:
        raise ConfigurationError("polygons need the package shapely", hint="pip install 'mixstore[geo]'") from error
    return shapely


def _ring(points: Iterable[Point]) -> tuple[Point, ...]:
    found = tuple(points)
    for point in found:
        if not isinstance(point, Point):
            raise ValueError(f"Polygon: its corners are Points, not {point!r}")
    if len(found) > 1 and found[0] == found[-1]:
        found = found[:-1]
    if len(found) < 3:
        raise ValueError(f"Polygon: {len(found)} corners make no area, it takes three")
    return found


def _unrolled(ring: tuple[Point, ...]) -> list[_Pair]:
    """(longitude, latitude) of each corner, with longitudes that go on beyond 180 where an edge crosses it."""
    found: list[_Pair] = []
    turns = 0
    for point, after in zip(ring, (*ring[1:], ring[0]), strict=True):
        found.append((point.lon + 360 * turns, point.lat))
        step = after.lon - point.lon
        if abs(step) == 180:
            raise ValueError(f"Polygon: both ways from {point} to {after} are as long; put a corner between them")
        turns += -1 if step > 180 else 1 if step < -180 else 0
    if turns:
        raise ValueError("Polygon: it goes round a pole; use a BBox")
    return found


def _moved(ring: list[_Pair], west: float) -> list[_Pair]:
    """A hole, as many turns round the Earth as it takes to be east of the west end of its polygon."""
    turns = -((min(lon for lon, _ in ring) - west) // 360) * 360
    return [(lon + turns, lat) for lon, lat in ring]
