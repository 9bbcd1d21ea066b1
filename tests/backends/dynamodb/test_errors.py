"""What DynamoDB and the network do wrong, each as its own error, with botocore's chained; nothing is "not found"."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest
from botocore import exceptions as aws

from mixstore import (
    AccessDeniedError,
    BackendTimeoutError,
    BackendUnavailableError,
    BatchError,
    ConfigurationError,
    Field,
    MixstoreError,
    Model,
    ThrottledError,
    ValidationError,
)
from mixstore import errors as mixstore_errors
from mixstore_backends.dynamodb import DynamoDBBackend
from mixstore_extensions import Counters
from tests.backends.dynamodb.answers import cancelled, failed
from tests.backends.dynamodb.models import User
from tests.backends.dynamodb.servers import over_http

BackendError = mixstore_errors.BackendError
NOWHERE = {"endpoint_url": "http://127.0.0.1:9"}


class Tally(Counters, Model):
    id: str = Field(primary_key=True)
    hits: int = 0


@pytest.mark.parametrize(
    ("answer", "expected", "told"),
    [
        (failed("ProvisionedThroughputExceededException"), ThrottledError, "load"),
        (failed("ThrottlingException"), ThrottledError, "load"),
        (failed("RequestLimitExceeded"), ThrottledError, "load"),
        (failed("InternalServerError", status=500), BackendUnavailableError, "failed"),
        (failed("Whatever", status=503), BackendUnavailableError, "failed"),
        (failed("ExpiredTokenException"), AccessDeniedError, "expired"),
        (failed("UnrecognizedClientException"), AccessDeniedError, "account"),
        (failed("AccessDeniedException"), AccessDeniedError, "policy"),
        (failed("ResourceNotFoundException"), ConfigurationError, "initialize"),
        (failed("ValidationException", "Odd"), BackendError, "Odd"),
        (aws.NoCredentialsError(), AccessDeniedError, "AWS_PROFILE"),
        (aws.EndpointConnectionError(**NOWHERE), BackendUnavailableError, "reached"),
        (aws.ReadTimeoutError(**NOWHERE), BackendTimeoutError, "in time"),
        (aws.ConnectTimeoutError(**NOWHERE), BackendTimeoutError, "in time"),
        (aws.ConnectionClosedError(**NOWHERE), BackendUnavailableError, "reached"),
    ],
)
def test_an_error_of_a_read_is_its_own_and_chained(answering, answer, expected, told):
    backend, client = answering(*[answer] * 8)
    for read in (lambda: backend.get(User, id="1"), lambda: backend.query(User).filter(id="1").count()):
        client.given = [answer] * 8
        with pytest.raises(expected) as caught:
            read()
        assert caught.value.__cause__ is answer
        assert caught.value.backend == "dynamodb"
        assert told in str(caught.value)
        assert "app" in str(caught.value)
        assert not isinstance(caught.value, mixstore_errors.NotFoundError)


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (aws.ReadTimeoutError(**NOWHERE), True),
        (aws.ConnectionClosedError(**NOWHERE), True),
        (aws.ConnectTimeoutError(**NOWHERE), False),
    ],
)
def test_a_write_without_an_answer_says_whether_it_may_have_happened(answering, answer, unknown):
    backend, client = answering(*[answer] * 8)
    with pytest.raises(BackendTimeoutError) as caught:
        backend.upsert(User, {"id": "1"})
    assert caught.value.outcome_unknown is unknown
    assert (caught.value.model, caught.value.key) == (User, "1")
    assert len(client.asked) == 8, "an upsert may be sent again"


def test_a_write_that_may_have_happened_stays_unknown_whatever_comes_after(answering):
    lost, throttled = failed("InternalServerError", status=500), failed("ThrottlingException")
    backend, _ = answering(lost, *[throttled] * 7)
    with pytest.raises(ThrottledError) as caught:
        backend.upsert(User, {"id": "1"})
    assert caught.value.outcome_unknown is True
    backend, _ = answering(*[throttled] * 8)
    with pytest.raises(ThrottledError) as caught:
        backend.upsert(User, {"id": "1"})
    assert caught.value.outcome_unknown is False


def test_a_batch_that_is_done_in_part_tells_the_outcome_of_each_row(answering):
    throttled = failed("ThrottlingException")
    backend, _ = answering({}, *[throttled] * 8)
    User.bind(backend)
    try:
        with pytest.raises(BatchError) as caught:
            User.batch_upsert([{"id": str(number)} for number in range(60)])
    finally:
        User.bind(None)
    assert list(caught.value.failed) == list(range(25, 60))
    assert isinstance(caught.value.failed[25], ThrottledError)
    assert "not tried" in str(caught.value.failed[59])


def test_creates_that_are_done_in_part_tell_the_outcome_of_each_row(answering):
    backend, _ = answering({}, *[failed("ThrottlingException")] * 8)
    User.bind(backend)
    try:
        with pytest.raises(BatchError) as caught:
            User.batch_create([{"id": str(number)} for number in range(250)])
    finally:
        User.bind(None)
    assert list(caught.value.failed) == list(range(100, 250))


def test_what_passes_is_tried_again_after_growing_pauses(answering):
    throttled = failed("ThrottlingException")
    backend, client = answering(throttled, throttled, aws.EndpointConnectionError(**NOWHERE), {"Item": None})
    assert backend.get(User, id="1") is None
    assert len(client.pauses) == 3
    assert all(0 <= pause <= 0.05 * 2**n for n, pause in enumerate(client.pauses))


def test_a_sum_whose_answer_was_lost_is_not_added_twice(answering):
    backend, client = answering(failed("InternalServerError", status=500), {})
    Tally.bind(backend)
    try:
        client.given.insert(0, {})
        tally = Tally.create(id="1")
        with pytest.raises(BackendUnavailableError, match="not known"):
            tally.increment("hits")
    finally:
        Tally.bind(None)
    assert [method for method, _ in client.asked] == ["put_item", "update_item"]


def test_a_sum_that_was_never_sent_is_sent_again(answering):
    stored = {"id": {"S": "1"}, "hits": {"N": "5"}, "pk": {"S": "TALLY#1"}, "sk": {"S": "METADATA"}}
    stored["entity_type"] = {"S": "Tally"}
    throttled = failed("ProvisionedThroughputExceededException")
    backend, _ = answering({}, throttled, {"Attributes": stored})
    Tally.bind(backend)
    try:
        assert Tally.create(id="1").increment("hits").hits == 5
    finally:
        Tally.bind(None)


def test_an_item_that_is_too_large_is_named_with_its_size(use):
    use(User)
    with pytest.raises(ValidationError, match=r"User takes 450,\d\d\d bytes") as caught:
        User.create(id="big", name="x" * 450_000)
    assert caught.value.key == "big"
    assert caught.value.model is User
    assert User.get("big") is None


def test_nothing_processed_time_after_time_is_throttling(answering):
    def nothing(request: dict[str, Any]) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    backend, _ = answering(*[nothing] * 8)
    with pytest.raises(ThrottledError, match="8 times"):
        backend.batch_get(User, ["1", "2"])


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ({"Code": "ValidationError", "Message": "Odd"}, ValidationError),
        ({"Code": "SomethingNew", "Message": "Odd"}, BackendError),
        ({"Code": "ProvisionedThroughputExceeded", "Message": "Odd"}, ThrottledError),
    ],
)
def test_a_transaction_that_fails_names_the_write(answering, reason, expected):
    backend, _ = answering(*[cancelled({"Code": "None"}, reason)] * 20)
    User.bind(backend)
    try:
        with pytest.raises(expected, match="Odd") as caught, backend.transaction():  # noqa: PT012
            User.create(id="1")
            User.create(id="2")
    finally:
        User.bind(None)
    assert isinstance(caught.value.__cause__, aws.ClientError)


def test_a_table_that_is_not_there_is_no_empty_one(dynamodb_client):
    backend = DynamoDBBackend("nowhere", client=dynamodb_client)
    for read in (
        lambda: backend.get(User, id="1"),
        lambda: backend.query(User).filter(id__in=["1", "2"]).all(),
        lambda: backend.create(User, {"id": "1"}),
    ):
        with pytest.raises(ConfigurationError, match=r"(?s)'nowhere' in eu-west-1.*initialize\(\).*another region"):
            read()


# -- a real client against a server that misbehaves ------------------------------------------------------------------


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", BackendTimeoutError),
        (over_http("500 Oops", b'{"__type":"com.amazonaws.dynamodb#InternalServerError"}'), BackendUnavailableError),
        (over_http("400 Bad", b'{"__type":"com.amazon.coral.service#ThrottlingException"}'), ThrottledError),
        (over_http("400 Bad", b'{"__type":"com.amazon.coral.service#ExpiredTokenException"}'), AccessDeniedError),
    ],
)
def test_a_client_of_its_own_leaves_trying_again_to_mixstore(served, answer, expected):
    backend = DynamoDBBackend("app", region_name="eu-west-1", endpoint_url=served(answer))
    backend.transport.attempts = 3
    pauses: list[float] = []
    backend.transport.pause = pauses.append
    with pytest.raises(expected) as caught:
        backend.create(User, {"id": "1"})
    assert caught.value.__cause__ is not None
    assert len(pauses) == (0 if expected is AccessDeniedError else 2)
    backend.transport.client.close()


@pytest.mark.usefixtures("keys")
def test_nobody_listening_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    backend = DynamoDBBackend.from_url(f"dynamodb://app?region=eu-west-1&endpoint=http://127.0.0.1:{port}")
    backend.transport.pause = lambda seconds: None
    with pytest.raises(BackendUnavailableError) as caught:
        backend.get(User, id="1")
    assert not getattr(caught.value, "outcome_unknown", False)
    backend.transport.client.close()


def test_no_secret_is_told():
    from mixstore_backends.dynamodb.errors import Place, translated

    secret = aws.ClientError({"Error": {"Code": "X", "Message": "m"}, "ResponseMetadata": {}}, "GetItem")
    assert "testing" not in str(translated(secret, "get_item", Place("t", "r", None), False))
    assert "testing" not in repr(DynamoDBBackend("t"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("dynamodb://", "names no table"),
        ("dynamodb://t/x", "names no table"),
        ("dynamodb://t?reigon=x", "did you mean 'region'"),
        ("dynamodb://t?consistent=maybe", "true or false"),
    ],
)
def test_a_url_with_a_mistake_is_refused(url, told):
    with pytest.raises(ConfigurationError, match=told):
        DynamoDBBackend.from_url(url)


def test_what_a_url_says_is_what_the_backend_has():
    backend = DynamoDBBackend.from_url("dynamodb://my.table-1?region=eu-west-1&consistent=false")
    assert (backend.table_name, backend.consistent) == ("my.table-1", False)
    assert backend.query(User).filter(id="1").explain().request["ConsistentRead"] is False


def test_a_region_is_needed(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(ConfigurationError, match="AWS_REGION") as caught:
        DynamoDBBackend("t").get(User, id="1")
    assert isinstance(caught.value, MixstoreError)


def test_a_client_and_its_parts_are_not_given_together(dynamodb_client):
    with pytest.raises(ConfigurationError):
        DynamoDBBackend("t", client=dynamodb_client, region_name="eu-west-1")


def test_without_boto3_one_line_says_what_to_install():
    code = "import sys; sys.modules['botocore'] = None\nimport mixstore\nmixstore.connect('dynamodb://t')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'mixstore[dynamodb]'" in done.stderr.strip().splitlines()[-1]
