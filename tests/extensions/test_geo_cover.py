"""`Geo`: the index finds what `near` and `within` mean, no more and no less, however rows were written."""

from __future__ import annotations

import functools
import math
import random
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mixstore import (
    Field,
    Model,
    Q,
    QueryError,
    evaluate,
    schema_of,
)
from mixstore.lookups import parse
from mixstore.registry import current
from mixstore_extensions import BBox, Geo, Point, Polygon
from mixstore_extensions.geo.cells import cell, cover
from mixstore_extensions.geo.places import EARTH_RADIUS_KM, around
from tests.backends.shared.support import each_engine, examples, ids
from tests.extensions.places import BERLIN, PARIS, Shop, by_cells


@pytest.fixture
def shops(use):
    return use(Shop)


# -- cells -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (Point(57.64911, 10.40744), "u4pruydqqvj"),  # the example of geohash.org
        (Point(42.605, -5.603), "ezs42"),
        (Point(-25.382708, -49.265506), "6gkzwgjzn820"),
        (Point(90, 180), "zzzzz"),
        (Point(-90, -180), "00000"),
    ],
)
def test_a_cell_is_the_geohash_of_its_points(point, expected):
    assert cell(point, len(expected)) == expected
    assert cell(point, 3) == expected[:3]


edges = st.sampled_from([0.0, 45.0, 90.0, -90.0, 89.999999, -89.999999])
latitudes = st.floats(-90, 90) | edges
longitudes = st.floats(-180, 180) | st.sampled_from([0.0, 180.0, -180.0, 179.999999, -179.999999, 11.25])
points = st.builds(Point, lat=latitudes, lon=longitudes)
radii = st.floats(0, 25_000) | st.floats(0, 10) | st.sampled_from([0.0, 1e-6, math.pi * EARTH_RADIUS_KM])


def reached(start: Point, bearing: float, km: float) -> Point:
    """The place that one gets to from another, straight on."""
    lat, lon, angle = math.radians(start.lat), math.radians(start.lon), km / EARTH_RADIUS_KM
    sine = math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * math.cos(bearing)
    east = math.sin(bearing) * math.sin(angle) * math.cos(lat)
    turned = math.degrees(lon + math.atan2(east, math.cos(angle) - math.sin(lat) * sine))
    return Point(math.degrees(math.asin(max(-1, min(1, sine)))), max(-180, min(180, (turned + 180) % 360 - 180)))


@examples(400)
@given(points, radii, st.floats(0, 7) | st.sampled_from([math.pi / 2, -math.pi / 2]), st.floats(0, 1) | st.just(1.0))
@example(Point(89.99, 0), 5.0, math.pi / 2, 1.0)
@example(Point(0, 180), 1.0, math.pi / 2, 0.5)
def test_the_cells_of_a_circle_hold_all_its_points(center, km, bearing, part):
    found = reached(center, bearing, km * part)
    assume(center.distance_to(found) <= km)
    for length in (1, 2, 3, 5):
        cells = cover(around(center, km), length, 3000)
        if cells is not None:
            assert len(set(cells)) == len(cells)
            assert cell(found, length) in cells
            assert cell(center, length) in cells


@examples(300)
@given(points, points, points)
@example(Point(0, 170), Point(1, 180), Point(0, -180))
def test_the_cells_of_a_box_hold_all_its_points(one, other, found):
    box = BBox(min(one.lat, other.lat), one.lon, max(one.lat, other.lat), other.lon)
    corners = (Point(box.south, box.west), Point(box.north, box.east))
    for length in (1, 2, 3, 5):
        cells = cover(box.span(), length, 3000)
        if cells is not None:
            assert len(set(cells)) == len(cells)
            for point in (*corners, found):
                assert cell(point, length) in cells or not box.contains(point)


# -- answers -----------------------------------------------------------------------------------------------


def sample(seed: int, count: int) -> list[Point]:
    """Places all over the Earth, many of them near to each other, to the poles and to the antimeridian."""
    rand = random.Random(seed)
    made = []
    while len(made) < count:
        lat = rand.choice([rand.uniform(-90, 90), rand.uniform(52, 53), rand.choice([90, -90, 89.9, -89.9, 0])])
        lon = rand.choice([rand.uniform(-180, 180), rand.uniform(13, 14), rand.choice([180, -180, 179.9, -179.9])])
        made.append(Point(lat, lon))
    return made


