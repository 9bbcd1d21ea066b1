"""`Geo` on DynamoDB: an index that the extension declares, filled before it is there, and asked for ranges."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import GSI, ConfigurationError, Field, Model, SchemaError
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_extensions import BBox, Geo, Point, SoftDelete

BERLIN, POTSDAM, PARIS = Point(52.52, 13.405), Point(52.4, 13.06), Point(48.8566, 2.3522)


class Shop(Geo, Model):
    class Meta:
        scan = "forbid"

    id: str = Field(primary_key=True)
    location: Point | None = None
    name: str = ""


@pytest.fixture
def before(store, dynamodb_client):
    """`before(ids, entity)`: a program stores rows at BERLIN in the table of `store`, when its model is not `Geo`."""

    def write(ids: str, entity: str = "Shop") -> None:
        class Before(Model):
            class Meta:
                pass

            id: str = Field(primary_key=True)
            location: Point | None = None
            name: str = ""

        Before.__mixstore_definition__.meta.update(entity=entity)
        program = DynamoDBBackend(store.table_name, client=dynamodb_client)
        program.initialize(Before)
        for one in ids:
            program.create(Before, {"id": one, "location": BERLIN})

    return write


def near(model: Any, place: Point, km: float = 5) -> list[str]:
    return sorted(one.id for one in model.where(location__near=(place, km)))


def test_a_question_is_a_query_of_a_few_ranges(use):
    use(Shop)
    told = Shop.where(location__near=(BERLIN, 5)).explain()
    assert (told.operation, told.index) == ("Query", "geo-Shop")
    assert 1 <= len(told.request) <= 8
    assert all("BETWEEN" in one["KeyConditionExpression"] for one in told.request)
    assert any(value == {"S": "SHOP#GEO#u33"} for value in told.request[0]["ExpressionAttributeValues"].values())
    [entry] = [entry for entry in Shop.extensions() if entry.name == "geo"]
    assert (entry.state, entry.fidelity) == ("active", "native")


def test_a_row_is_where_its_place_is_however_it_was_written(use, store):
    use(Shop)
    shop = Shop.create(id="a", location=BERLIN)
    Shop.batch_upsert([{"id": "b", "location": BERLIN}, {"id": "c"}])
    assert near(Shop, BERLIN) == ["a", "b"]
    shop.location = PARIS
    shop.save()
    Shop.where(id="b").update(location=POTSDAM)
    Shop.upsert(id="c", location=POTSDAM)
    assert (near(Shop, BERLIN), near(Shop, POTSDAM), near(Shop, PARIS)) == ([], ["b", "c"], ["a"])
    Shop.get("b").update(location=None)
    Shop.get("c").delete()
    assert near(Shop, POTSDAM) == []
    with store.transaction():
        Shop.create(id="d", location=BERLIN)
        assert near(Shop, BERLIN) == []
    assert near(Shop, BERLIN) == ["d"]


def test_rows_from_before_are_in_the_index_when_it_is_there(use, store, before):
    before("abcdefgh")
    Shop.bind(store)
    with pytest.raises(ConfigurationError, match="initialize"):
        near(Shop, BERLIN)
    use(Shop)
    assert near(Shop, BERLIN) == list("abcdefgh")


def test_an_index_that_is_there_has_all_rows_even_if_initialize_was_stopped(use, before, dynamodb_client, monkeypatch):
    before("abc")
    monkeypatch.setattr(dynamodb_client, "update_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        use(Shop)
    before("d")  # a program of before, which goes on
    monkeypatch.undo()
    use(Shop)
    assert near(Shop, BERLIN) == list("abcd")


def interrupted(**request: Any) -> Any:
    raise KeyboardInterrupt


def test_a_second_model_of_the_table_has_an_index_of_its_own(use, before, dynamodb_client, store):
    before("c", "Cafe")
    use(Shop)
    Shop.create(id="s", location=BERLIN)

    class Cafe(Geo, Model):
        class Meta:
            scan = "forbid"

        id: str = Field(primary_key=True)
        location: Point | None = None

    use(Cafe)
    assert near(Cafe, BERLIN) == ["c"]
    assert near(Shop, BERLIN) == ["s"]
    table = dynamodb_client.describe_table(TableName=store.table_name)["Table"]
    assert {one["IndexName"] for one in table["GlobalSecondaryIndexes"]} == {"geo-Shop", "geo-Cafe"}


def test_an_entity_whose_name_is_none_for_an_index_has_one_by_hash(use):
    class Odd(Geo, Model):
        class Meta:
            entity = "Läden {neu}"
            scan = "forbid"

        id: str = Field(primary_key=True)
        location: Point | None = None

    use(Odd)
    Odd.create(id="a", location=BERLIN)
    assert near(Odd, BERLIN) == ["a"]
    assert str(Odd.where(location__near=(BERLIN, 5)).explain().index).startswith("geo-L_den__neu_-")


def test_the_index_is_the_models_own_and_so_is_its_name(use):
    class Mine(Geo, Model):
        class Meta:
            indexes = [GSI("geo-Mine", partition="{name}")]

        id: str = Field(primary_key=True)
        location: Point | None = None
        name: str = ""

    with pytest.raises(SchemaError, match="'geo-Mine'"):
        use(Mine)


def test_the_index_serves_where_it_reads_less(use):
    use(Shop)
    assert Shop.where(id="a", location__near=(BERLIN, 5)).explain().operation == "GetItem"
    wide = Shop.where(location__within=BBox(45, 5, 52, 15), name="x").explain()
    assert wide.index == "geo-Shop"
    assert len(wide.request) > 8


def test_who_is_hidden_is_not_found_by_place(use):
    class Stand(SoftDelete, Geo, Model):
        class Meta:
            scan = "forbid"

        id: str = Field(primary_key=True)
        location: Point | None = None

    use(Stand)
    Stand.batch_create([{"id": one, "location": BERLIN} for one in "ab"])
    Stand.get("a").delete()
    assert near(Stand, BERLIN) == ["b"]
    assert Stand.where(location__near=(BERLIN, 5)).count() == 1
    assert [one.id for one in Stand.nearest(BERLIN, 5, 1)] == ["b"]
