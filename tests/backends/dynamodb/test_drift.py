"""Drift: the difference between tables and their models, and indexes that are dropped when somebody asks for it."""

from __future__ import annotations

import logging

import pytest

from mixstore import ALL, GSI, INCLUDE, KEYS_ONLY, LSI, ConfigurationError, Field, Key, Model
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend
from tests.backends.dynamodb.answers import failed
from tests.backends.dynamodb.models import Task, User


def thing(*indexes, name="Thing"):
    """A model with these indexes."""
    declared = list(indexes)

    class Thing(Model):
        class Meta:
            entity = name
            indexes = declared

        id: str = Field(primary_key=True)
        group: str = ""
        n: int = 0

    return Thing


BY_GROUP = GSI("by_group", partition="{group}", sort="{n:03d}")


@pytest.fixture
def fresh(store, dynamodb_client):
    """Backends on the table of `store`, each of which knows only its own models, as another program would."""
    return lambda: DynamoDBBackend(store.table_name, client=dynamodb_client)


def told(drift):
    return [(one.what.split(" of ")[0], one.declared, one.real) for one in drift]


def test_a_table_as_declared_has_no_drift_and_one_that_is_not_there_has_one(store, fresh):
    (one,) = store.drift(Task, User)
    assert (one.models, one.what, one.real) == ((Task, User), f"table {store.table_name}", "-")
    assert one.declared == "pk (S, HASH), sk (S, RANGE)"
    store.initialize(Task, User)
    assert store.drift(Task, User) == []
    assert store.drift(User) == []  # the indexes of others are known
    assert store.drift() == []


def test_indexes_that_lack_and_indexes_that_nobody_declares(store, fresh):
    fresh().initialize(thing(GSI("old", partition="{n:03d}")))
    drift = fresh().drift(thing(BY_GROUP))
    assert told(drift) == [
        ("index by_group", "by_group_pk (S, HASH), by_group_sk (S, RANGE), ALL", "-"),
        ("index old", "-", "old_pk (S, HASH), ALL"),
    ]
    assert drift[0].plan.endswith("and adds it")
    assert drift[1].plan.endswith('backend.drop_index(Thing, "old")')


def test_asking_changes_nothing(store, fresh, dynamodb_client):
    fresh().initialize(thing(GSI("old", partition="{n:03d}")))
    before = dynamodb_client.describe_table(TableName=store.table_name)
    fresh().drift(thing(BY_GROUP))
    after = dynamodb_client.describe_table(TableName=store.table_name)
    assert after["Table"] == before["Table"]


def test_an_index_that_differs_is_refused_until_it_is_dropped(store, fresh):
    fresh().initialize(thing(GSI("by_group", partition="{group}", projection=KEYS_ONLY)))
    for index, real in (
        (GSI("by_group", partition="{group}", projection=INCLUDE("n")), "holds KEYS_ONLY"),
        (BY_GROUP, "another key"),
    ):
        model, backend = thing(index), fresh()
        (one,) = backend.drift(model)
        assert one.plan == 'backend.drop_index(Thing, "by_group"), then initialize()'
        with pytest.raises(ConfigurationError, match=real):
            backend.initialize(model)
    backend = fresh()
    model = thing(BY_GROUP)
    assert backend.drop_index(model, "by_group") is True
    backend.initialize(model)
    assert backend.drift(model) == []


def test_an_index_that_holds_more_than_is_asked_for_serves(fresh):
    fresh().initialize(thing(GSI("by_group", partition="{group}", projection=ALL)))
    less = thing(GSI("by_group", partition="{group}", projection=KEYS_ONLY))
    backend = fresh()
    backend.initialize(less)
    assert backend.drift(less) == []


