"""Requests over connections that are open already, and their answers, without what urllib3 does anew for each.

botocore opens the connections: so that proxies, certificates, the time to connect and their errors are its own. One
that is open and free takes a request as bytes, and a plain answer (HTTP/1.1 with a length) is cut out of what comes;
any other is read by `http.client`. Where botocore or urllib3 keep their connections elsewhere, or a request goes by a
proxy, botocore sends it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from urllib3.exceptions import ClosedPoolError

CHUNK = 65536
_UNUSUAL = (b"transfer-encoding", b"content-encoding", b"\r\n ", b"\r\n\t")
"""What of a head, in lower case, asks for more than a length."""


class Answer(NamedTuple):
    """An answer of HTTP."""

    status: int
    headers: dict[str, str]
    content: bytes

    def stream(self) -> Iterator[bytes]:
        """The content, as botocore asks for it."""
        yield self.content


class Connections:
    """Those of one HTTP session of botocore, which closes them: here they are known as long as they are there."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._pools: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def send(self, request: Any, host: str) -> Any:
        """botocore's answer to a prepared request, which is a POST to the root of a host. Errors are botocore's."""
        pool, message = self._pools.get(request.url), _message(request, host)
        connection = None if pool is None or message is None else self._open_one(request.url, pool)
        if connection is None:
            answer = self._session.send(request)
            if pool is None:
                self._remember(request.url)
            return answer
        kept = False
        try:
            answer, kept = _exchange(connection.sock, message)
            return AWSResponse(request.url, answer.status, answer.headers, answer)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, HTTPException) as error:
            raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
        finally:
            if not kept:
                connection.close()
            pool._put_conn(connection)

    def _open_one(self, url: str, pool: Any) -> Any:
        """A connection that is open, which nobody else uses meanwhile; None if there is none."""
        try:
            connection = pool._get_conn()
        except ClosedPoolError:
            self._pools.pop(url, None)
            return None
        if connection.sock is not None:
            return connection
        pool._put_conn(connection)
        return None

    def _remember(self, url: str) -> None:
        """Find where botocore has put the connection of a request that it sent; no public name tells."""
        with suppress(AttributeError):
            if self._session._proxy_config.proxy_url_for(url) is None:
                pool = self._session._manager.connection_from_url(url)
                if callable(pool._get_conn) and callable(pool._put_conn):
                    self._pools[url] = pool


def _message(request: Any, host: str) -> bytes | None:
    """A request as it travels; None for one whose headers hold what they can't."""
    headers = [f"{name}: {_text(value)}" for name, value in request.headers.items()]
    lines = ["POST / HTTP/1.1", f"Host: {host}", "Accept-Encoding: identity", *headers]
    try:
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        return None
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        return None
    return head + request.body


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _exchange(sock: Any, message: bytes) -> tuple[Answer, bool]:
    """The answer to a request, and whether the connection can take another one."""
    with suppress(BrokenPipeError):  # it may have answered before it had all
        sock.sendall(message)
    got = sock.recv(CHUNK)
    end = got.find(b"\r\n\r\n")
    head = got[:end].lower() if end > 0 else b""
    length = _length(head)
    if length is None:
        return _patiently(sock, got)
    content = got[end + 4 :]
    if len(content) < length:
        content = _rest(sock, content, length)
    kept = len(content) == length and b"\r\nconnection: close" not in head
    lines = [line.partition(": ") for line in got[:end].decode("latin-1").split("\r\n")[1:]]
    return Answer(int(head[9:12]), {name.lower(): value for name, _, value in lines}, content[:length]), kept


def _length(head: bytes) -> int | None:
    """How many bytes follow a head (in lower case), if it is a plain one; None if it has to be looked at closely."""
    status = head[9:12]
    if not (status == b"200" or (status.isdigit() and status[:1] in (b"4", b"5"))) or head[:9] != b"http/1.1 ":
        return None
    if any(mark in head for mark in _UNUSUAL):
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


def _patiently(sock: Any, got: bytes) -> tuple[Answer, bool]:
    """As `_exchange`, of any answer of which some bytes have come."""
    response = HTTPResponse(_Replayed(sock, got), method="POST")  # type: ignore[arg-type]
    response.begin()
    content = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, content), not response.will_close


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
