"""A server that answers each operation of DynamoDB with bytes that are ready: what it costs is not the client's.

    python stub.py

reads one line of JSON, {operation: body}, prints the port that it listens on, on loopback, and ends with its standard
input. Answers carry the checksum that DynamoDB gives, so that clients check it.
"""

from __future__ import annotations

import asyncio
import json
import sys
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
            del self.got[:whole]
            self.transport.write(self.ready[headers[b"x-amz-target"].rpartition(b".")[2]])


def answer(body: str) -> bytes:
    """A whole answer of HTTP with this body."""
    encoded = body.encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: stub\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(encoded)}\r\nConnection: keep-alive\r\nx-amzn-RequestId: STUB\r\n"
        f"x-amz-crc32: {crc32(encoded)}\r\n\r\n"
    )
    return head.encode() + encoded


async def serve() -> None:
    """Answer until nobody is left who wants to hear it."""
    loop = asyncio.get_running_loop()
    told = await loop.run_in_executor(None, sys.stdin.readline)
    ready = {operation.encode(): answer(body) for operation, body in json.loads(told).items()}
    server = await loop.create_server(lambda: Answers(ready), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
