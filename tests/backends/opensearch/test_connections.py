"""Requests over connections that are open, by a client that mixstore makes: the first of each test opens one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearchWarning

from mixstore import BackendTimeoutError, BackendUnavailableError, DuplicateKeyError, Field, Model
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_backends.opensearch.clients import client_for
from tests.backends.shared.scripted import CLOSE, SILENCE, Scripted, answer, authority_file, scripted

JSON = "Content-Type: application/json; charset=UTF-8"


class Thing(Model):
    id: str = Field(primary_key=True)
    text: str = ""


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[Scripted]:
    with scripted(request.param) as made:
        yield made


@pytest.fixture
def store(server: Scripted) -> Iterator[OpenSearchBackend]:
    scheme, _, place = server.address.partition("://")
    url = f"opensearch://ann:secret@{place}?timeout=2&refresh=false"
    with OpenSearchBackend.from_url(f"{url}&tls=true&ca={authority_file()}" if scheme == "https" else url) as backend:
        yield backend


def found(text: str) -> bytes:
    return answer(json.dumps({"found": True, "_source": {"id": "1", "text": text}}).encode(), JSON)


@pytest.fixture
def reads(server: Scripted, store: OpenSearchBackend) -> Callable[..., Any]:
    """`reads(*pieces)`: what a read gets that is answered so, over a connection that is open."""

    def read(*pieces: Any) -> Any:
        server.script += [[found("first")], list(pieces)]
        assert store.get(Thing, id="1") == {"id": "1", "text": "first"}
        return store.get(Thing, id="1")

    return read


def headers(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    told = [line.partition(": ") for line in lines[1:]]
    return {"": lines[0], **{name.lower(): value for name, _, value in told}}


def test_the_second_request_goes_over_the_connection_of_the_first_and_is_the_same(server, reads):
    assert reads(found("second")) == {"id": "1", "text": "second"}
    assert server.connections == 1
    first, second = map(headers, server.came)
    assert first == second
    assert "authorization" in first


def test_a_write_is_sent_as_urllib3_sends_it(server, store):
    written = answer(b'{"items":[{"index":{"status":201}}]}', JSON, status="200 OK")
    server.script += [[written], [written]]
    for _ in range(2):
        store.upsert(Thing, {"id": "é", "text": "ü"})
    first, second = server.came
    assert server.connections == 1
    assert first.partition(b"\r\n\r\n")[2] == second.partition(b"\r\n\r\n")[2] != b""
    assert headers(first) == headers(second)


def test_a_key_beyond_ascii_is_told_in_the_path_as_before(server, store):
    server.script += [[found("one")], [found("two")]]
    for text in ("one", "two"):
        assert store.get(Thing, id="é /?#")["text"] == text
    assert headers(server.came[0]) == headers(server.came[1])


def test_what_is_not_there_is_an_answer_too(server, store, reads):
    assert reads(answer(b'{"found":false}', JSON, status="404 Not Found")) is None


def test_a_refusal_of_a_request_is_understood(server, store, reads):
    refusal = {"error": {"type": "es_rejected_execution_exception", "reason": "full"}, "status": 503}
    with pytest.raises(BackendUnavailableError, match="not ready"):
        reads(answer(json.dumps(refusal).encode(), JSON, status="503 Service Unavailable"))


def test_a_taken_key_is_told(server, store, reads):
    reads(found("second"))
    error = {"type": "version_conflict_engine_exception", "reason": "it is there"}
    server.script.append([answer(json.dumps({"items": [{"create": {"status": 409, "error": error}}]}).encode(), JSON)])
    with pytest.raises(DuplicateKeyError):
        store.create(Thing, {"id": "1"})


@pytest.mark.parametrize("pieces", [[CLOSE], [found("half")[:-5], CLOSE], [b"what?\r\n\r\n"]])
def test_a_read_whose_connection_is_lost_is_asked_again_over_another(server, store, reads, pieces):
    server.script += [[found("first")], pieces, [found("again")]]
    assert store.get(Thing, id="1")["text"] == "first"
    assert store.get(Thing, id="1")["text"] == "again"
    assert server.connections == 2


def test_a_write_whose_connection_is_lost_is_of_unknown_outcome_and_sent_once(server, store, reads):
    reads(found("second"))
    server.script.append([CLOSE])
    with pytest.raises(BackendUnavailableError) as caught:
        store.upsert(Thing, {"id": "1"})
    assert caught.value.outcome_unknown
    assert len(server.came) == 3


def test_no_answer_in_time_is_an_error_and_its_connection_not_used_again(server, store, reads):
    with pytest.raises(BackendTimeoutError):
        reads(SILENCE)
    server.script.append([found("third")])
    assert store.get(Thing, id="1")["text"] == "third"
    assert server.connections == 2


def test_a_request_with_a_time_of_its_own_leaves_none_to_the_next(server, store, reads):
    reads(found("second"))
    server.script.append([answer(b"{}", JSON)])
    store.client.transport.perform_request("GET", "/", params={"request_timeout": 60})
    with pytest.raises(BackendTimeoutError):
        reads(SILENCE)


def test_warnings_of_the_engine_are_told(server, store, reads):
    told = '299 OpenSearch-3.0.0-abc "this goes away"', '299 OpenSearch-3.0.0-abc "that too"'
    body = found("second").partition(b"\r\n\r\n")[2]
    with pytest.warns(OpenSearchWarning, match="this goes away"), pytest.warns(OpenSearchWarning, match="that too"):
        reads(answer(body, JSON, *(f"Warning: {one}" for one in told)))


def test_what_is_sent_is_in_the_log_of_opensearch_py(server, store, reads, caplog):
    caplog.set_level(logging.INFO, "opensearch")
    reads(found("second"))
    first, second = [record.getMessage().partition(" request:")[0] for record in caplog.records]
    assert first == second
    assert second.endswith("/thing/_doc/1 [status:200")


def test_a_urllib3_that_lends_no_connection_sends_all_requests(store):
    connection = store.client.transport.get_connection()
    assert connection._open_one(connection.pool) is None  # none is open
    assert connection._open_one(object()) is None


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_a_client_that_compresses_sends_by_urllib3(server):
    host, port = server.address.removeprefix("http://").split(":")
    client = client_for([{"host": host, "port": int(port)}], http_compress=True)
    for _ in range(2):
        server.script.append([answer(b"{}", JSON)])
        client.transport.perform_request("POST", "/_x", body={"a": 1})
    assert [headers(one)["content-encoding"] for one in server.came] == ["gzip", "gzip"]
    client.close()


def test_a_closed_client_opens_its_connections_again(server, store, reads):
    reads(found("second"))
    store.client.close()
    for text in ("third", "fourth"):
        server.script.append([found(text)])
        assert store.get(Thing, id="1")["text"] == text
    assert server.connections == 2
