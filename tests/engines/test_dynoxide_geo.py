"""`Geo` by ranges of cells at a real engine: what it finds is what looking at each row finds."""

from __future__ import annotations

import pytest

from mixstore import ConfigurationError, Field, Model
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_extensions import Geo, Point
from tests.engines.on_dynoxide import Dynoxide
from tests.extensions import test_geo_cover as cover
from tests.extensions.places import BERLIN, Shop

pytestmark = pytest.mark.usefixtures("dynoxide")


@pytest.fixture
def shops():
    with Dynoxide() as backend:
        Shop.bind(backend)
        backend.initialize(Shop)
        yield Shop
        Shop.bind(None)


def test_the_airports_of_the_world_are_found_by_index(shops):
    cover.test_the_airports_of_the_world_are_found_by_index(shops)


def test_with_the_index_the_answer_is_what_it_is_without(shops):
    cover.test_with_the_index_the_answer_is_what_it_is_without(shops)


class Before(Model):
    class Meta:
        entity = "Cafe"

    id: str = Field(primary_key=True)
    location: Point


class Cafe(Geo, Model):
    class Meta:
        scan = "forbid"

    id: str = Field(primary_key=True)
    location: Point


def test_a_model_that_becomes_geo_asks_for_its_index_and_finds_its_rows_when_it_is_made(tables):
    program = tables()
    program.initialize(Before)
    program.create(Before, {"id": "a", "location": BERLIN})
    later = DynamoDBBackend(program.table_name, client=program._client)
    near = later.query(Cafe).filter(location__near=(BERLIN, 1))
    with pytest.raises(ConfigurationError, match=r"(?s)geo-Cafe.*initialize\(\)"):
        near.all()
    later.initialize(Cafe)
    assert [row.id for row in near] == ["a"]
    later.initialize(Shop)
    assert later.drift(Cafe, Shop) == []
