"""Deletes by query: the engine looks for the documents, and deletes those that are still as it has found them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendUnavailableError, ConflictError
from mixstore.planned import QueryPlan
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.queries import access_of, query_body, seen
from mixstore_backends.opensearch.requests import LAZY, Request, Steps, refreshing
from mixstore_backends.opensearch.units import ATTEMPTS
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore.query import Query
    from mixstore_backends.opensearch.layout import Index

AT_ONCE = 10_000
"""Documents a request, so that each has its answer in time."""


class Purge(QueryPlan):
    """Deletes what matches. Answers how many documents."""

    __slots__ = ("body", "home", "refresh")

    def __init__(self, home: Index, body: dict[str, Any], refresh: str, **told: Any) -> None:
        self.home = home
        self.body = body
        self.refresh = refresh
        super().__init__("delete", request={"path": f"{home.path}/_delete_by_query", "body": body}, **told)

    def steps(self) -> Steps:
        """Until nothing is found: what somebody has changed in between is looked at again, as it is then."""
        yield from seen(self.home)
        done = attempts = 0
        try:
            while True:
                answer = yield self._request()
                done += answer["deleted"]
                if answer["failures"]:
                    raise self._error(answer["failures"][0])
                if answer["deleted"] and self.refresh == LAZY:
                    self.home.wrote()
                if answer["version_conflicts"]:
                    attempts += not answer["deleted"]
                    if attempts == ATTEMPTS:
                        raise self._restless()
                elif answer["deleted"] < AT_ONCE:
                    return done
                yield refreshing(self.home.path)
        except BackendUnavailableError as error:
            if done:
                error.outcome_unknown = True
                error.hint = f"it had deleted {done} rows by then; done again, it goes on with those that still match"
            raise

    def _request(self) -> Request:
        refresh = "false" if self.refresh in (LAZY, "false") else "true"
        params = (("conflicts", "proceed"), ("refresh", refresh), ("max_docs", str(AT_ONCE)))
        return Request("POST", f"{self.home.path}/_delete_by_query", dumps(self.body), params, writes=True)

    def _error(self, failed: Any) -> Exception:
        told = failed.get("cause") or failed.get("reason")
        return errors.meaning(errors.failure_of(failed.get("status", 500), told), self.home.name)

    def _restless(self) -> ConflictError:
        problem = f"{self.home.schema.name}: others changed the rows to delete under {ATTEMPTS} attempts"
        return ConflictError(problem, model=self.home.schema.model, backend=errors.NAME)


def delete(home: Index, query: Query, refresh: str) -> Purge | None:
    """The plan; None where a filter is not wholly the engine's."""
    where = home.compiler.where(query.where)
    if where.residual is not None:
        return None
    return Purge(home, {"query": query_body(home, where, query)}, refresh, **access_of(home, where, query))
