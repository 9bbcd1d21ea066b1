"""A client without a server: it keeps what it was asked, and answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mixstore_backends.opensearch import OpenSearchBackend


class Sent(NamedTuple):
    """One request."""

    method: str
    path: str
    params: dict[str, Any]
    body: str | None

    @property
    def lines(self) -> list[Any]:
        """The JSON of each line of a bulk."""
        return [json.loads(line) for line in (self.body or "").splitlines()]

    @property
    def json(self) -> Any:
        return json.loads(self.body or "null")


class StubClient:
    """Answers in turn: a value is given back, an exception raised; a function is asked with the request."""

    def __init__(self, answers: Iterable[Any] = ()) -> None:
        self.answers = list(answers)
        self.sent: list[Sent] = []
        self.transport = self

    def perform_request(self, method: str, url: str, params: Any = None, body: Any = None, headers: Any = None) -> Any:
        request = Sent(method, url, dict(params or {}), body)
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer(request) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]

    def close(self) -> None:
        pass


def stubbed(*answers: Any, **options: Any) -> tuple[OpenSearchBackend, StubClient]:
    """A backend on a stub, and the stub."""
    client = StubClient(answers)
    return OpenSearchBackend(client, **options), client


def items(*told: tuple[str, int] | dict[str, Any]) -> dict[str, Any]:
    """The answer to a bulk: an operation and its status each."""
    made = [one if isinstance(one, dict) else {one[0]: {"_id": "x", "status": one[1]}} for one in told]
    return {"items": made}


def counted(number: int) -> dict[str, Any]:
    """The answer to a count."""
    return {"count": number, "_shards": {"total": 1, "failed": 0}}


def refused(operation: str, status: int, kind: str, reason: str = "no") -> dict[str, Any]:
    """An item that the engine refused."""
    return {operation: {"_id": "x", "status": status, "error": {"type": kind, "reason": reason}}}


def conflict(operation: str) -> dict[str, Any]:
    """An item that met another write."""
    return refused(operation, 409, "version_conflict_engine_exception")
