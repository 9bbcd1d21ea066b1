"""`Geo`: a row is found where it is, however it was written."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    ConflictError,
    Field,
    Model,
    QueryError,
)
from mixstore_extensions import (
    Geo,
    Point,
)
from tests.backends.shared.support import atomic, ids
from tests.extensions.places import BERLIN, LONDON, PARIS, POTSDAM, Shop, at


@pytest.fixture
def shops(use):
    return use(Shop)


# -- writes ------------------------------------------------------------------------------------------------


def test_a_row_is_found_where_it_is_however_it_was_written(shops):
    shop = shops.create(id="a", location=BERLIN)
    assert (shop.geohash, shop.geohash_wide) == ("u33dc", "u33")
    shop.location = PARIS
    shop.save()
    assert (at(shops, PARIS), at(shops, BERLIN)) == (["a"], [])
    shop.update(location=BERLIN)
    assert (at(shops, PARIS), at(shops, BERLIN)) == ([], ["a"])
    shops.upsert(id="a", location=PARIS)
    shops.batch_create([{"id": "b", "location": BERLIN}])
    shops.batch_upsert([{"id": "c", "location": BERLIN}])
    assert (at(shops, PARIS), at(shops, BERLIN)) == (["a"], ["b", "c"])
    assert shops.where(location__near=(BERLIN, 1)).update(location=PARIS) == 2
    assert (at(shops, PARIS), at(shops, BERLIN)) == (["a", "b", "c"], [])
    shops.where(id="b").update(location=None)
    assert shops.where(location__near=(PARIS, 1)).delete() == 2
    assert ids(shops.where()) == ["b"]
    assert shops.get("b").geohash == "-"


def test_an_instance_that_was_never_loaded_updates_its_cells(shops):
    shops.create(id="a", location=BERLIN)
    shop = Shop(id="a", location=PARIS)
    shops.where(id="a").update_one(shop, location=PARIS)
    assert at(shops, PARIS) == ["a"]


def test_cells_follow_the_place_whatever_they_are_set_to(shops):
    shop = shops.create(id="a", location=BERLIN, geohash="zzzzz", geohash_wide="zzz")
    assert at(shops, BERLIN) == ["a"]
    shop.update(geohash="zzzzz")
    shop.geohash_wide = None
    shop.save()
    assert shops.where().update(geohash=None, name="x") == 1
    assert at(shops, BERLIN) == ["a"]


def test_a_place_that_is_given_as_a_dict_has_cells(shops):
    shop = shops.create(id="a", location={"lat": BERLIN.lat, "lon": BERLIN.lon})
    assert at(shops, BERLIN) == ["a"]
    shop.update(location={"lat": PARIS.lat, "lon": PARIS.lon})
    assert at(shops, PARIS) == ["a"]
    with pytest.raises(ValueError, match="lat"):
        shop.update(location={"lat": 100, "lon": 0})
    assert at(shops, PARIS) == ["a"]


@atomic
def test_a_transaction_moves_a_row_or_does_not(shops, backend):
    shop = shops.create(id="a", location=BERLIN)
    with pytest.raises(ZeroDivisionError), backend.transaction():
        1 / len(shop.update(location=PARIS).name)
    assert (at(shops, PARIS), at(shops, BERLIN)) == ([], ["a"])
    shop = shops.get("a")
    with backend.transaction():
        shop.update(location=PARIS)
    assert (at(shops, PARIS), at(shops, BERLIN)) == (["a"], [])


def test_a_writer_that_stays_in_the_cell_does_not_lose_a_row_that_another_moved(shops):
    shops.create(id="a", location=BERLIN)
    mine, theirs = shops.get("a"), shops.get("a")
    theirs.update(location=PARIS)
    with pytest.raises(ConflictError, match="moved it in between"):
        mine.update(location=Point(52.5201, 13.4051))
    assert at(shops, PARIS) == ["a"]
    mine.update(location=LONDON)  # to other cells: the last writer wins
    assert at(shops, LONDON) == ["a"]


def test_a_move_from_zero_to_minus_zero_is_one(shops):
    shops.create(id="a", location=Point(0.0, 0.0))
    mine, theirs = shops.get("a"), shops.get("a")
    theirs.update(location=PARIS)
    with pytest.raises(ConflictError):
        mine.update(location=Point(-0.0, 0.0))
    assert at(shops, PARIS) == ["a"]


def test_a_writer_that_does_not_move_the_row_does_not_touch_its_cells(shops):
    shops.create(id="a", location=BERLIN)
    mine, theirs = shops.get("a"), shops.get("a")
    theirs.update(location=PARIS)
    mine.update(name="mine")
    assert (at(shops, PARIS), at(shops, BERLIN)) == (["a"], [])


async def test_nearest_comes_first(shops):
    shops.batch_create([{"id": "p", "location": PARIS}, {"id": "o", "location": POTSDAM, "name": "x"}, {"id": "n"}])
    shops.create(id="b", location=BERLIN)
    assert [one.id for one in shops.nearest(BERLIN, 2000)] == ["b", "o", "p"]
    assert [one.id for one in shops.nearest(PARIS, 2000, 2)] == ["p", "o"]
    assert [one.id for one in await shops.anearest(BERLIN, 2000, 1, name="x")] == ["o"]
    assert shops.nearest(BERLIN, 2000, 0) == []


# -- rows that were stored before ---------------------------------------------------------------------------


def old_rows(use: Any) -> Any:
    """A model that is Geo now, whose two rows were stored when it was not."""

    class Place(Model):
        id: str = Field(primary_key=True)
        location: Point | None = None
        name: str = ""

    use(Place)
    Place.batch_create([{"id": "b", "location": BERLIN}, {"id": "p", "location": PARIS}, {"id": "n"}])
    Place.bind(None)

    class Place(Geo, Model):  # type: ignore[no-redef]
        class Meta:
            scan = "allow"

        id: str = Field(primary_key=True)
        location: Point | None = None
        name: str = ""

    return use(Place)


async def test_rows_that_were_stored_before_there_were_cells_are_found(use):
    model = old_rows(use)
    model.create(id="c", location=BERLIN)
    assert at(model, BERLIN) == ["b", "c"]
    row = model.get("b")
    row.update(name="x")
    assert (row.geohash, at(model, BERLIN)) == (None, ["b", "c"])
    row.update(location=POTSDAM)
    assert (row.geohash is not None, at(model, POTSDAM), at(model, BERLIN)) == (True, ["b"], ["c"])
    assert model.rehash() == 2
    assert await model.arehash() == 0
    assert model.where(geohash=None).count() == 0
    assert {one.id: one.geohash_wide for one in model.all()} == {"b": "u33", "c": "u33", "n": "-", "p": "u09"}
    assert (at(model, BERLIN), at(model, PARIS)) == (["c"], ["p"])


def test_rehash_does_not_lose_a_row_that_was_moved_in_between(use):
    model = old_rows(use)
    late = model.get("b")
    model.get("b").update(location=PARIS)
    with pytest.raises(ConflictError):
        late.update(geohash="-")
    assert at(model, PARIS) == ["b", "p"]


def test_a_row_that_another_program_moved_is_mended_by_its_next_write(use):
    class Place(Model):
        id: str = Field(primary_key=True)
        location: Point
        geohash: str | None = Field(None, index=True)
        geohash_wide: str | None = Field(None, index=True)
        name: str = ""

    use(Place)
    Place.create(id="a", location=PARIS, geohash="u33dc", geohash_wide="u33")
    Place.bind(None)

    class Place(Geo, Model):  # type: ignore[no-redef]
        class Meta:
            scan = "allow"

        id: str = Field(primary_key=True)
        location: Point
        name: str = ""

    use(Place)
    assert at(Place, PARIS) == []
    Place.where(id="a").update(name="x")
    assert at(Place, PARIS) == ["a"]


@pytest.mark.parametrize("limit", [-1, "2", 1.5])
def test_a_limit_of_the_nearest_that_is_none_is_refused(shops, limit):
    with pytest.raises(QueryError, match="limit must"):
        shops.nearest(BERLIN, 5, limit)
