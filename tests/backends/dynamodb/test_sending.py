"""Requests that mixstore signs and sends by itself are those that botocore would send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.session import Session

from mixstore import DuplicateKeyError, Field, Model
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_backends.dynamodb.sending import Signer
from tests.backends.dynamodb.servers import checked

NOW = datetime(2025, 6, 1, 12, 30, 5, tzinfo=timezone.utc)


class Thing(Model):
    id: str = Field(primary_key=True)
    content: bytes = b""


@pytest.mark.parametrize("token", [None, "a-token+/="])
@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com/", "dynamodb.eu-west-1.amazonaws.com"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
    ],
)
def test_the_signature_is_that_of_botocore(monkeypatch, token, url, host):
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW.replace(tzinfo=None))
    body = '{"TableName":"é"}'.encode()
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.GetItem"}
    theirs = AWSRequest("POST", url, headers=dict(headers), data=body)
    theirs.context["client_config"] = None
    keys = Credentials("AN-ID", "a-secret", token)
    SigV4Auth(keys.get_frozen_credentials(), "dynamodb", "eu-west-1").add_auth(theirs)
    for _ in range(2):  # the second time with the key of the day that is known
        ours = dict(headers)
        Signer("eu-west-1", "dynamodb").sign(ours, host, body, keys.get_frozen_credentials(), NOW)
        assert ours == {name: theirs.headers[name] for name in ours}
        assert ours.keys() == set(theirs.headers.keys())


def test_a_new_day_and_a_new_secret_have_another_key():
    signer = Signer("eu-west-1", "dynamodb")

    def signed(secret: str, day: int) -> str:
        headers = {"Content-Type": "x", "X-Amz-Target": "y"}
        keys = SimpleNamespace(access_key="AN-ID", secret_key=secret, token=None)
        signer.sign(headers, "h", b"", keys, NOW.replace(day=day))
        fresh = {"Content-Type": "x", "X-Amz-Target": "y"}
        Signer("eu-west-1", "dynamodb").sign(fresh, "h", b"", keys, NOW.replace(day=day))
        assert headers == fresh
        return headers["Authorization"]

    assert len({signed(secret, day) for secret in ("one", "two") for day in (1, 2)}) == 4


@pytest.fixture
def session() -> Session:
    made = Session()
    made.set_credentials("testing", "testing")
    return made


@pytest.fixture
def backend(dynamodb_server: str, session: Session) -> Iterator[DynamoDBBackend]:
    made = DynamoDBBackend("sending", session=session, region_name="eu-west-1", endpoint_url=dynamodb_server)
    made.scan_policy = "allow"
    Thing.bind(made)
    made.initialize(Thing)
    yield made
    made.transport.client.delete_table(TableName="sending")
    made.transport.client.close()
    Thing.bind(None)


def both(backend: DynamoDBBackend, *ids: str) -> None:
    """Create these in a transaction."""
    with backend.transaction():
        for one in ids:
            Thing.create(id=one)


def test_a_server_takes_what_is_sent_and_its_answers_are_understood(backend):
    thing = Thing.create(id="1", content=bytes(range(256)))
    assert Thing.get("1") == thing
    with pytest.raises(DuplicateKeyError):
        Thing.create(id="1")
    with pytest.raises(DuplicateKeyError):
        both(backend, "2", "1")
    assert Thing.batch_upsert([{"id": "3"}, {"id": "4"}]) == Thing.batch_get(["3", "4"])
    assert sorted(one.id for one in Thing.all()) == ["1", "3", "4"]
    client, key = backend.transport.client, backend.adapter.keying(Thing).wire(("1",))  # as it was, for others
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.put_item(TableName="sending", Item=key, ConditionExpression="attribute_not_exists(pk)")


def test_whoever_listens_to_what_is_sent_sees_it_and_may_answer(backend):
    seen: list[AWSPreparedRequest] = []

    def listen(request: Any, **_: Any) -> None:
        seen.append(request)

    backend.transport.client.meta.events.register("before-send.dynamodb.GetItem", listen)
    assert Thing.get("nobody") is None
    assert [request.headers["X-Amz-Target"] for request in seen] == ["DynamoDB_20120810.GetItem"]


def test_a_botocore_that_keeps_its_connections_elsewhere_sends_itself(backend):
    backend.transport._sender._connections = None
    sent: list[str] = []
    backend.transport.client.meta.events.register(
        "request-created", lambda operation_name, **_: sent.append(operation_name)
    )
    thing = Thing.create(id="1", content=b"x")
    assert Thing.get("1") == thing
    assert sent == ["PutItem", "GetItem"]


def test_a_client_that_signs_otherwise_is_left_to_botocore(served, session):
    seen: list[bool] = []
    session.set_default_client_config(Config(signature_version=UNSIGNED))
    address = served(checked(b"{}"))
    backend = DynamoDBBackend("sending", session=session, region_name="eu-west-1", endpoint_url=address)
    backend.transport.client.meta.events.register(
        "before-send.dynamodb.GetItem", lambda request, **_: seen.append("Authorization" in request.headers)
    )
    assert backend.get(Thing, id="nobody") is None
    assert seen == [False]
    backend.transport.client.close()
