"""Points, boxes and polygons, and what `near` and `within` find: without an index, on every backend."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixstore
from mixstore import Field, Model, Q, QueryError
from mixstore_extensions import BBox, Point, Polygon
from mixstore_extensions.geo import EARTH_RADIUS_KM
from tests.backends.shared.support import examples, ids
from tests.extensions.places import BERLIN, PARIS, POTSDAM

SUVA, APIA = Point(-18.14, 178.44), Point(-13.83, -171.77)
latitudes = st.floats(-90, 90) | st.sampled_from([90.0, -90.0, 0.0])
longitudes = st.floats(-180, 180) | st.sampled_from([180.0, -180.0, 0.0])
points = st.builds(Point, lat=latitudes, lon=longitudes)


class Home(pydantic.BaseModel):
    name: str = ""
    place: Point | None = None


class Town(Model):
    id: str = Field(primary_key=True)
    location: Point | None = None
    home: Home = Home()
    road: list[Point] = []
    name: str = ""


@pytest.fixture
def towns(use):
    use(Town)
    Town.create(id="berlin", location=BERLIN, home=Home(place=POTSDAM))
    Town.create(id="potsdam", location=POTSDAM)
    Town.create(id="paris", location=PARIS)
    Town.create(id="suva", location=SUVA)
    Town.create(id="nowhere")
    return Town


# -- points ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lat", "lon"),
    [(90.01, 0), (-91, 0), (0, 180.5), (0, -181), (math.nan, 0), (0, math.nan), (math.inf, 0), ("x", 0), (None, 0)],
)
def test_a_point_that_is_not_on_the_earth_is_refused(lat, lon):
    with pytest.raises(ValueError):
        Point(lat, lon)


def test_a_point_never_changes_and_can_be_compared_copied_and_pickled():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        BERLIN.lat = 1.0
    assert len({BERLIN, Point(52.52, 13.405), PARIS}) == 2
    assert copy.deepcopy(BERLIN) == pickle.loads(pickle.dumps(BERLIN)) == BERLIN  # noqa: S301 - what was just made
    assert Point.model_validate({"lat": 1, "lon": 2}) == Point(1, 2) == Point(lat=1, lon=2)
    with pytest.raises(pydantic.ValidationError, match="Extra"):
        Point.model_validate({"lat": 1, "lon": 2, "height": 3})
    with pytest.raises(pydantic.ValidationError, match="Field required"):
        Point.model_validate({"lat": 1})
    with pytest.raises(TypeError, match="not 3 coordinates"):
        Point(1, 2, 3)


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (BERLIN, BERLIN, 0),
        (Point(0, 0), Point(0, 90), EARTH_RADIUS_KM * math.pi / 2),
        (Point(90, 10), Point(-90, 70), EARTH_RADIUS_KM * math.pi),
        (Point(0, 0), Point(0, 180), EARTH_RADIUS_KM * math.pi),
        (Point(5, 180), Point(5, -180), 0),
        (Point(0, 179.5), Point(0, -179.5), EARTH_RADIUS_KM * math.pi / 180),
        (Point(36.12, -86.67), Point(33.94, -118.40), 2886.448),  # the example of rosettacode.org, for this radius
    ],
)
def test_the_distance_of_two_points_is_that_along_the_great_circle(one, other, km):
    assert one.distance_to(other) == pytest.approx(km, abs=1e-3)
    assert other.distance_to(one) == one.distance_to(other)


def test_points_come_back_the_same(use):
    use(Town)

    @examples(30)
    @given(place=points)
    def come_back(place):
        made = Town.upsert(id="x", location=place, home=Home(place=place), road=[place, BERLIN])
        assert Town.get("x") == made
        assert (made.location, made.home.place, made.road) == (place, place, [place, BERLIN])

    come_back()


def test_a_point_that_a_model_gets_as_a_dict_becomes_one(use):
    use(Town)
    assert Town.create(id="x", location={"lat": 1, "lon": 2}).location == Point(1, 2)
    with pytest.raises(mixstore.ValidationError, match=r"location\.lat"):
        Town.create(id="y", location={"lat": 100, "lon": 2})


# -- shapes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0, 5, 1), "south=10.0 is north of north=5.0"),
        ((-91, 0, 5, 1), r"BBox\.south must be a number from -90 to 90, not -91"),
        ((0, 0, 5, 181), r"BBox\.east"),
        ((0, math.nan, 5, 1), r"BBox\.west"),
        (("a", 0, 5, 1), r"BBox\.south"),
        ((True, 0, 5, 1), r"BBox\.south"),
    ],
)
def test_a_box_that_is_none_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        BBox(*arguments)


def test_a_box_holds_its_edges_and_may_cross_the_antimeridian():
    box = BBox(-20, 170, -10, -170)
    assert all(map(box.contains, (SUVA, APIA, Point(-20, 170), Point(-10, -170), Point(-15, 180), Point(-15, -180))))
    assert not any(map(box.contains, (BERLIN, Point(-15, 169.9), Point(-15, -169.9), Point(-9, 180))))
    assert BBox(0, 170, 1, 180).contains(Point(0, -180))
    assert BBox(0, -180, 1, -170).contains(Point(1, 180))
    assert BBox(1, 1, 1, 1).contains(Point(1, 1))


SQUARE = (Point(0, 0), Point(0, 10), Point(10, 10), Point(10, 0))
HOLE = (Point(4, 4), Point(4, 6), Point(6, 6), Point(6, 4))


def test_a_polygon_holds_its_edges_but_not_its_holes():
    area = Polygon(SQUARE, holes=[HOLE])
    assert all(map(area.contains, (*SQUARE, *HOLE, Point(0, 5), Point(5, 4), Point(1, 1))))
    assert not any(map(area.contains, (Point(5, 5), Point(-0.0001, 5), Point(11, 5), Point(5, -170))))
    assert area == Polygon([*SQUARE, SQUARE[0]], holes=[[*HOLE]])
    assert hash(area) == hash(Polygon(SQUARE, [HOLE]))
    assert area != Polygon(SQUARE)
    assert copy.deepcopy(area).contains(Point(1, 1))


@pytest.mark.parametrize("turn", [False, True])
def test_an_edge_of_a_polygon_takes_the_shorter_way_across_the_antimeridian(turn):
    corners = (Point(-20, 170), Point(-20, -170), Point(-10, -170), Point(-10, 170))
    hole = (Point(-16, -176), Point(-16, -174), Point(-14, -174), Point(-14, -176))
    area = Polygon((*corners[2:], *corners[:2]) if turn else corners, [hole])
    assert all(map(area.contains, (SUVA, APIA, Point(-15, 180), Point(-15, -180), *corners, *hole)))
    assert not any(map(area.contains, (Point(-15, 0), Point(-15, -175), Point(-15, 169), Point(-15, -169))))


@pytest.mark.parametrize(
    ("corners", "holes", "message"),
    [
        (SQUARE[:2], (), "2 corners make no area"),
        ((*SQUARE[:1], *SQUARE[:1]), (), "1 corners"),
        ((Point(0, 0), Point(1, 1), Point(2, 2)), (), "Polygon: "),
        ((Point(0, 0), Point(10, 10), Point(10, 0), Point(0, 10)), (), "Self-intersection"),
        (SQUARE, [[Point(20, 20), Point(20, 21), Point(21, 20)]], "outside"),
        ([Point(80, -120), Point(80, 0), Point(80, 120)], (), "round a pole"),
        ([Point(0, -90), Point(0, 90), Point(10, 90)], (), "both ways from"),
        ([(0, 0), (0, 1), (1, 1)], (), "corners are Points"),
    ],
)
def test_a_polygon_that_is_none_is_refused(corners, holes, message):
    with pytest.raises(ValueError, match=message):
        Polygon(corners, holes)


def test_without_shapely_everything_but_a_polygon_works():
    code = """
