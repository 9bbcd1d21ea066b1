"""`Geo` with other mixins, and models that can't be Geo."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import create_model

import mixstore
from mixstore import (
    BackendExtension,
    ConfigurationError,
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
from tests.extensions.places import BERLIN, LONDON, PARIS, at, by_cells
from tests.extensions.sealing import RING

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
    assert by_cells(Trip, Trip.where(goal__near=(PARIS, 1)))
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