def test_initialize_drops_nothing_and_drop_index_does(store, fresh, dynamodb_client, caplog):
    fresh().initialize(thing(BY_GROUP, GSI("old", partition="{n:03d}")))
    backend, model = fresh(), thing(BY_GROUP)
    backend.initialize(model)

    def names():
        return [
            one["IndexName"]
            for one in dynamodb_client.describe_table(TableName=store.table_name)["Table"]["GlobalSecondaryIndexes"]
        ]

    assert sorted(names()) == ["by_group", "old"]
    with caplog.at_level(logging.INFO, "mixstore"):
        assert backend.drop_index(model, "old") is True
    assert names() == ["by_group"]
    assert f"table {store.table_name}: dropping index old" in caplog.text
    assert backend.drop_index(model, "old") is False
    assert backend.drift(model) == []


def test_an_index_that_any_model_of_the_table_declares_is_kept(store):
    one, two = thing(BY_GROUP), thing(name="Two")
    store.initialize(one, two)
    with pytest.raises(ConfigurationError, match=r"'by_group' .* is declared by Thing"):
        store.drop_index(two, "by_group")
    assert store.drift(one, two) == []


def test_indexes_are_added_one_at_a_time_and_it_is_told(answering, caplog):
    key = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    table = {"TableStatus": "ACTIVE", "KeySchema": key, "AttributeDefinitions": types}
    active = {"Table": table}
    filling = {
        "Table": {
            **table,
            "GlobalSecondaryIndexes": [{"IndexName": "a", "IndexStatus": "CREATING", "Backfilling": True}],
        }
    }
    rows = {"Items": [], "Count": 0}
    backend, client = answering(active, rows, active, {}, *[filling] * 16, active, {}, active)
    with caplog.at_level(logging.INFO, "mixstore"):
        backend.initialize(thing(GSI("a", partition="{group}"), GSI("b", partition="{n:03d}")))
    updates = [request["GlobalSecondaryIndexUpdates"] for name, request in client.asked if name == "update_table"]
    assert [[change["Create"]["IndexName"] for change in some] for some in updates] == [["a"], ["b"]]
    assert client.pauses == [1.0] * 16
    assert [record.getMessage() for record in caplog.records] == [
        "table app: putting the rows of Thing into the new indexes",
        "table app: making index a (1 of 2)",
        "table app: waiting for index a, which is being filled (15 s)",
        "table app: making index b (2 of 2)",
    ]


def test_local_indexes_that_lack_or_are_too_many_are_told(store, fresh):
    class Bill(Model):
        class Meta:
            key = Key(partition="SHOP#{shop}", sort="BILL#{number:05d}")
            indexes = [LSI("by_total", sort="{total:08d}")]

        shop: str
        number: int
        total: int = 0

    fresh().initialize(User)
    (lacking,) = fresh().drift(Bill)
    assert lacking.what.startswith("index by_total")
    assert "new table" in lacking.plan
    store.transport.client.delete_table(TableName=store.table_name)
    fresh().initialize(Bill)
    (foreign,) = fresh().drift(User)
    assert (foreign.declared, foreign.plan) == ("-", "it goes with its table only")
    with pytest.raises(ConfigurationError, match="is local: DynamoDB drops it with its table only"):
        fresh().drop_index(User, "by_total")


def test_expiry_and_keys_are_compared(store, fresh, dynamodb_client):
    fresh().initialize(User)
    backend = fresh()
    backend.enable_ttl(User, "ttl")
    assert told(backend.drift(User)) == [("expiry", "ttl", "-")]
    backend.initialize(User)
    assert backend.drift(User) == []
    other = DynamoDBBackend(store.table_name, DynamoDBAdapter(partition="PK", sort="SK"), client=dynamodb_client)
    assert told(other.drift(User)) == [("key", "PK (S, HASH), SK (S, RANGE)", "pk (S, HASH), sk (S, RANGE)")]


def test_a_store_that_does_not_answer_is_not_taken_for_an_empty_one(answering):
    backend, _ = answering(failed("AccessDeniedException"))
    with pytest.raises(Exception, match="AccessDenied"):
        backend.drift(User)