import sys
sys.modules["shapely"] = None
import mixstore
from mixstore import ConfigurationError, Field, Model
from mixstore_extensions import BBox, Geo, Point, Polygon

class Shop(Geo, Model):
    id: str = Field(primary_key=True)
    location: Point

Shop.bind(mixstore.connect("memory://"))
Shop.create(id="x", location=Point(1, 1))
print(Shop.where(location__near=(Point(1, 1), 1)).count(), Shop.where(location__within=BBox(0, 0, 2, 2)).count())
try:
    Polygon([Point(0, 0), Point(0, 1), Point(1, 1)])
except ConfigurationError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[0] == "1 1"
    assert "shapely" in told
    assert "pip install 'mixstore[geo]'" in told


# -- lookups -----------------------------------------------------------------------------------------------


def test_near_and_within_find_what_is_there(towns):
    assert ids(towns.where(location__near=(BERLIN, 30))) == ["berlin", "potsdam"]
    assert ids(towns.where(location__near=[BERLIN, 0])) == ["berlin"]
    assert ids(towns.where(location__within=BBox(45, 0, 55, 20))) == ["berlin", "paris", "potsdam"]
    assert ids(towns.where(location__within=BBox(-30, 170, 0, -170))) == ["suva"]
    triangle = Polygon([Point(52, 13), Point(53, 13), Point(52.5, 14)])
    assert ids(towns.where(location__within=triangle)) == ["berlin", "potsdam"]


