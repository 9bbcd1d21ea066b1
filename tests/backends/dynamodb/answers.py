"""A client that gives prepared answers: what an engine says only when things go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError


def failed(code: str, message: str = "told", status: int = 400, retries: int = 0, **also: Any) -> ClientError:
    """An answer of DynamoDB that is an error."""
    metadata = {"HTTPStatusCode": status, "RetryAttempts": retries}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata, **also}, "Operation")


def cancelled(*reasons: dict[str, Any]) -> ClientError:
    """A transaction that was cancelled for these reasons."""
    return failed("TransactionCanceledException", CancellationReasons=list(reasons))


class Answers:
    """Gives one answer a call, in order, and keeps what was asked. An exception is raised; a function is called."""

    def __init__(self, given: Iterable[Any]) -> None:
        self.given = list(given)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.pauses: list[float] = []
        self.meta = SimpleNamespace(
            region_name="eu-west-1",
            endpoint_url="https://dynamodb.eu-west-1.amazonaws.com",
            events=SimpleNamespace(register=lambda event, handler, unique_id: None),
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(**request: Any) -> Any:
            self.asked.append((name, request))
            assert self.given, f"nobody expected {name}"
            answer = self.given.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer(request) if callable(answer) else answer

        return call
