"""Streams: records as Lambda and as the client hand them over, and the handler."""

from __future__ import annotations

import base64
import json
import logging
import os
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from mixstore import ConfigurationError, Field, Model, UnsupportedOperationError
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend, TableOptions
from mixstore_backends.dynamodb.streams import ChangeEvent, parse_stream_record, stream_handler
from mixstore_extensions import TTL, Encrypted, History, KeyRing
from tests.backends.dynamodb.conftest import using
from tests.backends.dynamodb.models import Reading, Todo, User

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/stream/2025-06-01T12:00:00.000"


class Visitor(TTL, History, Encrypted, Model):
    class Meta:
        encryption = KeyRing({"a": os.urandom(32)})

    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)
    secret: str = Field("", encrypted=True)
    raw: bytes | None = None
    more: dict[str, Any] = {}


def lambda_record(
    store: DynamoDBBackend,
    event: str,
    old: dict[str, Any] | None,
    new: dict[str, Any] | None,
    number: int = 1,
    view: str = "NEW_AND_OLD_IMAGES",
    **also: Any,
) -> dict[str, Any]:
    """A record in the documented shape, out of items as a client reads them; through JSON, as Lambda hands it over."""
    image = new or old or {}
    told = {
        "ApproximateCreationDateTime": 1748779200,
        "Keys": {name: image[name] for name in ("pk", "sk") if name in image},
        "SequenceNumber": f"{number}00000000000000000001",
        "SizeBytes": 59,
        "StreamViewType": view,
    }
    told |= {name: item for name, item in (("OldImage", old), ("NewImage", new)) if item is not None}
    record = {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": told,
        "eventSourceARN": ARN.format(table=store.table_name),
        **also,
    }
    return json.loads(json.dumps(record, default=lambda found: base64.b64encode(found).decode()))  # type: ignore[no-any-return]


def by_entity(items: list[dict[str, Any]], entity: str) -> dict[str, Any]:
    return next(item for item in items if item["entity_type"]["S"] == entity)


def test_a_change_tells_the_rows_before_and_after(store, use, items):
    use(User)
    User.create(id="ada", name="Ada", price=Decimal("1.10"), raw=b"\x00\xff", tags={"a"}, home={"b": [1]})
    (before,) = items()
    row = User.get("ada")
    row.update(name="Ada L.")
    (after,) = items()
    change = parse_stream_record(lambda_record(store, "MODIFY", before, after), store)
    assert isinstance(change, ChangeEvent)
    assert (change.kind, change.model, change.key, change.expired) == ("modify", User, "ada", False)
    assert (change.old.name, change.new) == ("Ada", row)
    assert change.new.raw == b"\x00\xff"
    assert change.sequence == "100000000000000000001"
    assert change.at == datetime(2025, 6, 1, 12, tzinfo=timezone.utc)


def test_a_new_row_has_nothing_before_and_a_removed_one_nothing_after(store, use, items):
    use(Todo)
    todo = Todo.create(user="ada", number=1)
    (item,) = items()
    made = parse_stream_record(lambda_record(store, "INSERT", None, item), store)
    gone = parse_stream_record(lambda_record(store, "REMOVE", item, None), store)
    assert (made.kind, made.old, made.new) == ("insert", None, todo)
    assert (gone.kind, gone.old, gone.new, gone.expired) == ("remove", todo, None, False)
    assert gone.key == {"_pk": item["pk"]["S"], "_sk": item["sk"]["S"]}


def test_values_come_out_of_what_extensions_made_of_them(store, use, items):
    use(Visitor)
    visitor = Visitor.create(id="v", secret="hush", raw=b"x", more={"n": 1}, expires_in=timedelta(days=1))
    item = by_entity(items(), "Visitor")
    assert "hush" not in json.dumps(item, default=str)
    change = parse_stream_record(lambda_record(store, "INSERT", None, item), store)
    assert change.new == visitor
    assert change.new.secret == "hush"


def test_what_dynamodb_removed_for_its_age_has_expired(store, use, items):
    use(Visitor)
    Visitor.create(id="v", expires_in=timedelta(seconds=1))
    item = by_entity(items(), "Visitor")
    service = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    change = parse_stream_record(lambda_record(store, "REMOVE", item, None, userIdentity=service), store)
    assert (change.kind, change.expired) == ("remove", True)


def test_rows_that_extensions_keep_and_items_of_others_are_no_changes(store, use, items):
    use(Visitor)
    Visitor.create(id="v", email="v@example.org").update(secret="new")
    found = items()
    kinds = {item["entity_type"]["S"] for item in found}
    assert len(kinds) == 3  # the row, its guard, its revisions
    changes = [parse_stream_record(lambda_record(store, "INSERT", None, item), store) for item in found]
    assert [change.model for change in changes if change is not None] == [Visitor]
    for foreign in (
        {"pk": {"S": "X"}, "sk": {"S": "Y"}},
        {"pk": {"S": "X"}, "sk": {"S": "Y"}, "entity_type": {"N": "1"}},
    ):
        assert parse_stream_record(lambda_record(store, "INSERT", None, foreign), store) is None


