"""A proxy on loopback in front of an engine that speaks DynamoDB's protocol: what happens to requests on their way.

`FaultyProxy(forward)` answers as the engine does until it is told otherwise. `OverTheWire` makes faults of it that
`check_faults()` can draw, so that its books tell whether something is lost or doubled.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from mixstore.testing import Fault, Request

HOST = "127.0.0.1"
PATIENCE = 2.0
"""Seconds that clients of the tests wait for an answer; a slow one takes longer."""
KEPT = ("x-amz-target", "content-type", "authorization", "x-amz-date", "x-amz-security-token")
ERRORS = {
    "throttled": (400, "ProvisionedThroughputExceededException"),
    "busy": (400, "TransactionInProgressException"),
    "failed": (500, "InternalServerError"),
    "failed after": (500, "InternalServerError"),
}
WHATS = (*ERRORS, "reset before", "reset after", "cut", "slow", "partial")


class Answer(NamedTuple):
    """What goes back over HTTP."""

    status: int
    body: bytes


Forward = Callable[[dict[str, str], bytes], Answer]


def to(url: str) -> Forward:
    """Forwards to an engine at this address."""

    def forward(headers: dict[str, str], body: bytes) -> Answer:
        request = urllib.request.Request(url, body, {**headers, "Connection": "close"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read())

    return forward


def to_moto(client: Any) -> Forward:
    """Forwards to moto in this process, by a client of it."""
    from botocore.awsrequest import AWSPreparedRequest

    turn = threading.Lock()  # moto forgets what others write during a transaction

    def forward(headers: dict[str, str], body: bytes) -> Answer:
        made = AWSPreparedRequest("POST", f"{client.meta.endpoint_url}/", headers, body, False)
        with turn:
            answer = client.meta.events.emit_until_response("before-send.dynamodb.Any", request=made)[1]
        return Answer(answer.status_code, answer.content)

    return forward


class FaultyProxy:
    """`arm(what, times)` has the next requests meet a fault; `hits` counts them, `asked` all, by operation.

    meanwhile: what others do after the request met its fault, and before its sender knows.

    tokens: whether the engine knows a transaction again by its token; where not, answers of transactions get through.
    """

    def __init__(self, forward: Forward, tokens: bool = True) -> None:
        self.forward = forward
        self.tokens = tokens
        self.hits: dict[str, int] = {}
        self.asked: list[str] = []
        self._lock = threading.Lock()
        self._what, self._times = "", 0
        self.armed_for: set[int] = set()
        self.meanwhile: Callable[[], Any] = lambda: None

    def arm(self, what: str, times: int = 1) -> None:
        """The next `times` requests that this can befall meet it."""
        assert what in WHATS, what
        with self._lock:
            self._what, self._times = what, times

    def disarm(self) -> None:
        """From now on all goes well."""
        with self._lock:
            self._times = 0

    def fault_of(self, operation: str, body: dict[str, Any]) -> str | None:
        """What befalls this request."""
        with self._lock:
            self.asked.append(operation)
            if not self._times or not self._fits(operation, body):
                return None
            self._times -= 1
            self.hits[self._what] = self.hits.get(self._what, 0) + 1
            return self._what

    def _fits(self, operation: str, body: dict[str, Any]) -> bool:
        if self._what == "partial":
            return operation == "BatchWriteItem" and all(len(some) > 1 for some in body["RequestItems"].values())
        lost = self._what in ("failed after", "reset after", "cut", "slow")
        return self.tokens or not lost or operation != "TransactWriteItems"

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address, as long as it serves."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        server = ThreadingHTTPServer((HOST, 0), handler)
        server.daemon_threads = True
        thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        told = json.loads(body)
        fault = self.proxy.fault_of(operation, told)
        if fault in ERRORS and fault != "failed after":
            self.proxy.meanwhile()
            return self._answer(_refusal(fault))
        if fault == "reset before":
            self.proxy.meanwhile()
            return self._reset()
        left: dict[str, Any] = {}
        if fault == "partial":
            left = {name: some[1:] for name, some in told["RequestItems"].items()}
            told["RequestItems"] = {name: some[:1] for name, some in told["RequestItems"].items()}
            body = json.dumps(told).encode()
        answer = self.proxy.forward({name: self.headers[name] for name in KEPT if name in self.headers}, body)
        if left:
            answer = Answer(answer.status, json.dumps({**json.loads(answer.body), "UnprocessedItems": left}).encode())
        if fault is not None:
            self.proxy.meanwhile()
        match fault:
            case "reset after":
                return self._reset()
            case "failed after":
                answer = _refusal(fault)
            case "slow":
                time.sleep(PATIENCE + 0.5)
        return self._answer(answer, cut=fault == "cut")

    def _answer(self, answer: Answer, cut: bool = False) -> None:
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[:-1] if cut else answer.body)
        except OSError:
            cut = True  # who asked is gone
        if cut:
            self._reset()

    def _reset(self) -> None:
        """End the connection as a crash would, with no more word."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Nothing to the terminal."""


def _refusal(fault: str) -> Answer:
    status, code = ERRORS[fault]
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": f"injected: {fault}"}
    return Answer(status, json.dumps(body).encode())


@dataclass(frozen=True)
class OverTheWire(Fault):
    """A request of mixstore, of which the next `times` requests of HTTP meet what befalls them at the proxy.

    It is armed before the request and disarmed after the step, and raises nothing itself: what the caller hears is
    the backend's.
    """

    proxy: FaultyProxy
    what: str
    times: int = 1

    def __repr__(self) -> str:
        return f"{self.what} x{self.times}"

    def fits(self, request: Request) -> bool:
        return self.what != "partial" or request.kind == "batch"

    def before(self, request: Request) -> None:
        if request.number not in self.proxy.armed_for:  # the books ask each fault once more what it raises
            self.proxy.armed_for.add(request.number)
            self.proxy.arm(self.what, self.times)

    def after(self, request: Request) -> None:
        self.proxy.disarm()
