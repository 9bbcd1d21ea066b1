"""The nearest: by a script that compares every vector exactly, or by an index of the k-NN plugin, which may miss some.

The script reads the vectors where documents keep them, so it needs no plugin, and makes the same sums in the same order
as `mixstore.vectors`: its scores are those of every backend. The plugin scores in 32 bits; what it finds is scored
again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.planned import QueryPlan
from mixstore.search import SCORE, Hit
from mixstore.vectors import scores_of
from mixstore_backends.opensearch.native import Found
from mixstore_backends.opensearch.queries import Asked, One, Pages, access_of, query_body, tied

if TYPE_CHECKING:
    from mixstore.nearness import Similar
    from mixstore.query import Query
    from mixstore_backends.opensearch.compiler import Where
    from mixstore_backends.opensearch.layout import Index
    from mixstore_backends.opensearch.lookups import Body

NO_SCORE = -1.0
"""The score of a document without a vector, in the script; all others are 0 or more."""

_EACH = """
def kept = params._source[params.field];
List asked = params.vector;
if (!(kept instanceof List) || kept.size() != asked.size()) { return -1.0 }
List stored = kept;
double product = 0.0; double square = 0.0;
for (int i = 0; i < asked.size(); i++) {
  double own = ((Number) asked.get(i)).doubleValue();
  double other = ((Number) stored.get(i)).doubleValue();
""".strip()
SCRIPTS = {
    "cosine": f"""{_EACH}
  product += own * other; square += other * other;
}}
double both = params.square * square;
return both == 0.0 ? 0.5 : (1.0 + Math.max(-1.0, Math.min(1.0, product / Math.sqrt(both)))) / 2.0;""",
    "euclidean": f"""{_EACH}
  double apart = own - other; square += apart * apart;
}}
return 1.0 / (1.0 + square);""",
    "dot": f"""{_EACH}
  product += own * other;
}}
return product >= 0.0 ? 1.0 + product : 1.0 / (1.0 - product);""",
}
"""What makes the score of a document, as `mixstore.vectors.scores_of` does of a row."""


class Scored(Asked):
    """What the requests of a query by nearness have in common. Documents without a vector come last, and are none."""

    def rows(self, hits: Sequence[Any], before: Any = None) -> list[Any]:
        return super().rows([hit for hit in hits if hit["sort"][0] != NO_SCORE], before)


def similar(home: Index, query: Query, abandoned: deque[str]) -> QueryPlan:
    """The plan of a query for the nearest, as many as its limit says, the nearest first."""
    where = home.compiler.where(query.where)
    asked = query.similar
    assert asked is not None
    told = access_of(home, where, query)
    if asked.approximate and home.knn and where.residual is None and query.limit is not None:
        return _by_graph(home, where, query, asked)
    others = [one for one in query.order if one.path != SCORE]
    columns = home.compiler.order(others)
    ties = columns or home.compiler.apart(home.schema.key_order)
    by_score = {"_script": {"type": "number", "order": "desc", "script": _script(asked)}}
    sort = [by_score, *(one.body for one in ties)]
    body: Body = {"query": query_body(home, where, query), "track_total_hits": False, "sort": sort}
    whole = columns is not None and where.residual is None
    common = Scored(home, body, tuple([1 + position for position in tied(home, ties)]), _by_sort)
    notes = (*told.pop("notes", ()), "a script compares the vector of each document that the filter leaves")
    if whole and query.limit is not None and not query.offset:
        body["size"] = query.limit
        return One(common, where, notes=notes, **told)
    return Pages(
        common, where, 0, query.limit if whole else None, abandoned,
        ordered=columns is not None, sliced=whole and not query.offset, notes=notes, **told,
    )  # fmt: skip


def _script(asked: Similar) -> Body:
    square = 0.0
    for one in asked.vector:
        square += one * one
    params = {"field": asked.field, "vector": list(asked.vector), "square": square}
    return {"lang": "painless", "source": SCRIPTS[asked.similarity], "params": params}


def _by_sort(hit: Any) -> Found:
    """A hit of the script as a row; its score has 64 bits as a sort value only."""
    found = Found(hit["_source"])
    found.hit = Hit(hit["sort"][0])
    return found


def _by_graph(home: Index, where: Where, query: Query, asked: Similar) -> QueryPlan:
    """The plan by the graph, whose filter applies while it is walked. mixstore sorts what it finds."""
    told: Body = {"vector": list(asked.vector), "k": query.limit, "filter": query_body(home, where, query)}
    body: Body = {"query": {"knn": {asked.field: told}}, "size": query.limit, "track_total_hits": False}
    note = f"the graph of {asked.field} may miss some of the nearest"
    row = _scored_again(asked)
    return One(Asked(home, body, (), row), where, index=asked.field, ordered=False, sliced=False, notes=(note,))


def _scored_again(asked: Similar) -> Callable[[Any], Found]:
    score = scores_of(asked.vector, asked.similarity)

    def row(hit: Any) -> Found:
        found = Found(hit["_source"])
        found.hit = Hit(score(found.get(asked.field)))
        return found

    return row
