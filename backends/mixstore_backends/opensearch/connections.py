"""The connections of clients that mixstore makes: of opensearch-py, without what urllib3 does anew for each request.

urllib3 opens them, and sends what is not the usual request: where a body is compressed, or something signs, times or
measures it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from opensearchpy import Urllib3HttpConnection
from opensearchpy.exceptions import ConnectionError as Unreached
from opensearchpy.exceptions import ConnectionTimeout
from opensearchpy.metrics.metrics_none import MetricsNone
from urllib3.exceptions import ClosedPoolError

from mixstore.exchange import FAILURES, Answer, exchange, message

_Logged = tuple[str, str, str, bytes | None]
"""Method, URL, path and body."""
_USUAL = frozenset({"GET", "POST", "PUT", "DELETE"})


class Connection(Urllib3HttpConnection):
    """To one host: with the errors and the log of opensearch-py."""

    def perform_request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
        ignore: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """(status, headers, body). Raises opensearch-py's errors."""
        target = f"{self.url_prefix}{url}" + (f"?{urlencode(params, safe='*,')}" if params else "")
        sent = None if timeout or method not in _USUAL else self._message(method, target, headers or {}, body)
        pool = self.pool
        connection = None if sent is None or pool is None else self._open_one(pool)
        if connection is None or sent is None:
            return super().perform_request(method, url, params, body, timeout, ignore, headers)
        start, told = time.time(), (method, self.host + target, target, body)
        kept = False
        try:
            answer, kept = exchange(connection.sock, method, sent)
            text = answer.content.decode("utf-8", "surrogatepass")
        except FAILURES as error:
            self.log_request_fail(*told, time.time() - start, exception=error)
            if isinstance(error, TimeoutError):
                raise ConnectionTimeout("TIMEOUT", str(error), error) from error
            raise Unreached("N/A", str(error), error) from error
        finally:
            if not kept:
                connection.close()
            pool._put_conn(connection)
        return self._told(answer, text, ignore, told, time.time() - start)

    def _told(self, answer: Answer, text: str, ignore: Collection[int], told: _Logged, seconds: float) -> Any:
        status = answer.status
        if "warning" in answer.headers:
            self._raise_warnings([answer.headers["warning"]])
        if not (200 <= status < 300) and status not in ignore:
            self.log_request_fail(*told, seconds, status, text)
            self._raise_error(status, text, answer.headers.get("content-type"))
        self.log_request_success(*told, status, text, seconds)
        return status, answer.headers, text

    def _message(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes | None:
        """The request as it travels; None for one that urllib3 is to send."""
        if self.http_compress or callable(self.http_auth) or type(self.metrics) is not MetricsNone:
            return None
        length = {} if body is None and method in ("GET", "DELETE") else {"Content-Length": str(len(body or b""))}
        all_headers = {**self.headers, **headers, **length}
        return message(method, target, self._host, all_headers.items(), body or b"")

    @property
    def _host(self) -> str:
        """The host as a request tells it."""
        host = self.host.partition("://")[2]
        return host.removesuffix(":443" if self.use_ssl else ":80")

    def _open_one(self, pool: Any) -> Any:
        """A connection that is open, which nobody else uses meanwhile; None if there is none, or no way to tell.

        No public name of urllib3 lends one; where its own are called otherwise, it sends all requests itself.
        """
        take, give = getattr(pool, "_get_conn", None), getattr(pool, "_put_conn", None)
        if take is None or give is None:
            return None
        try:
            connection = take()
        except ClosedPoolError:
            return None
        if connection.sock is None:
            give(connection)
            return None
        if connection.sock.gettimeout() != self.timeout:  # a request before had one of its own
            connection.sock.settimeout(self.timeout)
        return connection
