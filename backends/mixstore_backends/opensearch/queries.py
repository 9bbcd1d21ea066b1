"""Queries: from a `Query` to searches. Compiling is pure; a plan's `steps()` are the requests.

What fits in the engine's window of 10,000 rows is one search. What does not, or has no limit, is read page by page at a
point in time, each page after the last row of the one before (`search_after`), so that writers change nothing about it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.adapter import decode_one
from mixstore.errors import UnsupportedOperationError
from mixstore.expressions import Compare, Expr, paths
from mixstore.planned import QueryPlan, Rows
from mixstore.search import by_score
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.analysis import KEPT, MORE
from mixstore_backends.opensearch.compiler import Where
from mixstore_backends.opensearch.layout import Index
from mixstore_backends.opensearch.lookups import Body
from mixstore_backends.opensearch.native import OPTION, found, highlighting, words_query
from mixstore_backends.opensearch.requests import Request, Steps, Stepwise, hits_of, post, refreshing, searching
from mixstore_backends.opensearch.sorting import Column
from mixstore_backends.opensearch.values import dumps, loads

if TYPE_CHECKING:
    from mixstore.query import Query
    from mixstore.schema import ModelSchema

WINDOW = 10_000
"""How far `from` and `size` reach (`index.max_result_window`)."""
PAGE = 1000
KEEP_ALIVE = "1m"
_SCORE: Body = {"_score": {"order": "desc"}}
_INDEXABLE = frozenset({"eq", "in", "lt", "lte", "gt", "gte", "between", "startswith", "isnull"})


class Asked(NamedTuple):
    """What all requests of a query have in common.

    tied: which of the sort values is a text that may be cut. row: what makes a row of a hit.
    """

    home: Index
    body: Body
    tied: tuple[int, ...]
    row: Callable[[Any], Any]

    def rows(self, hits: Sequence[Any], before: Any = None) -> list[Any]:
        """The documents of some hits; `before` are the sort values of the last hit before them."""
        for position in self.tied:
            _check_cut(self.home, [before, *(hit["sort"] for hit in hits)], position)
        return [self.row(hit) for hit in hits]


class Part(dict[str, Any]):
    """A document of which only some fields were read."""


def _part(hit: Any) -> Part:
    return Part(hit["_source"])


_document = itemgetter("_source")


def decode_part(schema: ModelSchema, row: Part, decoders: Mapping[str, Any]) -> dict[str, Any]:
    """The python values of the fields that were read."""
    return {name: decode_one(schema, schema.fields[name], row, decoders[name]) for name in row if name in decoders}


def _check_cut(home: Index, places: Sequence[Any], position: int) -> None:
    """Texts that are equal as far as they are indexed may be in any order, which would be a wrong answer."""
    last = None
    for place in places:
        term = None if place is None else place[position]
        if isinstance(term, str) and len(term) == KEPT + 1 and term[-1] == MORE and term == last:
            raise UnsupportedOperationError(
                f"{home.schema.name}: two texts are the same for {KEPT} characters, and OpenSearch sorts by no more",
                model=home.schema.model,
            )
        last = term


def seen(home: Index) -> Steps:
    """Refresh what was written lazily, so that the search sees it."""
    written = home.written
    if home.refreshed < written:
        yield refreshing(home.path)
        home.refreshed = max(home.refreshed, written)


class Count(QueryPlan):
    """How many documents match."""

    __slots__ = ("home", "target")

    def __init__(self, home: Index, query: Body, where: Where, **told: Any) -> None:
        self.home = home
        self.target = post(f"{home.path}/_count", {"query": query})
        super().__init__("count", request=_shown(self.target.path, {"query": query}), pushed=where.pushed, **told)

    def steps(self) -> Steps:
        """The one request."""
        yield from seen(self.home)
        answer = yield self.target
        if answer["_shards"]["failed"]:
            problem = errors.failure_of(503, answer["_shards"]["failures"][0].get("reason"))
            raise errors.meaning(problem, self.home.name)
        return answer["count"]


class One(QueryPlan):
    """A query that one search answers."""

    __slots__ = ("asked",)

    def __init__(self, asked: Asked, where: Where, **told: Any) -> None:
        self.asked = asked
        request = _shown(f"{asked.home.path}/_search", asked.body)
        super().__init__("search", request=request, pushed=where.pushed, **told)

    def steps(self) -> Steps:
        """The one request."""
        yield from seen(self.asked.home)
        answer = yield searching(self.asked.home.path, self.asked.body)
        return Rows(self.asked.rows(hits_of(answer)))


# -- page by page ------------------------------------------------------------------------------------------------------


class Pit:
    """A point in time that the engine holds for us. One that is dropped is closed before the next request."""

    __slots__ = ("abandoned", "id")

    def __init__(self, id: str, abandoned: deque[str]) -> None:
        self.id: str | None = id
        self.abandoned = abandoned

    def close(self) -> Steps:
        """Give it back. That it is gone already is no error."""
        if self.id is not None:
            request, self.id = closing([self.id]), None
            yield request

    def __del__(self) -> None:
        if self.id is not None:
            self.abandoned.append(self.id)


def closing(ids: Sequence[str]) -> Request:
    """The request that closes points in time."""
    return Request("DELETE", "/_search/point_in_time", dumps({"pit_id": list(ids)}), absent=True)


class Pages(QueryPlan):
    """A query whose rows come page by page. `skip` rows are passed over first; `left` is how many to give, None: all.

    What fits in the first page takes one search. Only if there is more is that repeated at a point in time.
    """

    __slots__ = ("abandoned", "asked", "left", "skip")

    def __init__(
        self, asked: Asked, where: Where, skip: int, left: int | None, abandoned: deque[str], **told: Any
    ) -> None:
        self.asked = asked
        self.skip = skip
        self.left = left
        self.abandoned = abandoned
        request = _shown(f"{asked.home.path}/_search", {**asked.body, "size": PAGE})
        super().__init__("search", request=request, pushed=where.pushed, residual=where.residual, **told)

    def steps(self) -> Steps:
        """One search, or the opening of a point in time and the first page."""
        home = self.asked.home
        yield from seen(home)
        if not self.skip and self.left is None:
            answer = yield searching(home.path, {**self.asked.body, "size": PAGE})
            hits = hits_of(answer)
            if len(hits) < PAGE:
                return Rows(self.asked.rows(hits))
        opened = yield Request("POST", f"{home.path}/_search/point_in_time", params=(("keep_alive", KEEP_ALIVE),))
        pit = Pit(opened["pit_id"], self.abandoned)
        after = None
        skip = self.skip
        while skip:
            hits = yield from _page(self.asked, pit, after, min(skip, WINDOW), _source=False)
            if not hits:
                yield from pit.close()
                return Rows([])
            skip -= len(hits)
            after = hits[-1]["sort"]
        return (yield from Next(self.asked, pit, after, self.left).steps())


class Next(Stepwise):
    """The page after a row."""

    __slots__ = ("after", "asked", "left", "pit")

    def __init__(self, asked: Asked, pit: Pit, after: Any, left: int | None) -> None:
        self.asked = asked
        self.pit = pit
        self.after = after
        self.left = left

    def steps(self) -> Steps:
        size = PAGE if self.left is None else min(PAGE, self.left)
        hits = yield from _page(self.asked, self.pit, self.after, size)
        rows = self.asked.rows(hits, self.after)
        left = None if self.left is None else self.left - len(rows)
        if len(rows) < size or left == 0:
            yield from self.pit.close()
            return Rows(rows)
        return Rows(rows, Next(self.asked, self.pit, hits[-1]["sort"], left))


def _page(asked: Asked, pit: Pit, after: Any, size: int, **others: Any) -> Any:
    body = {**asked.body, **others, "size": size, "pit": {"id": pit.id, "keep_alive": KEEP_ALIVE}}
    if after is not None:
        body["search_after"] = after
    answer = yield searching("", body)
    return hits_of(answer)


# -- compiling ---------------------------------------------------------------------------------------------------------


def select(home: Index, query: Query, abandoned: deque[str]) -> QueryPlan:
    """The plan of a query."""
    where = home.compiler.where(query.where)
    columns = home.compiler.order(query.order)
    told = access_of(home, where, query)
    scored = query.search is not None or OPTION in query.options
    body: Body = {"query": query_body(home, where, query), "track_total_hits": False}
    row: Callable[[Any], Any] = found if scored else _document
    ranked = scored and by_score(query)
    if query.fields is not None and home.selects and not ranked:
        body["_source"] = _needed(home, where, query)
        row = _part
    elif query.search is not None:
        if query.search.highlight:
            body["highlight"] = highlighting(home, query.search)
        if columns and not ranked:
            body["track_scores"] = True
    if ranked:
        where, place = home.compiler.place(where, query.order)
        body.update({} if place is None else {"search_after": place})
    end = None if query.limit is None else query.offset + query.limit
    if columns is not None and where.residual is None and end is not None and end <= WINDOW:
        if columns:
            body["sort"] = [one.body for one in columns]
        elif not scored:
            body["sort"] = ["_doc"]
        body.update({"size": query.limit}, **({"from": query.offset} if query.offset else {}))
        return One(Asked(home, body, tied(home, columns), row), where, **told)
    sorted_by = columns or home.compiler.apart(home.schema.key_order)
    scores = [_SCORE] if scored and not columns else []
    body["sort"] = [*scores, *(one.body for one in sorted_by)]
    asked = Asked(home, body, tied(home, columns or ()), row)
    whole = columns is not None and where.residual is None
    skip, left = (query.offset, query.limit) if whole else (0, None)
    return Pages(asked, where, skip, left, abandoned, ordered=columns is not None, sliced=whole, **told)


def count(home: Index, query: Query, abandoned: deque[str]) -> QueryPlan:
    """The plan that counts; if something is residual, the rows to count."""
    where = home.compiler.where(query.where)
    if where.residual is not None:
        return select(home, query.replace(fields=()), abandoned)
    return Count(home, query_body(home, where, query), where, **access_of(home, where, query))


def query_body(home: Index, where: Where, query: Query) -> Body:
    """What the engine is asked for: the filter, and what is searched for."""
    filters = list(where.filters)
    must: list[Body] = []
    if query.search is not None:
        must.append(words_query(home, query.search))
    if OPTION in query.options:
        must.append(loads(query.options[OPTION]))
    if must:
        return {"bool": {"must": must, "filter": filters}}
    return filters[0] if len(filters) == 1 else {"bool": {"filter": filters}} if filters else {"match_all": {}}


def tied(home: Index, columns: Sequence[Column]) -> tuple[int, ...]:
    """Which of these columns holds texts that may be cut."""
    return tuple(position for position, one in enumerate(columns) if one.field in home.compiler.sources.cut)


def _needed(home: Index, where: Where, query: Query) -> list[str]:
    """The fields to read: those asked for, and what the kernel needs to filter, sort, and go on after a row."""
    schema = home.schema
    named = {*(query.fields or ()), *schema.key_fields, *schema.key_names, *(one.path[0] for one in query.order)}
    if where.residual is not None:
        named.update(path[0] for path in paths(where.residual))
    return [name for name in (*schema.fields, *schema.hidden_key) if name in named]


def _shown(path: str, body: Body) -> dict[str, Any]:
    return {"path": path, "body": body}


def access_of(home: Index, where: Where, query: Query) -> dict[str, Any]:
    """The declared index that serves a query, or that it looks at every document of the model."""
    if query.search is None and OPTION in query.options:
        return {"index": "raw"}
    if query.search is not None:
        names = query.search.fields or home.schema.searchable
        own = [(name, home.analyzers[name]) for name in names if name in home.analyzers]
        notes = tuple([f"{name!r} is searched by its own analyzer, {analyzer}" for name, analyzer in own])
        return {"index": ", ".join(names), "notes": notes}
    if query.index is not None:
        return {"index": query.index}
    wanted = None
    for term in where.terms:
        name = _sought(term)
        if name in home.declared:
            return {"index": name}
        wanted = wanted or name
    if query.order and query.limit is not None and query.order[0].path[0] in home.declared:
        return {"index": query.order[0].path[0]}
    if wanted is None:
        return {"scan": True}
    return {"scan": True, "notes": (f"Field(index=True) on {wanted!r} would make this a search on every backend",)}


def _sought(term: Expr) -> str | None:
    return term.path[0] if isinstance(term, Compare) and term.lookup in _INDEXABLE and len(term.path) == 1 else None
