"""Deletes of all documents that a query finds: by the engine's `_delete_by_query`, piece by piece.

It writes to the index that it has searched, whatever the alias says by then. So a piece counts as done only if the
alias still lets that index be written afterwards: whoever puts another one in its place copies, and compares, after
that. What else is in the way (a document that was changed meanwhile, a shard that failed) is left to the kernel, which
deletes what still matches one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendUnavailableError
from mixstore.planned import QueryPlan, Removed
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.compiler import Where
from mixstore_backends.opensearch.layout import Index
from mixstore_backends.opensearch.lookups import Body
from mixstore_backends.opensearch.native import OPTION
from mixstore_backends.opensearch.putting import HELD, PATIENCE
from mixstore_backends.opensearch.queries import access_of, query_body, seen
from mixstore_backends.opensearch.requests import LAZY, Pause, Request, Steps, refreshing
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore.query import Query

AT_ONCE = 10_000
"""Documents of one request: no more than are deleted long before a client gives up waiting."""
REFUSALS = (400, 403, 404, 405, 409, 429, 500, 503)
"""With these the engine tells what it has done all the same; or why it does not do it."""


class Removal(QueryPlan):
    """One piece. fresh: whether searches see what was written before, the pieces before included."""

    __slots__ = ("fresh", "home", "query", "refresh", "told")

    def __init__(self, home: Index, query: Body, refresh: str, where: Where, fresh: bool = True, **told: Any) -> None:
        self.home = home
        self.query = query
        self.refresh = refresh
        self.fresh = fresh
        self.told = {"where": where, **told}
        request = {"path": f"{home.path}/_delete_by_query", "body": {"query": query}}
        super().__init__("delete", request=request, pushed=where.pushed, **told)

    def steps(self) -> Steps:
        """Where, the delete, and where still."""
        home = self.home
        yield from seen(home)
        if not self.fresh:
            yield refreshing(home.path)
        before = yield from _written(home)
        if before is None:
            return Removed(0, rest=True)
        answer = yield from self._asked()
        if answer is None:
            return Removed(0, rest=True)
        number: int = answer["deleted"]
        if number and self.refresh == LAZY:
            home.wrote()
        in_the_way = bool(answer["version_conflicts"] or answer["failures"] or answer["timed_out"])
        try:
            after = yield from _settled(home)
        except BackendUnavailableError as error:
            error.outcome_unknown = number > 0
            raise
        if after is None and number:
            told = f"writes to {home.name!r} are held, and {number} documents were deleted just then"
            raise BackendUnavailableError(told, backend=errors.NAME, outcome_unknown=True)
        if in_the_way or after != before:
            return Removed(number, rest=True)
        if number < AT_ONCE:
            return Removed(number)
        return Removed(number, Removal(home, self.query, self.refresh, fresh=self.refresh != "false", **self.told))

    def _asked(self) -> Any:
        """What the engine has done; None if it refuses to. What fails on the way may have deleted some."""
        body = dumps({"query": self.query})
        params = (
            ("conflicts", "proceed"),
            ("max_docs", str(AT_ONCE)),
            ("refresh", "false" if self.refresh in (LAZY, "false") else "true"),
            ("allow_partial_search_results", "false"),
        )
        path = f"{self.home.path}/_delete_by_query"
        for seconds in (*PATIENCE, None):
            answer = yield Request("POST", path, body, params, writes=True, answers=REFUSALS)
            if "deleted" in answer:
                return answer
            status, error = answer.get("status", 500), answer.get("error")
            if status == 429 and seconds is not None:
                yield Pause(seconds)
                continue
            if status < 500 and status != 429:
                return None
            problem = errors.meaning(errors.failure_of(status, error), self.home.name)
            if isinstance(problem, BackendUnavailableError):
                problem.outcome_unknown = status >= 500
            raise problem
        return None


def _written(home: Index) -> Any:
    """The one index that the alias lets be written; None if there is none now, or who asks must not know."""
    found = yield Request("GET", f"/_alias{home.path}", answers=(403, 404))
    if "error" in found or len(found) != 1:
        return None
    ((name, told),) = found.items()
    return name if told["aliases"][home.name].get("is_write_index", True) else None


def _settled(home: Index) -> Any:
    """The same, once writes are not held any more; None if that takes too long."""
    for seconds in (*HELD, None):
        name = yield from _written(home)
        if name is not None or seconds is None:
            return name
        yield Pause(seconds)
    return None


def removal(home: Index, query: Query, refresh: str) -> Removal | None:
    """The plan that deletes what a query finds; None if the engine can't answer the filter exactly."""
    where = home.compiler.where(query.where)
    if where.residual is not None or OPTION in query.options:
        return None
    return Removal(home, query_body(home, where, query), refresh, where, **access_of(home, where, query))
