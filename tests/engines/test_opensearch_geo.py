"""What `Geo` finds by the engine's own geo_point: the same as by looking at each of the airports."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import airportsdata
import pytest

from mixstore import Field, Model, Q
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import BBox, Geo, Point, Polygon
from tests.engines.engines import Server
from tests.engines.opensearch_store import store

CHANCE = random.Random(7)


class Airport(Geo, Model):
    icao: str = Field(primary_key=True)
    location: Point | None = None


ROWS = [
    {"icao": code, "location": Point(row["lat"], row["lon"])}
    for n, (code, row) in enumerate(airportsdata.load("ICAO").items())
    if n % 8 == 0
]
EDGES = [Point(90, 0), Point(-90, 12), Point(0, 180), Point(0, -180), Point(52.5, 13.4), Point(52.5, 13.4000001)]
ROWS += [{"icao": f"edge{n}", "location": point} for n, point in enumerate(EDGES)]
PLACES = [*EDGES, *(row["location"] for row in CHANCE.sample(ROWS, 20))]


@pytest.fixture(scope="module")
def backend(opensearch: Server) -> Iterator[OpenSearchBackend]:
    with store(opensearch, prefix="geo-") as made:
        Airport.bind(made)
        made.initialize(Airport)
        Airport.batch_create([*ROWS, {"icao": "nowhere"}])
        yield made
        Airport.bind(None)
        made.client.transport.perform_request("DELETE", "/geo-*")


def found(**filters: Any) -> set[str]:
    return {row["icao"] for row in Airport.where(**filters).select("icao").all()}


def by_hand(holds: Any) -> set[str]:
    return {row["icao"] for row in ROWS if holds(row["location"])}


def test_the_place_is_a_geo_point(backend: OpenSearchBackend) -> None:
    mapping = backend.client.transport.perform_request("GET", "/geo-airport/_mapping")
    ((_, told),) = mapping.items()
    assert told["mappings"]["properties"]["location"] == {"type": "geo_point"}
    [entry] = [entry for entry in Airport.extensions() if entry.name == "geo"]
    assert (entry.state, entry.fidelity) == ("active", "native")
    assert "geo_distance" in str(Airport.where(location__near=(Point(0, 0), 5)).explain().request)
    assert "geohash" not in str(Airport.where(location__near=(Point(0, 0), 5)).explain().request)


@pytest.mark.parametrize("km", [0, 0.01, 50, 700, 9_000, 19_500, 25_000])
def test_near_finds_what_each_distance_says(backend: OpenSearchBackend, km: float) -> None:
    for place in PLACES[:: 3 if km > 700 else 1]:
        expected = by_hand(lambda point, place=place: place.distance_to(point) <= km)
        assert found(location__near=(place, km)) == expected, place


@pytest.mark.parametrize(
    "box",
    [
        BBox(-90, -180, 90, 180),
        BBox(-20, 170, 10, -170),
        BBox(0, 180, 0, 180),
        BBox(0, -180, 60, -120),
        BBox(45, 5, 56, 16),
        BBox(52.5, 13.4, 52.5, 13.4),
        BBox(80, -180, 90, 180),
        BBox(-5, 120, 5, 180),
    ],
)
def test_within_finds_what_a_box_holds(backend: OpenSearchBackend, box: BBox) -> None:
    assert found(location__within=box) == by_hand(box.contains)


def test_within_finds_what_a_polygon_holds(backend: OpenSearchBackend) -> None:
    triangle = Polygon([Point(40, -10), Point(60, 10), Point(38, 25)])
    expected = by_hand(triangle.contains)
    assert len(expected) > 20
    assert found(location__within=triangle) == expected


def test_places_go_with_all_that_a_filter_can(backend: OpenSearchBackend) -> None:
    near = Q(location__near=(Point(52.5, 13.4), 1))
    assert {row.icao for row in Airport.where(near | Q(icao="edge0"))} == {"edge0", "edge4", "edge5"}
    assert Airport.where(~near).count() == len(ROWS) + 1 - 2
    assert Airport.where(near, icao="edge5").one().location == EDGES[5]
    assert found(location=None) == {"nowhere"}
    assert found(location__lat=90) == {"edge0"}
    assert [row.icao for row in Airport.nearest(Point(52.5, 13.4), 100, 2)] == ["edge4", "edge5"]


def test_a_row_that_moves_is_found_where_it_is(backend: OpenSearchBackend) -> None:
    row = Airport.get("edge2")
    row.update(location=Point(10, 10))
    try:
        assert "edge2" in found(location__near=(Point(10, 10), 1))
        assert "edge2" not in found(location__near=(Point(0, 180), 1))
    finally:
        row.update(location=EDGES[2])
