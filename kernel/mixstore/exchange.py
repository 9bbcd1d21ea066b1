"""One request of HTTP and its answer, over a socket that is open: for backends whose drivers do much more for each.

A plain answer (HTTP/1.1 with a length) is cut out of what comes; any other is read by `http.client`. Whoever owns the
socket connects, waits as long as it is set to wait, and closes it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple

FAILURES = (OSError, HTTPException)
"""What is raised where the connection is lost on the way, or what comes is not HTTP; TimeoutError is one of them."""
CHUNK = 65536
_UNUSUAL = (b"transfer-encoding", b"content-encoding", b"\r\n ", b"\r\n\t")
"""What of a head, in lower case, asks for more than a length."""


class Answer(NamedTuple):
    """An answer of HTTP. headers: by their names in lower case, those that came twice joined by commas."""

    status: int
    headers: dict[str, str]
    content: bytes

    def stream(self) -> Iterator[bytes]:
        """The content, in one piece."""
        yield self.content


def message(
    method: str, target: str, host: str, headers: Iterable[tuple[str, str | bytes]], body: bytes
) -> bytes | None:
    """A request as it travels; None if a header (or the target) holds what it can't."""
    if " " in target or not target.isascii():
        return None
    told = [f"{name}: {value if isinstance(value, str) else value.decode('latin-1')}" for name, value in headers]
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Accept-Encoding: identity", *told]
    try:
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        return None
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        return None
    return head + body


def exchange(sock: Any, method: str, sent: bytes) -> tuple[Answer, bool]:
    """The answer to a `message()`, and whether the connection can take another one. Raises FAILURES."""
    with suppress(BrokenPipeError):  # it may have answered before it had all
        sock.sendall(sent)
    got = sock.recv(CHUNK)
    end = got.find(b"\r\n\r\n")
    head = got[:end].lower() if end > 0 else b""
    length = _length(head)
    if length is None:
        return _patiently(sock, method, got)
    content = got[end + 4 :]
    if len(content) < length:
        content = _rest(sock, content, length)
    kept = len(content) == length and b"\r\nconnection: close" not in head
    lines = [line.partition(": ") for line in got[:end].decode("latin-1").split("\r\n")[1:]]
    return Answer(int(head[9:12]), _by_name([(name, value) for name, _, value in lines]), content[:length]), kept


def _by_name(headers: list[tuple[str, str]]) -> dict[str, str]:
    found = {name.lower(): value for name, value in headers}
    if len(found) < len(headers):
        return {one: ", ".join([value for name, value in headers if name.lower() == one]) for one in found}
    return found


def _length(head: bytes) -> int | None:
    """How many bytes follow a head (in lower case), if it is a plain one; None if it has to be looked at closely."""
    status = head[9:12]
    with_body = status in (b"200", b"201") or (status.isdigit() and status[:1] in (b"4", b"5"))
    if not with_body or head[:9] != b"http/1.1 " or any(mark in head for mark in _UNUSUAL):
        return None
    _, found, rest = head.partition(b"\r\ncontent-length: ")
    told = rest.partition(b"\r\n")[0]
    if not found or not told.isdigit() or b"\r\ncontent-length" in rest:
        return None
    return int(told)


def _rest(sock: Any, content: bytes, length: int) -> bytes:
    parts, lacking = [content], length - len(content)
    while lacking > 0:
        part = sock.recv(min(lacking, CHUNK))
        if not part:
            raise ConnectionResetError(f"{lacking} bytes of the answer did not come")
        parts.append(part)
        lacking -= len(part)
    return b"".join(parts)


def _patiently(sock: Any, method: str, got: bytes) -> tuple[Answer, bool]:
    """As `exchange`, of any answer of which some bytes have come."""
    response = HTTPResponse(_Replayed(sock, got), method=method)  # type: ignore[arg-type]
    response.begin()
    content = response.read()
    return Answer(response.status, _by_name(response.getheaders()), content), not response.will_close


class _Replayed(io.RawIOBase):
    """What `http.client` takes for a socket: the bytes that have come already, then the others."""

    def __init__(self, sock: Any, got: bytes) -> None:
        self._sock = sock
        self._got = got

    def makefile(self, mode: str) -> io.BufferedReader:
        """The file to read from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        part = self._got[: len(into)] if self._got else self._sock.recv(len(into))
        self._got = self._got[len(part) :] if self._got else b""
        into[: len(part)] = part
        return len(part)
