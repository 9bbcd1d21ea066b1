"""A server on this machine that answers as a script says, and keeps what it was asked."""

from __future__ import annotations

import atexit
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from tempfile import NamedTemporaryFile
from typing import Any
from zlib import crc32

import trustme

CLOSE = b""
"""In a script: hang up."""
SILENCE = "silence"


@dataclass
class Scripted:
    """A server that answers each request with the next entry of its script, in pieces; `came` are the requests."""

    address: str = ""
    script: list[list[Any]] = field(default_factory=list)
    came: list[bytes] = field(default_factory=list)
    connections: int = 0
    hung_up: threading.Event = field(default_factory=threading.Event)
    tls: ssl.SSLContext | None = None

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._use, args=(connection,), daemon=True).start()

    def _use(self, connection: socket.socket) -> None:
        with suppress(ssl.SSLError), self._dressed(connection) as dressed:
            self._talk(dressed)
        self.hung_up.set()

    def _dressed(self, connection: socket.socket) -> socket.socket:
        return connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True)

    def _talk(self, connection: socket.socket) -> None:
        while (request := _one_request(connection)) and self.script:
            self.came.append(request)
            for piece in self.script.pop(0):
                if piece == SILENCE:
                    connection.recv(1)
                if piece in (CLOSE, SILENCE):
                    return
                connection.sendall(piece)


def _one_request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        part = connection.recv(65536)
        if not part:
            return b""
        got += part
    head, _, body = got.partition(b"\r\n\r\n")
    told = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    length = int(told[0].partition(b":")[2]) if told else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes, *more: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"x-amz-crc32: {crc32(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


@cache
def authority() -> trustme.CA:
    """Who signs the certificate of a server that speaks TLS."""
    return trustme.CA()


@cache
def authority_file() -> str:
    """The file of its certificate, for clients to trust; it goes with the process."""
    with NamedTemporaryFile(suffix=".pem", delete=False) as file:
        file.write(authority().cert_pem.bytes())
    atexit.register(os.unlink, file.name)
    return file.name


@contextmanager
def scripted(scheme: str = "http") -> Iterator[Scripted]:
    """A server that runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Scripted(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    if scheme == "https":
        made.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority().issue_cert("127.0.0.1").configure_cert(made.tls)
    thread = threading.Thread(target=made.serve, args=(listener,), daemon=True)
    thread.start()
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
