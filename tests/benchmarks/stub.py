"""A server that answers each operation of a store with bytes that are ready: what it costs is not the client's.

    python stub.py

reads one line of JSON, {operation: body}, prints the port that it listens on, on loopback, and ends with its standard
input. Answers carry the checksum that DynamoDB gives, so that clients check it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from zlib import crc32


class Answers(asyncio.Protocol):
    """One connection, kept open; requests come one after the other."""

    def __init__(self, ready: dict[bytes, bytes]) -> None:
        self.ready = ready
        self.got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            headers = dict(line.split(b": ", 1) for line in bytes(self.got[:end]).split(b"\r\n")[1:])
            headers = {name.lower(): value for name, value in headers.items()}
            whole = end + 4 + int(headers.get(b"content-length", 0))
            if len(self.got) < whole:
                return
            line, body = bytes(self.got[: self.got.find(b"\r\n")]), bytes(self.got[end + 4 : whole])
            del self.got[:whole]
            self.transport.write(self.ready[asked(line, headers, body)])


def asked(line: bytes, headers: dict[bytes, bytes], body: bytes) -> bytes:
    """The operation of DynamoDB, or of OpenSearch: method and name, for a bulk with the number of its lines, and
    "filtered" if it asks for a part of the answer only.
    """
    if b"x-amz-target" in headers:
        return headers[b"x-amz-target"].rpartition(b".")[2]
    method, url, _ = line.split(b" ")
    path, _, query = url.partition(b"?")
    words = [method, next(part for part in path.split(b"/") if part[:1] == b"_")]
    words += [b"%d" % body.count(b"\n")] if words[1] == b"_bulk" else []
    return b" ".join([*words, b"filtered"] if b"filter_path" in query else words)


def answer(body: str, amazon: bool) -> bytes:
    """A whole answer of HTTP with this body; `amazon` says that it is one of DynamoDB."""
    encoded = body.encode()
    kind = "application/x-amz-json-1.0" if amazon else "application/json; charset=UTF-8"
    head = (
        f"HTTP/1.1 200 OK\r\nServer: stub\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(encoded)}\r\nConnection: keep-alive\r\nx-amzn-RequestId: STUB\r\n"
        f"x-amz-crc32: {crc32(encoded)}\r\n\r\n"
    )
    return head.encode() + encoded


@contextmanager
def serving(ready: Mapping[str, Any]) -> Iterator[int]:
    """The port of a server in another process that answers each operation so."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps({operation: json.dumps(body) for operation, body in ready.items()}) + "\n")
        server.stdin.flush()
        yield int(server.stdout.readline())
        server.stdin.close()


async def serve() -> None:
    """Answer until nobody is left who wants to hear it."""
    loop = asyncio.get_running_loop()
    told = await loop.run_in_executor(None, sys.stdin.readline)
    ready = {
        operation.encode(): answer(body, amazon=" " not in operation) for operation, body in json.loads(told).items()
    }
    server = await loop.create_server(lambda: Answers(ready), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
