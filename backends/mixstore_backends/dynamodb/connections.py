"""Requests over connections that are open already, without what urllib3 does anew for each.

botocore opens the connections: so that proxies, certificates, the time to connect and their errors are its own. Where
botocore or urllib3 keep their connections elsewhere, or a request goes by a proxy, botocore sends it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from urllib3.exceptions import ClosedPoolError

from mixstore.exchange import FAILURES, exchange, message


class Connections:
    """Those of one HTTP session of botocore, which closes them: here they are known as long as they are there."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._pools: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def send(self, request: Any, host: str) -> Any:
        """botocore's answer to a prepared request, which is a POST to the root of a host. Errors are botocore's."""
        pool = self._pools.get(request.url)
        sent = message("POST", "/", host, request.headers.items(), request.body)
        connection = None if pool is None or sent is None else self._open_one(request.url, pool)
        if connection is None or pool is None or sent is None:
            answer = self._session.send(request)
            if pool is None:
                self._remember(request.url)
            return answer
        kept = False
        try:
            answer, kept = exchange(connection.sock, "POST", sent)
            return AWSResponse(request.url, answer.status, answer.headers, answer)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except FAILURES as error:
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
