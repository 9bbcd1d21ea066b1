"""Requests over connections that are open: the first of each test is botocore's, which opens one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.session import Session

from mixstore import BackendTimeoutError, BackendUnavailableError, ConfigurationError, Field, Model
from mixstore_backends.dynamodb import DynamoDBBackend
from tests.backends.shared.scripted import CLOSE, SILENCE, Scripted, answer, authority_file, scripted


class Thing(Model):
    id: str = Field(primary_key=True)
    text: str = ""


def item(text: str = "") -> bytes:
    return json.dumps({"Item": {"pk": {"S": "THING#1"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "Thing"},
                                "id": {"S": "1"}, "text": {"S": text}}}).encode()  # fmt: skip


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[Scripted]:
    with scripted(request.param) as made:
        yield made


@pytest.fixture
def store(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBBackend]:
    """A backend that tries once, and waits no longer than tests do."""
    monkeypatch.setattr("mixstore_backends.dynamodb.clients.READ_SECONDS", 2)
    session = Session()
    session.set_credentials("testing", "testing")
    session.set_config_variable("ca_bundle", authority_file())
    backend = DynamoDBBackend("app", session=session, region_name="eu-west-1", endpoint_url=server.address)
    backend.transport.attempts = 1
    yield backend
    backend.transport.client.close()


@pytest.fixture
def reads(server: Scripted, store: DynamoDBBackend) -> Callable[..., Any]:
    """`reads(*pieces)`: what a read gets that is answered so, over a connection that is open."""

    def read(*pieces: Any) -> Any:
        server.script += [[answer(item("first"))], list(pieces)]
        assert store.get(Thing, id="1") == {"id": "1", "text": "first"}
        return store.get(Thing, id="1")

    return read


def test_the_second_request_goes_over_the_connection_of_the_first_and_is_the_same(server, reads):
    assert reads(answer(item("second"))) == {"id": "1", "text": "second"}
    assert server.connections == 1
    first, second = (dict(_lines(one)) for one in server.came)
    assert first.keys() == second.keys()
    changing = {"x-amz-date", "authorization"}
    assert {name: first[name] for name in first.keys() - changing} == {
        name: second[name] for name in second.keys() - changing
    }
    assert server.came[0].partition(b"\r\n\r\n")[2] == server.came[1].partition(b"\r\n\r\n")[2]


def _lines(request: bytes) -> Iterator[tuple[str, str]]:
    for line in request.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
        name, _, value = line.partition(": ")
        yield name.lower(), value


@pytest.mark.parametrize(
    "pieces",
    [
        [answer(item("x" * 200_000))],
        [answer(item("x" * 200_000))[:40], answer(item("x" * 200_000))[40:]],
        [answer(item("x" * 200_000)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n", item("x" * 200_000)],
        [b"HTTP/1.1 100 Continue\r\n\r\n" + answer(item("x" * 200_000))],
        [answer(item("x" * 200_000)).replace(b"Content-Length: ", b"Content-Length:   ")],
    ],
    ids=["whole", "a head in two pieces", "head and body", "a word before it", "spaces"],
)
def test_an_answer_is_read_however_it_comes(server, store, reads, pieces):
    assert reads(*pieces) == {"id": "1", "text": "x" * 200_000}
    server.script.append([answer(item("third"))])
    assert store.get(Thing, id="1") == {"id": "1", "text": "third"}
    assert server.connections == 1


def test_an_answer_in_chunks_is_read(server, store, reads):
    body = item("in chunks")
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (body[:9], body[9:], b""))
    assert reads(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)["text"] == "in chunks"
    server.script.append([answer(item("third"))])
    assert store.get(Thing, id="1") == {"id": "1", "text": "third"}
    assert server.connections == 1


@pytest.mark.parametrize(
    "pieces",
    [
        [answer(item("last"), "Connection: close")],
        [b"HTTP/1.0 200 OK\r\n\r\n" + item("last"), CLOSE],
        [answer(item("last")) + b"too much"],
    ],
    ids=["that says so", "of HTTP/1.0", "with more than it said"],
)
def test_after_an_answer_that_is_the_last_of_its_connection_another_is_opened(server, store, reads, pieces):
    assert reads(*pieces) == {"id": "1", "text": "last"}
    server.script.append([answer(item("third"))])
    assert store.get(Thing, id="1") == {"id": "1", "text": "third"}
    assert server.connections == 2


@pytest.mark.parametrize(
    "pieces", [[CLOSE], [answer(item("half"))[:60], CLOSE], [answer(item("half"))[:-5], CLOSE], [b"what?\r\n\r\n"]]
)
def test_a_connection_that_is_lost_on_the_way_is_an_error_and_not_used_again(server, store, reads, pieces):
    with pytest.raises(BackendUnavailableError, match="can't be reached"):
        reads(*pieces)
    server.script.append([answer(item("third"))])
    assert store.get(Thing, id="1") == {"id": "1", "text": "third"}
    assert server.connections == 2


def test_no_answer_in_time_is_an_error_and_its_connection_not_used_again(server, store, reads):
    with pytest.raises(BackendTimeoutError):
        reads(SILENCE)
    server.script.append([answer(item("third"))])
    assert store.get(Thing, id="1") == {"id": "1", "text": "third"}
    assert server.connections == 2


def test_a_write_of_which_no_answer_tells_is_of_unknown_outcome(server, store, reads):
    assert reads(answer(item("second")))
    server.script.append([CLOSE])
    with pytest.raises(BackendTimeoutError) as caught:
        store.upsert(Thing, {"id": "1"})
    assert caught.value.outcome_unknown


def test_a_connection_that_was_closed_while_nobody_used_it_is_opened_again(server, store):
    server.script += [[answer(item("first")), CLOSE], [answer(item("second"))]]
    assert store.get(Thing, id="1")["text"] == "first"
    assert server.hung_up.wait(5)
    assert store.get(Thing, id="1")["text"] == "second"
    assert server.connections == 2


def test_a_refusal_is_understood(server, store, reads):
    body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"gone"}'
    with pytest.raises(ConfigurationError, match="it is not there"):
        reads(answer(body, status="400 Bad Request"))


def test_a_client_that_was_closed_opens_its_connections_again(server, store, reads):
    assert reads(answer(item("second")))
    store.transport.client.close()
    for text in ("third", "fourth", "fifth"):
        server.script.append([answer(item(text))])
        assert store.get(Thing, id="1")["text"] == text
    assert server.connections == 2


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_a_proxy_is_left_to_botocore(server):
    session = Session()
    session.set_credentials("testing", "testing")
    session.set_default_client_config(Config(proxies={"http": server.address}))
    backend = DynamoDBBackend("app", session=session, region_name="eu-west-1", endpoint_url="http://elsewhere.test")
    for text in ("first", "second"):
        server.script.append([answer(item(text))])
        assert backend.get(Thing, id="1")["text"] == text
    assert {one.partition(b" HTTP")[0] for one in server.came} == {b"POST http://elsewhere.test/"}
    backend.transport.client.close()


def test_a_header_with_a_line_break_is_refused_as_botocore_does(server, store, reads):
    assert reads(answer(item("second")))

    def smuggle(request: Any, **_: Any) -> None:
        request.headers["X-Odd"] = "a\r\nX-More: b"

    store.transport.client.meta.events.register("before-send.dynamodb.GetItem", smuggle)
    with pytest.raises(Exception, match="header"):
        store.get(Thing, id="1")
    assert len(server.came) == 2