def questions(seed: int, places: list[Point]) -> list[Q]:
    rand = random.Random(seed)
    asked: list[Any] = []
    for _ in range(40):
        center, other = rand.choice(places), rand.choice(places)
        south, north = sorted((center.lat, other.lat))
        asked += [
            Q(location__near=(center, rand.choice([0, 10 ** rand.uniform(-2, 4.5)]))),
            Q(location__near=(center, center.distance_to(other))),
            Q(location__within=BBox(south, center.lon, north, other.lon)),
        ]
        if abs(center.lon) < 179 and abs(center.lat) < 89:
            lat, lon, far = center.lat, center.lon, rand.uniform(0.01, 0.9)
            asked.append(Q(location__within=Polygon([center, Point(lat + far, lon), Point(lat, lon + far)])))
    return asked


@each_engine
def test_with_the_index_the_answer_is_what_it_is_without(shops):
    places = sample(1, 600)
    shops.batch_create([{"id": str(n), "location": place} for n, place in enumerate(places)])
    shops.create(id="nowhere")
    rows = shops.all()
    by_index = 0
    for question in questions(2, places):
        (name, operand), *_ = question.lookups
        resolved = parse(schema_of(shops), name, operand, current().lookups)
        expected = sorted(row.id for row in rows if evaluate(resolved, dict(row)))
        assert ids(shops.where(question)) == expected, question
        assert shops.where(question).count() == len(expected)
        by_index += by_cells(shops, shops.where(question))
    assert by_index > 40


def test_explain_shows_the_cells(shops):
    told = shops.where(location__near=(BERLIN, 1)).explain()
    assert "geohash" in told.index
    assert "geohash IN (None, 'u33d" in told.pushed
    assert "location NEAR (Point(lat=52.52, lon=13.405), 1.0)" in f"{told.pushed} {told.residual}"
    assert "geohash_wide" in str(shops.where(location__near=(BERLIN, 300)).explain().index)


@pytest.mark.parametrize(
    "question",
    [
        {"location__near": (BERLIN, 15_000)},
        {"location__within": BBox(-90, -180, 90, 180)},
    ],
)
def test_a_question_of_half_the_earth_is_asked_without_cells(shops, question):
    told = shops.where(**question).explain()
    assert "geohash" not in f"{told.pushed} {told.residual} {told.index}"


@pytest.mark.parametrize("question", [{"location__near": (PARIS, 15_000)}, {"location__near": (PARIS, 20_100)}])
def test_a_question_without_cells_has_the_same_answer(shops, question):
    shops.batch_create([{"id": "b", "location": BERLIN}, {"id": "p", "location": PARIS}, {"id": "n"}])
    assert ids(shops.where(**question)) == ["b", "p"]


def test_other_forms_of_a_question_are_asked_without_cells_and_answered(shops):
    shops.batch_create([{"id": "b", "location": BERLIN}, {"id": "p", "location": PARIS}, {"id": "n"}])
    near = Q(location__near=(BERLIN, 5))
    assert ids(shops.where(~near)) == ["n", "p"]
    assert ids(shops.where(near | Q(id="n"))) == ["b", "n"]
    told = shops.where(~near).explain()
    assert "geohash" not in f"{told.pushed} {told.residual} {told.index}"


def test_a_scan_that_is_forbidden_is_none_by_cells(use):
    class Strict(Geo, Model):
        class Meta:
            scan = "forbid"

        id: str = Field(primary_key=True)
        location: Point

    use(Strict)
    Strict.create(id="b", location=BERLIN)
    assert Strict.where(location__near=(BERLIN, 5)).count() == 1
    with pytest.raises(QueryError, match="reads the whole table"):
        Strict.where(location__near=(BERLIN, 15_000)).count()


@functools.cache
def airports() -> list[dict[str, Any]]:
    data = pytest.importorskip("airportsdata").load("ICAO")
    return [{"id": code, "location": Point(one["lat"], one["lon"])} for code, one in data.items()]


@each_engine
def test_the_airports_of_the_world_are_found_by_index(shops):
    rows = airports()
    shops.batch_create(rows)
    asked = {
        "location__near": [(BERLIN, 40), (BERLIN, 400), (Point(-17.7, 179.9), 700), (Point(65, -169), 600)],
        "location__within": [
            BBox(47.2, 5.8, 55.1, 15.1),
            BBox(-20, 176, -15, -178),
            Polygon([Point(47, 6), Point(47, 14), Point(55, 14), Point(54, 8)]),
        ],
    }
    for lookup, operands in asked.items():
        for operand in operands:
            shape = operand if lookup == "location__within" else None
            expected = sorted(
                row["id"]
                for row in rows
                if (shape.contains(row["location"]) if shape else operand[0].distance_to(row["location"]) <= operand[1])
            )
            found = shops.where(**{lookup: operand})
            assert ids(found) == expected
            assert expected
            assert by_cells(shops, found)
    by_distance = sorted(rows, key=lambda row: BERLIN.distance_to(row["location"]))
    assert [one.id for one in shops.nearest(BERLIN, 100, 5)] == [row["id"] for row in by_distance[:5]]
