"""Requests as values. A plan is a generator that yields them, one at a time, and is sent the answer to each."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from mixstore.planned import Plan
from mixstore_backends.opensearch.values import dumps

JSON = {"content-type": "application/json"}
LAZY = "lazy"
"""The refresh policy that is ours, not the engine's."""
LINES = {"content-type": "application/x-ndjson"}


class Request(NamedTuple):
    """One request over HTTP.

    body: JSON text, or lines of it. writes: whether something may have happened if no answer comes; what only reads is
    asked again. absent: a 404 is an answer too. answers: so are these statuses.
    """

    method: str
    path: str
    body: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    writes: bool = False
    absent: bool = False
    lines: bool = False
    answers: tuple[int, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        return LINES if self.lines else JSON


class Pause(NamedTuple):
    """Not a request: wait so many seconds."""

    seconds: float


Steps = Generator[Request | Pause, Any, Any]


class Stepwise(Plan):
    """A plan of requests."""

    __slots__ = ()

    def steps(self) -> Steps:
        """The requests, one after the other; returns what the plan answers."""
        raise NotImplementedError


def post(path: str, body: Any, **params: str) -> Request:
    """A question that only reads."""
    return Request("POST", path, dumps(body), tuple(params.items()))


_HITS = ",".join(f"hits.hits.{name}" for name in ("_source", "sort", "_score", "highlight"))


def searching(path: str, body: Any) -> Request:
    """A search: an answer of some shards only is an error, and of the answer comes what is looked at."""
    params = {"allow_partial_search_results": "false", "filter_path": f"{_HITS},aggregations"}
    return post(f"{path}/_search", body, **params)


def hits_of(answer: Any) -> list[Any]:
    """The hits of a search; the engine leaves out what is empty."""
    found: list[Any] = answer.get("hits", {}).get("hits", [])
    return found


def refreshing(path: str) -> Request:
    """Lets searches see all that was written to an index."""
    return Request("POST", f"{path}/_refresh")
