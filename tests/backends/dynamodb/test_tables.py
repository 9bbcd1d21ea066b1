"""Tables: made, found, grown by indexes and expiry; and a table that does not fit is refused."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import GSI, INCLUDE, KEYS_ONLY, ConfigurationError, Field, Model, SchemaError, ValidationError
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend
from mixstore_backends.dynamodb.tables import Wanted
from tests.backends.dynamodb.answers import failed
from tests.backends.dynamodb.models import Reading, Task, User


def model(*indexes: GSI, entity: str = "Thing") -> Any:
    """A model with these indexes."""

    class Thing(Model):
        class Meta:
            pass

        id: str = Field(primary_key=True)
        group: str = ""
        n: int = 0

    Thing.__mixstore_definition__.meta.update(indexes=indexes, entity=entity)
    return Thing


@pytest.fixture
def described(store, dynamodb_client):
    return lambda: dynamodb_client.describe_table(TableName=store.table_name)["Table"]


def test_a_table_is_made_of_its_models(store, described):
    store.initialize(User, Task)
    table = described()
    assert [(one["AttributeName"], one["KeyType"]) for one in table["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    indexes = {one["IndexName"]: one for one in table["GlobalSecondaryIndexes"]}
    assert indexes["by_owner"]["Projection"] == {"ProjectionType": "ALL"}
    assert indexes["by_state"]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert [one["AttributeName"] for one in indexes["by_owner"]["KeySchema"]] == ["by_owner_pk", "by_owner_sk"]
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    assert set(types) == {"pk", "sk", "by_owner_pk", "by_owner_sk", "by_state_pk"}


def test_initialize_can_be_called_again(store, described):
    store.initialize(User)
    before = described()
    store.initialize(User)
    store.initialize(User)
    assert described() == before


def test_an_index_is_added_to_a_table_and_has_the_rows_that_were_there(store, described):
    old = model()
    store.initialize(old)
    old.bind(store)
    old.batch_create([{"id": str(n), "group": "ab"[n % 2], "n": n} for n in range(6)])
    old.bind(None)
    new = model(GSI("by_group", partition="{group}", sort="{n:03d}"))
    store.initialize(new)
    new.bind(store)
    assert [one["IndexName"] for one in described()["GlobalSecondaryIndexes"]] == ["by_group"]
    assert [row.id for row in new.where(group="a").order_by("-n")] == ["4", "2", "0"]
    new.bind(None)


def test_a_model_that_takes_up_an_index_of_the_table_is_put_into_it_by_reindex(store):
    plain = model(entity="Late")
    store.initialize(plain, model(GSI("by_group", partition="{group}"), entity="First"))
    store.batch_create(plain, [{"id": "1", "group": "a"}, {"id": "2", "group": "b"}])
    late = model(GSI("by_group", partition="{group}"), entity="Late")
    store.initialize(late)
    assert store.query(late).filter(group="a").all() == []
    assert store.reindex(late) == 2
    assert [row.id for row in store.query(late).filter(group="a")] == ["1"]
    assert store.reindex(late) == 0


def test_models_share_an_index_that_holds_what_both_ask_for(store):
    one = model(GSI("x", partition="{group}", projection=INCLUDE("n")), entity="One")
    two = model(GSI("x", partition="{id}", projection=KEYS_ONLY), entity="Two")
    three = model(GSI("x", partition="{id}"), entity="Three")
    some = Wanted([store.bound(one).native, store.bound(two).native])
    assert some.indexes["x"]["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]}
    every = Wanted([store.bound(each).native for each in (one, two, three)])
    assert every.indexes["x"]["Projection"] == {"ProjectionType": "ALL"}


def test_models_that_want_one_index_in_two_shapes_are_refused(store):
    one = model(GSI("x", partition="{group}", sort="{id}"), entity="One")
    two = model(GSI("x", partition="{group}"), entity="Two")
    with pytest.raises(SchemaError, match="sort key"):
        store.initialize(one, two)


def test_more_indexes_than_a_table_can_have_are_refused(store):
    many = model(*[GSI(f"x{n}", partition="{group}") for n in range(21)])
    with pytest.raises(SchemaError, match="21 indexes"):
        store.initialize(many)


def test_a_table_with_another_key_is_refused(dynamodb_client):
    DynamoDBBackend("keyed", client=dynamodb_client).initialize(User)
    other = DynamoDBBackend("keyed", DynamoDBAdapter(partition="PK", sort="SK"), client=dynamodb_client)
    with pytest.raises(ConfigurationError, match=r"pk \(S, HASH\), sk \(S, RANGE\) instead of PK"):
        other.initialize(User)


def test_a_table_for_each_entity_has_its_own_key(dynamodb_client):
    backend = DynamoDBBackend("each-{entity}", DynamoDBAdapter(single_table=False), client=dynamodb_client)
    backend.initialize(Reading, User)
    reading = dynamodb_client.describe_table(TableName="each-Reading")["Table"]
    assert {one["AttributeName"]: one["AttributeType"] for one in reading["AttributeDefinitions"]} == {
        "sensor": "N",
        "moment": "N",
    }
    user = dynamodb_client.describe_table(TableName="each-User")["Table"]
    assert [one["AttributeName"] for one in user["KeySchema"]] == ["id"]


def test_expiry_is_switched_on_once_and_another_attribute_is_refused(store, dynamodb_client):
    store.enable_ttl(User, "ttl")
    store.initialize(User)
    store.initialize(User)
    told = dynamodb_client.describe_time_to_live(TableName=store.table_name)["TimeToLiveDescription"]
    assert (told["TimeToLiveStatus"], told["AttributeName"]) == ("ENABLED", "ttl")
    store = DynamoDBBackend(store.table_name, client=dynamodb_client)
    store.enable_ttl(User, "expires")
    with pytest.raises(ConfigurationError, match="expiry is 'ttl', not 'expires'"):
        store.initialize(User)


def test_a_table_is_waited_for(answering):
    table = {"KeySchema": [], "AttributeDefinitions": []}
    missing = failed("ResourceNotFoundException")
    backend, client = answering(
        missing, {}, {"Table": {**table, "TableStatus": "CREATING"}}, {"Table": {**table, "TableStatus": "ACTIVE"}}
    )
    backend.initialize(User)
    assert [name for name, _ in client.asked] == ["describe_table", "create_table", "describe_table", "describe_table"]
    assert client.pauses == [1.0]


def test_rows_that_an_index_can_not_hold_are_told_and_it_is_not_made(store, described):
    old, new = model(), model(GSI("by_group", partition="{group}", sort="{n:02d}"))
    store.initialize(old)
    store.batch_create(old, [{"id": str(n), "group": "a", "n": 10**n} for n in range(4)])
    with pytest.raises(ValidationError, match="values of this row, nor of 1 others, which queries by it would") as told:
        store.initialize(new)
    assert told.value.key in ("2", "3")
    assert not described().get("GlobalSecondaryIndexes")
    for one in "23":
        store.upsert(new, {"id": one, "group": "a", "n": 0})
    store.initialize(new)
    assert store.reindex(new) == 0
    assert store.query(new).filter(group="a").count() == 4
