"""Places, a model of what is there, and how the tests of `Geo` look for it."""

from __future__ import annotations

from typing import Any

from mixstore import Capability, Field, Model, bound_of
from mixstore_extensions import Geo, Point
from tests.backends.shared.support import ids

BERLIN, POTSDAM, PARIS = Point(52.52, 13.405), Point(52.4, 13.06), Point(48.8566, 2.3522)
LONDON = Point(51.5, -0.12)


class Shop(Geo, Model):
    class Meta:
        scan = "allow"

    id: str = Field(primary_key=True)
    location: Point | None = None
    name: str = ""


def at(model: Any, place: Point) -> list[str]:
    """Who is found there, by cells."""
    found = model.where(location__near=(place, 1))
    assert by_cells(model, found)
    return ids(found)


def by_cells(model: Any, query: Any) -> bool:
    """Whether the engine is asked for cells: by an index of them where it has such, else by a filter of its own."""
    told = query.explain()
    if told.index is not None and "geo" in told.index:
        return True
    return Capability.INDEXES not in bound_of(model).backend.capabilities and "geohash" in str(told.pushed)
