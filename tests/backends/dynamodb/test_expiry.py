"""TTL by DynamoDB itself: an epoch second beside the exact moment, of rows and of what is written beside them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import mixstore
from mixstore import ConfigurationError, Field, Model
from mixstore.testing import Clock
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend
from mixstore_extensions import TTL, Unique

MOMENT = datetime(2025, 6, 1, 12, 0, 0, 1, tzinfo=timezone.utc)
SECOND = int(datetime(2025, 6, 1, 12, 0, 1, tzinfo=timezone.utc).timestamp())
"""The first whole second at which a row that expires at that moment is gone."""


class Session(TTL, Model):
    id: str = Field(primary_key=True)
    user: str | None = Field(None, unique=True)


class Seat(TTL, Unique, Model):
    class Meta:
        unique_together = [("row", "number")]

    id: str = Field(primary_key=True)
    row: str = ""
    number: int = 0


@pytest.fixture
def expiry(dynamodb_client):
    """What DynamoDB knows of a table's expiry."""
    return lambda table: dynamodb_client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]


def of(items: list[dict[str, Any]], entity: str) -> dict[str, Any]:
    (found,) = [item for item in items if item["entity_type"] == {"S": entity}]
    return found


def test_initialize_switches_expiry_on(use, store, expiry):
    use(Session)
    told = expiry(store.table_name)
    assert (told["TimeToLiveStatus"], told["AttributeName"]) == ("ENABLED", "ttl")
    entries = {entry.name: entry.fidelity for entry in Session.extensions() if entry.state == "active"}
    assert entries["ttl"] == "native"


def test_the_second_is_rounded_up_and_the_moment_stays_exact(use, items):
    use(Session).create(id="a", expires_at=MOMENT)
    stored = of(items(), "Session")
    assert stored["ttl"] == {"N": str(SECOND)}
    assert stored["expires_at"] == {"S": "2025-06-01T12:00:00.000001Z"}
    assert Session.include_expired().one().expires_at == MOMENT


def test_the_second_follows_the_moment_on_every_way_to_write(use, store, items):
    use(Session)
    later, second = MOMENT + timedelta(days=9000), {"N": str(SECOND + 9000 * 86400)}
    row = Session.create(id="a", expires_at=later)
    assert of(items(), "Session")["ttl"] == second
    writes = [
        (lambda: row.update(expires_at=None), {"NULL": True}),
        (lambda: Session.where(id="a").update(expires_at=later), second),
        (lambda: Session.batch_upsert([{"id": "a"}]), {"NULL": True}),
        (lambda: Session.upsert(id="a", expires_at=later), second),
        (lambda: Session(id="a").update(expires_at=None), {"NULL": True}),
        (lambda: in_transaction(store, lambda: Session.get("a").update(expires_at=later)), second),
        (lambda: Session.get("a").update(user="ann"), second),
    ]
    for number, (write, expected) in enumerate(writes):
        write()
        assert of(items(), "Session")["ttl"] == expected, number


def in_transaction(store: DynamoDBBackend, write: Any) -> None:
    with store.transaction():
        write()


def test_a_guard_expires_with_its_row(use, items):
    use(Session).create(id="a", user="ann", expires_at=MOMENT)
    assert of(items(), "mixstore_unique")["ttl"] == {"N": str(SECOND)}
    Session.include_expired().filter(id="a").update(expires_at=None)
    assert "ttl" not in of(items(), "mixstore_unique")
    Session.get("a").update(expires_at=MOMENT)
    assert of(items(), "mixstore_unique")["ttl"] == {"N": str(SECOND)}


def test_a_guard_that_is_let_go_and_taken_in_one_transaction_expires_with_who_took_it(use, store, items):
    first = use(Session).create(id="a", user="ann", expires_at=None)
    with store.transaction():
        first.delete()
        Session.create(id="b", user="ann", expires_at=MOMENT)
    assert of(items(), "mixstore_unique")["ttl"] == {"N": str(SECOND)}


def test_a_guard_of_several_fields_expires_with_its_row(use, items):
    use(Seat).create(id="a", row="A", number=1, expires_at=MOMENT)
    assert of(items(), "mixstore_unique")["ttl"] == {"N": str(SECOND)}


def test_guards_in_a_table_of_their_own_expire_too(dynamodb_client, expiry):
    backend = DynamoDBBackend("own-{entity}", DynamoDBAdapter(single_table=False), client=dynamodb_client)
    Session.bind(backend)
    try:
        backend.initialize(Session)
        Session.create(id="a", user="ann", expires_at=MOMENT)
    finally:
        Session.bind(None)
    (guard,) = dynamodb_client.scan(TableName="own-mixstore_unique")["Items"]
    assert guard["ttl"] == {"N": str(SECOND)}
    for name in ("own-Session", "own-mixstore_unique"):
        assert expiry(name)["AttributeName"] == "ttl"
        dynamodb_client.delete_table(TableName=name)


def test_expired_rows_are_left_out_by_the_engine(use, store):
    store.clock = Clock()
    told = use(Session).where(user="ann").explain()
    assert told.residual == ""
    assert "expires_at" in told.pushed
    assert "expires_at" in told.request["ExpressionAttributeNames"].values()


def test_what_the_engine_has_removed_is_no_trouble(use, dynamodb_client, store):
    """DynamoDB removes the row before its guard, or the guard before the row."""
    store.clock = clock = Clock()
    use(Session)
    for entity in ("Session", "mixstore_unique"):
        Session.create(id="a", user="ann", expires_in=10)
        clock.forward(seconds=11)
        stored = of(dynamodb_client.scan(TableName=store.table_name)["Items"], entity)
        dynamodb_client.delete_item(TableName=store.table_name, Key={name: stored[name] for name in ("pk", "sk")})
        assert Session.all() == []
        made = Session.create(id="b", user="ann")
        assert Session.get(user="ann") == made
        made.delete()
        Session.purge_expired()


def configured(dynamodb_client: Any, attribute: str, *models: Any) -> None:
    """Bind models to a backend whose rows expire by this attribute."""
    backend = DynamoDBBackend("expiring", client=dynamodb_client)
    options = {"extensions": {"options": {"ttl": {"attribute": attribute}}}}
    with mixstore.registry() as registry:
        mixstore.configure(backends={"cfg": {"url": "dynamodb://expiring", **options}})
        registry.connect_as("cfg", backend)
        backend.config_name = "cfg"
        try:
            for model in models:
                model.bind(backend)
            backend.initialize(*models)
            models[0].create(id="a", expires_at=MOMENT)
        finally:
            for model in models:
                model.bind(None)
            registry.named.clear()


def test_the_attribute_is_an_option(dynamodb_client, expiry):
    configured(dynamodb_client, "gone_at", Session)
    assert expiry("expiring")["AttributeName"] == "gone_at"
    assert of(dynamodb_client.scan(TableName="expiring")["Items"], "Session")["gone_at"] == {"N": str(SECOND)}
    dynamodb_client.delete_table(TableName="expiring")


@pytest.mark.parametrize("attribute", ["expires_at", "user", "pk", "entity_type"])
def test_an_attribute_that_is_taken_is_refused_when_the_model_is_bound(dynamodb_client, attribute):
    with pytest.raises(ConfigurationError, match=f"Session can't expire by '{attribute}'.*of that name"):
        configured(dynamodb_client, attribute, Session)


def test_two_attributes_of_one_table_are_refused(store):
    store.enable_ttl(Session, "ttl")
    with pytest.raises(ConfigurationError, match="expire by 'ttl' already"):
        store.enable_ttl(Seat, "gone_at")
