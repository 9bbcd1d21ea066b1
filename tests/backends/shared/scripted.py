"""A server on this machine that answers as a script says, and keeps what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

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

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._use, args=(connection,), daemon=True).start()

    def _use(self, connection: socket.socket) -> None:
        with connection:
            self._talk(connection)
        self.hung_up.set()

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


@contextmanager
def scripted() -> Iterator[Scripted]:
    """A server that runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}")
    thread = threading.Thread(target=made.serve, args=(listener,), daemon=True)
    thread.start()
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