def test_a_record_that_does_not_tell_its_model_is_refused(store, use, items):
    use(User)
    User.create(id="ada")
    (item,) = items()
    record = lambda_record(store, "MODIFY", item, item, view="KEYS_ONLY")
    del record["dynamodb"]["OldImage"], record["dynamodb"]["NewImage"]
    with pytest.raises(UnsupportedOperationError, match="KEYS_ONLY does not tell of which model"):
        parse_stream_record(record, store)
    with pytest.raises(ConfigurationError, match=r"no record of a stream of DynamoDB: it has \['body'\]"):
        parse_stream_record({"body": "x"}, store)


def test_in_a_table_of_its_own_keys_are_enough(dynamodb_client):
    backend = DynamoDBBackend("s-{entity}", DynamoDBAdapter(single_table=False), client=dynamodb_client)
    for use in using(backend):
        use(Reading, User)
        keys = {"sensor": {"N": "7"}, "moment": {"N": "1.50"}}
        record = lambda_record(backend, "REMOVE", None, None, view="KEYS_ONLY")
        record["dynamodb"]["Keys"] = keys
        record["eventSourceARN"] = ARN.format(table="s-Reading")
        change = parse_stream_record(record, backend)
        assert (change.model, change.old, change.new) == (Reading, None, None)
        assert change.key == {"sensor": 7, "moment": Decimal("1.50")}


def test_records_of_a_real_stream_are_told(dynamodb_client, use):
    from botocore.config import Config
    from botocore.session import Session

    table = TableOptions(stream="NEW_AND_OLD_IMAGES")
    backend = DynamoDBBackend(f"streamed-{uuid4().hex}", client=dynamodb_client, table=table)
    keys: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    keys["config"] = Config(account_id_endpoint_mode="disabled")  # moto knows the usual address only
    endpoint = os.environ.get("MIXSTORE_TEST_DYNAMODB")
    streams = Session().create_client("dynamodbstreams", "eu-west-1", endpoint_url=endpoint, **keys)
    for bind in using(backend):
        bind(User)
        user = User.create(id="ada", raw=b"\x01")
        user.update(name="Ada")
        user.delete()
        arn = dynamodb_client.describe_table(TableName=backend.table_name)["Table"]["LatestStreamArn"]
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
        changes = [parse_stream_record(record, backend) for record in records]
        assert [(change.kind, change.key) for change in changes] == [
            ("insert", "ada"),
            ("modify", "ada"),
            ("remove", "ada"),
        ]
        assert changes[0].new.raw == b"\x01"
        assert (changes[1].old.name, changes[1].new.name, changes[2].old.name) == ("", "Ada", "Ada")
        assert all(change.at.tzinfo is not None for change in changes)


# -- the handler ---------------------------------------------------------------------------------------------------


@pytest.fixture
def event(store, use, items):
    """Three new users, in order, and an item of somebody else between them."""
    use(User)
    found = []
    for name in ("a", "b", "c"):
        User.create(id=name)
    rows = sorted(items(), key=lambda item: item["pk"]["S"])
    foreign = {"pk": {"S": "X"}, "sk": {"S": "Y"}}
    for number, item in enumerate([rows[0], foreign, *rows[1:]]):
        found.append(lambda_record(store, "INSERT", None, item, number=number))
    return {"Records": found}


def test_the_handler_calls_with_each_change_in_order(store, event):
    seen = []
    handle = stream_handler(store, lambda change: seen.append(change.key))
    assert handle(event, None) == {"batchItemFailures": []}
    assert seen == ["a", "b", "c"]


def test_the_first_failure_is_where_lambda_comes_back_to(store, event, caplog):
    seen = []

    def work(change):
        seen.append(change.key)
        if change.key == "b":
            raise ValueError("not b")

    with caplog.at_level(logging.ERROR, "mixstore"):
        answer = stream_handler(store, work)(event, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][2]["dynamodb"]["SequenceNumber"]}]}
    assert seen == ["a", "b"]
    assert "not b" in caplog.text


def test_a_record_that_can_not_be_read_is_a_failure_too(store, event, caplog):
    event["Records"][0]["dynamodb"]["NewImage"]["age"] = {"S": "old"}
    answer = stream_handler(store, lambda change: None)(event, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}]}
    assert "CorruptRecordError" in caplog.text


def test_what_is_no_handler_or_no_event_is_refused(store):
    async def work(change):
        raise AssertionError

    with pytest.raises(ConfigurationError, match="coroutine function"):
        stream_handler(store, work)
    with pytest.raises(ConfigurationError, match="no Records"):
        stream_handler(store, lambda change: None)({"body": "x"}, None)
