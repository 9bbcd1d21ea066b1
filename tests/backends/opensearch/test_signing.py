"""Requests that are signed for Amazon OpenSearch Service: checked by what botocore signs, at a server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mixstore import ConfigurationError
from mixstore_backends.opensearch import OpenSearchBackend
from tests.backends.opensearch.models import Todo


class Seen:
    """What a server was asked: (method, path, headers, body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        seen = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen.requests.append((self.command, self.path, headers, self.rfile.read(length)))
                body = b'{"items": [{"create": {"status": 201}}]}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = answer

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@pytest.fixture
def seen() -> Iterator[Seen]:
    made = Seen()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")


@pytest.mark.parametrize(("more", "service"), [("", "es"), ("&service=aoss", "aoss")])
def test_a_request_has_the_signature_that_aws_expects(seen: Seen, more: str, service: str) -> None:
    url = f"opensearch://127.0.0.1:{seen.port}?tls=false&refresh=false&sigv4=eu-west-1{more}"
    with OpenSearchBackend.from_url(url) as backend:
        backend.create(Todo, {"user": "ann", "number": 1})
    ((method, path, headers, body),) = seen.requests
    scheme, scope, signed, signature = headers["authorization"].replace(",", "").split()
    assert scheme == "AWS4-HMAC-SHA256"
    assert scope.startswith("Credential=testing/")
    assert scope.endswith(f"/eu-west-1/{service}/aws4_request")
    names = signed.removeprefix("SignedHeaders=").split(";")
    asked = AWSRequest(method, f"http://127.0.0.1:{seen.port}{path}", {name: headers[name] for name in names}, body)
    asked.context["timestamp"] = headers["x-amz-date"]
    mine = SigV4Auth(Credentials("testing", "testing", "testing"), service, "eu-west-1")
    canonical = mine.canonical_request(asked)
    assert signature == f"Signature={mine.signature(mine.string_to_sign(asked, canonical), asked)}"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sigv4=", "sigv4 is a region"),
        ("sigv4=eu-west-1&service=ess", "did you mean 'es'"),
        ("service=es", "service is for signed requests"),
    ],
)
def test_a_wrong_option_is_refused(query: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        OpenSearchBackend.from_url(f"opensearch://host?{query}")
    with pytest.raises(ConfigurationError, match="not both") as caught:
        OpenSearchBackend.from_url("opensearch://me:testing@host?sigv4=eu-west-1")
    assert "testing" not in str(caught.value)


def test_without_credentials_there_is_one_line_that_says_where_they_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="no credentials of AWS"):
        OpenSearchBackend.from_url("opensearch://host?sigv4=eu-west-1")


def test_signed_requests_travel_by_tls_unless_it_is_said() -> None:
    with OpenSearchBackend.from_url("opensearch://host:443?sigv4=eu-west-1") as backend:
        assert backend.client.transport.get_connection().host == "https://host:443"
