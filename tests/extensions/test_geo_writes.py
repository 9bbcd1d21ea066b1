"""`Geo`: a row is found where it is, however it was written, and whatever else its model does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import create_model

import mixstore
from mixstore import (
    BackendExtension,
    ConfigurationError,
    ConflictError,
    Declaration,
    Field,
    Mixin,
    Model,
    SchemaError,
    VersionConflictError,
    WriteChange,
)
from mixstore_extensions import (
    TTL,
    BBox,
    Compressed,
    Counters,
    Encrypted,
    Geo,
    History,
    Point,
    SoftDelete,
    Tenant,
    Timestamps,
    Versioned,
    tenant,
)
from mixstore_extensions.geo.cells import cell
from mixstore_extensions.geo.mixin import LENGTHS
from tests.backends.shared.support import atomic, ids
from tests.extensions.sealing import RING

BERLIN, POTSDAM, PARIS = Point(52.52, 13.405), Point(52.4, 13.06), Point(48.8566, 2.3522)
LONDON = Point(51.5, -0.12)


class Shop(Geo, Model):
    class Meta:
        scan = "allow"

    id: str = Field(primary_key=True)
    location: Point | None = None
    name: str = ""


@pytest.fixture
def shops(use):
    return use(Shop)


# -- writes ------------------------------------------------------------------------------------------------


def at(model: Any, place: Point) -> list[str]:
    """Who is found there, by cells."""
    found = model.where(location__near=(place, 1))
    assert "geohash" in found.explain().index
    return ids(found)


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


# -- with other mixins ---------------------------------------------------------------------------------------


class Everything(TTL, Versioned, Timestamps, History, SoftDelete, Tenant, Counters, Compressed, Geo, Encrypted, Model):
    class Meta:
        encryption = RING
        scan = "allow"

    id: str = Field(primary_key=True)
    location: Point | None = Field(None)
    secret: str = Field("", encrypted=True)
    body: str = Field("", compressed=True)
    visits: int = 0


@atomic
def test_a_row_of_all_mixins_is_found_where_it_is(use, clock):
    model = use(Everything)
    with tenant("acme"):
        made = model.create(id="a", location=BERLIN, secret="s", body="b" * 5000, expires_in=timedelta(hours=1))
        assert model.get("a") == made
        stale = model.get("a")
        made.update(location=PARIS)
        with pytest.raises(VersionConflictError):
            stale.update(location=LONDON)
        assert (at(model, PARIS), at(model, BERLIN)) == (["a"], [])
        made.increment("visits")
        model.get("a").revert(1)
        assert (at(model, PARIS), at(model, BERLIN)) == ([], ["a"])
        assert model.get("a").geohash == made.history("a")[-1].values["geohash"]
        model.get("a").delete()
        assert at(model, BERLIN) == []
        assert ids(model.include_deleted().filter(location__near=(BERLIN, 1))) == ["a"]
        model.include_deleted().one().restore()
        assert at(model, BERLIN) == ["a"]
    with tenant("other"):
        assert at(model, BERLIN) == []
    clock.forward(hours=2)
    with tenant("acme"):
        assert at(model, BERLIN) == []


@atomic
def test_a_revert_moves_a_row_back_and_its_cells_with_it(use):
    class Doc(History, Geo, Model):
        class Meta:
            scan = "allow"

        id: str = Field(primary_key=True)
        location: Point | None = None

    doc = use(Doc).create(id="a", location=BERLIN)
    doc.update(location=PARIS)
    doc.update(location=None)
    doc.revert(2)
    assert (at(Doc, PARIS), at(Doc, BERLIN)) == (["a"], [])
    doc.revert(1)
    assert (at(Doc, PARIS), at(Doc, BERLIN)) == ([], ["a"])


def test_adding_to_a_number_saves_no_place(use):
    class Visited(Counters, Geo, Model):
        class Meta:
            scan = "allow"

        id: str = Field(primary_key=True)
        location: Point
        visits: int = 0

    shop = use(Visited).create(id="a", location=BERLIN)
    shop.location = PARIS  # not saved
    shop.increment("visits")
    assert (at(Visited, BERLIN), at(Visited, PARIS)) == (["a"], [])
    shop.save()
    assert (at(Visited, BERLIN), at(Visited, PARIS)) == ([], ["a"])


def test_a_compressed_place_is_found_by_its_cells(use):
    class Packed(Compressed, Geo, Model):
        class Meta:
            scan = "allow"

        id: str = Field(primary_key=True)
        location: Point = Field(compressed=True)

    use(Packed).create(id="a", location=BERLIN)
    assert at(Packed, BERLIN) == ["a"]
    assert ids(Packed.where(location__within=BBox(0, 0, 60, 60))) == ["a"]


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


# -- models that can't be Geo ------------------------------------------------------------------------------


def test_the_field_is_the_only_point_or_the_one_that_meta_names(use):
    class Trip(Geo, Model):
        class Meta:
            geo = "goal"
            scan = "allow"

        id: str = Field(primary_key=True)
        start: Point
        goal: Point

    use(Trip)
    Trip.create(id="t", start=BERLIN, goal=PARIS)
    assert "geohash" in Trip.where(goal__near=(PARIS, 1)).explain().index
    assert ids(Trip.where(goal__near=(PARIS, 1), start__near=(BERLIN, 1))) == ["t"]
    told = Trip.where(start__near=(BERLIN, 1)).explain()
    assert "geohash" not in f"{told.pushed} {told.residual} {told.index}"


@pytest.mark.parametrize(
    ("fields", "geo", "message"),
    [
        ({"name": str}, None, "is Geo and has no Point"),
        ({"one": Point, "two": Point}, None, r"several Points \(one, two\)"),
        ({"one": Point, "two": Point}, "three", "'three'"),
        ({"one": Point, "name": str}, "name", "is str and no Point"),
        ({"one": list[Point]}, None, "is Geo and has no Point"),
    ],
)
def test_a_model_without_one_place_is_refused_when_it_is_bound(use, fields, geo, message):
    class Base(Geo, Model):
        class Meta:
            abstract = True

    class Named(Base):
        class Meta:
            abstract = True
            geo = "three"

    class Other(Base):
        class Meta:
            abstract = True
            geo = "name"

    told = {name: (annotation, ...) for name, annotation in fields.items()}
    model = create_model(
        "Wrong", __base__={None: Base, "three": Named, "name": Other}[geo], id=(str, Field(primary_key=True)), **told
    )
    with pytest.raises(SchemaError, match=message):
        use(model)


def test_an_encrypted_place_is_refused_when_the_model_is_bound(use):
    class Secret(Encrypted, Geo, Model):
        class Meta:
            encryption = RING

        id: str = Field(primary_key=True)
        location: Point = Field(encrypted=True)

    with pytest.raises(SchemaError, match=r"Secret\.location is encrypted, and Geo would store beside it where it is"):
        use(Secret)


def test_geo_can_not_be_switched_off_in_the_config():

    with mixstore.registry():

        class Off(Geo, Model):
            id: str = Field(primary_key=True)
            location: Point

        mixstore.configure(backends={"default": {"url": "memory://", "extensions": {"disable": ["geo"]}}})
        with pytest.raises(ConfigurationError, match="switches geo off"):
            Off.count()


def test_an_extension_that_moves_the_row_after_its_cells_were_found_is_an_error(use):
    class Moving(Mixin):
        Declares = Declaration()

        class Mover(BackendExtension):
            after = ("geo",)

            def before_write(self, context):
                return WriteChange({"location": PARIS})

    class Moved(Moving, Geo, Model):
        id: str = Field(primary_key=True)
        location: Point

    use(Moved)
    with pytest.raises(ValueError, match="location was changed after its cells were found"):
        Moved.create(id="a", location=BERLIN)
    assert Moved.create(id="b", location=PARIS).geohash == cell(PARIS, LENGTHS["geohash"])