def test_a_point_inside_of_a_nested_model_can_be_asked_for_too(towns):
    assert ids(towns.where(home__place__near=(POTSDAM, 1))) == ["berlin"]
    assert ids(towns.where(location__lat__gt=50)) == ["berlin", "potsdam"]


def test_a_row_without_a_place_is_not_near_even_half_round_the_earth(towns):
    everywhere = Q(location__near=(PARIS, 30_000))
    assert ids(towns.where(everywhere)) == ["berlin", "paris", "potsdam", "suva"]
    assert ids(towns.where(~everywhere)) == ["nowhere"]


def test_near_is_part_of_two_valued_logic(towns):
    near = Q(location__near=(BERLIN, 30))
    assert ids(towns.where(~near)) == ["nowhere", "paris", "suva"]
    assert ids(towns.where(near | Q(id="suva"))) == ["berlin", "potsdam", "suva"]
    assert ids(towns.where(near).not_(id="berlin")) == ["potsdam"]
    assert ids(towns.where(near).or_(location__within=BBox(40, 0, 50, 5))) == ["berlin", "paris", "potsdam"]
    assert ids(towns.where(near, location__within=BBox(52.5, 0, 60, 20))) == ["berlin"]


@pytest.mark.parametrize(
    ("lookup", "operand", "takes"),
    [
        ("near", BERLIN, r"it takes \(Point, kilometres\)"),
        ("near", (BERLIN,), r"it takes \(Point, kilometres\)"),
        ("near", ((52, 13), 5), r"it takes \(Point, kilometres\)"),
        ("near", None, r"it takes \(Point, kilometres\)"),
        ("near", (BERLIN, -1), "kilometres must be a number from 0"),
        ("near", (BERLIN, "5"), "kilometres must be a number"),
        ("near", (BERLIN, True), "kilometres must be a number"),
        ("near", (BERLIN, math.nan), "kilometres must be a number"),
        ("near", (BERLIN, math.inf), "kilometres must be finite"),
        ("within", BERLIN, "it takes a BBox or a Polygon"),
        ("within", (1, 2, 3, 4), "it takes a BBox or a Polygon"),
        ("within", None, "it takes a BBox or a Polygon"),
    ],
)
def test_a_wrong_operand_is_an_error_that_says_what_the_lookup_takes(towns, lookup, operand, takes):
    with pytest.raises(QueryError, match=rf"Town\.location is Point \| None: {lookup} can't take .*: {takes}"):
        towns.where(**{f"location__{lookup}": operand})


@pytest.mark.parametrize("field", ["name", "id", "home", "road"])
def test_a_field_that_is_no_point_has_no_such_lookup(towns, field):
    with pytest.raises(QueryError, match=rf"Town\.{field} .* has no .*'near'"):
        towns.where(**{f"{field}__near": (BERLIN, 5)})


def test_a_mistyped_lookup_is_told_the_nearest(towns):
    with pytest.raises(QueryError, match="did you mean 'near'"):
        towns.where(location__nearr=(BERLIN, 5))


def test_a_page_of_what_is_near_goes_on_where_it_ended(towns):
    question = towns.where(location__near=(BERLIN, 2000)).order_by("-id").limit(2)
    page = question.paginate()
    assert [one.id for one in page] == ["potsdam", "paris"]
    rest = question.cursor(page.cursor).paginate()
    assert ([one.id for one in rest], rest.cursor) == (["berlin"], None)
