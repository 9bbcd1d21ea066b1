"""The ranges of cells that an index is asked for: every point of a span lies in one of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixstore.keyranges import KeyCondition
from mixstore_extensions import Point
from mixstore_extensions.geo.cells import cell, cover, runs
from mixstore_extensions.geo.dynamodb import MOST_PARTITIONS, MOST_RANGES, RANGES, key, ranges
from mixstore_extensions.geo.places import BBox, Span, around
from tests.backends.shared.support import examples

lats, lons = st.floats(-90, 90), st.floats(-180, 180)
shares = st.floats(0, 1)


def asked(span: Span) -> list[KeyCondition]:
    found = ranges(span)
    assert found is not None
    return found


@examples(300)
@example(89.99, 10.0, 20.0, 1.0, 1.0)
@example(0.0, 180.0, 300.0, 0.0, 1.0)
@given(lats, lons, st.floats(0, 400), shares, shares)
def test_every_point_of_a_span_lies_in_one_range(lat: float, lon: float, km: float, north: float, east: float) -> None:
    span = around(Point(lat, lon), km)
    conditions = ranges(span)
    if conditions is None:  # near a pole, all longitudes are
        assert cover(span, 3, MOST_PARTITIONS) is None
        return
    inside = span.west + (span.east - span.west) * east
    point = Point(min(90.0, max(-90.0, span.south + (span.north - span.south) * north)), (inside + 180) % 360 - 180)
    assert sum(one.admits(*key(point)) for one in conditions) == 1


@examples(200)
@given(lats, lons, st.floats(0, 700))
def test_ranges_are_few_and_each_lies_in_one_partition(lat: float, lon: float, km: float) -> None:
    found = ranges(around(Point(lat, lon), km))
    if found is not None:
        assert 1 <= len(found) <= max(MOST_RANGES, len({one.partition for one in found}))
        assert all(one.low is None or one.low.startswith(one.partition) for one in found)


@pytest.mark.parametrize("km", [0.01, 0.1, 1, 5, 20, 50])
def test_a_question_reads_little_more_than_what_it_is_about(km: float) -> None:
    rand = random.Random(1)
    around_it = around(Point(52.52, 13.405), km * 10)
    places = [
        Point(rand.uniform(around_it.south, around_it.north), rand.uniform(around_it.west, around_it.east))
        for _ in range(2000)
    ]
    found = asked(around(Point(52.52, 13.405), km))
    read = sum(any(one.admits(*key(place)) for one in found) for place in places)
    assert len(found) <= MOST_RANGES
    assert read < 2000 * 0.06  # the box around the circle is 0.01 of it


def test_a_large_question_asks_for_whole_partitions_and_half_the_earth_for_none() -> None:
    assert all(one.low is None for one in asked(around(Point(0, 0), 700)))
    assert ranges(around(Point(0, 0), 5000)) is None
    assert ranges(BBox(-90, -180, 90, 180).span()) is None


def test_cells_that_follow_each_other_are_one_run() -> None:
    assert runs(["u33d", "u33b", "u33c", "u33z", "u340"]) == [("u33b", "u33d"), ("u33z", "u340")]


@pytest.mark.parametrize("operand", [(Point(52.5, 13.4), 5), (Point(90, 0), 1)])
def test_a_place_is_in_the_range_of_a_question_about_it(operand: tuple[Point, float]) -> None:
    found = RANGES["near"](operand)
    assert found is None or any(one.admits(*key(operand[0])) for one in found)
    assert key(operand[0])[1] == cell(operand[0], 9)
