"""Servers on this machine, for clients that really send: one that works, and one that misbehaves."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import pytest


@pytest.fixture(scope="session")
def dynamodb_server() -> Iterator[str]:
    """The address of moto as a server, or of the engine at MIXSTORE_TEST_DYNAMODB."""
    endpoint = os.environ.get("MIXSTORE_TEST_DYNAMODB")
    if endpoint:
        yield endpoint
        return
    with moto() as address:
        yield address


@contextmanager
def moto() -> Iterator[str]:
    """moto as a server. Requests wait for each other: it forgets what others write during a transaction."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            """Nothing."""

    app, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def one_at_a_time(environ: Any, start: Any) -> Iterable[bytes]:
        with turn:
            return list(app(environ, start))

    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def served() -> Iterator[Callable[[bytes], str]]:
    """`served(answer)`: the address of a server on this machine that answers so, and hangs up, each time."""
    listener = socket.create_server(("127.0.0.1", 0))
    answers: list[bytes] = []

    def work() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                received = connection.recv(65536)
                if received and answers[0]:
                    connection.sendall(answers[0])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def serve(answer: bytes) -> str:
        answers.append(answer)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def over_http(status: str, body: bytes) -> bytes:
    """An answer of HTTP."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


def checked(body: bytes, checksum: int | None = None) -> bytes:
    """A good answer with its checksum, or with another one."""
    told = crc32(body) if checksum is None else checksum
    return over_http(f"200 OK\r\nx-amz-crc32: {told}", body)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for a client that is made here."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
