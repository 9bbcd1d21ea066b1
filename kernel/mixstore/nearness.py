"""The nearest: rows by how near their vectors are to one, alone or together with words, the best `k` of them.

A backend is only ever asked for one list at a time: `query.similar` alone, ordered by score and then key, its limit as
many as are wanted. What is made of the lists (their fusion, another order, pages) is the same on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.backend import Capability
from mixstore.errors import QueryError, UnsupportedOperationError, nearest
from mixstore.expressions import After, Expr, Order, conjunction, matcher, sort_key, terms
from mixstore.search import SCORE, Hit, scorer
from mixstore.vectors import Score, Vector, scores_by

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.query import Explanation, Query
    from mixstore.schema import ModelSchema

Ranked = tuple[dict[str, Any], Any]
"""A row, after its values with the score and the key among them."""
MOST = 10_000
"""The largest `k`: as many as OpenSearch gives in one answer."""
DEPTH = 100
"""How many rows of each list count in a fusion, at least."""
RANK = 60
"""What is added to ranks in a fusion, so that the first few don't decide alone (Cormack, Clarke and Büttcher 2009)."""
BEST_FIRST = (Order(SCORE, descending=True),)


class Similar(NamedTuple):
    """The `k` rows whose vectors in `field` are nearest to `vector`, among those that the filter leaves.

    weight: what its ranks count beside those of words, which count the rest to 1; None where nobody said it.
    approximate: an index of the engine may answer, which may miss some.
    """

    field: str
    vector: tuple[float, ...]
    similarity: str
    k: int = 10
    weight: float | None = None
    approximate: bool = False


def sought(schema: ModelSchema, vectors: Mapping[str, Any], k: int, weight: float | None, approximate: bool) -> Similar:
    """What a caller asks for. QueryError for what is no field of vectors, no vector that fits it, or no such number."""
    if not schema.vectors:
        raise QueryError(
            f"{schema.name} has no field of vectors", hint="Field(vector=Vector(dimensions=...)) makes one"
        )
    if len(vectors) != 1:
        names = ", ".join(schema.vectors)
        raise QueryError(f"similar() takes one vector by the name of its field, of {names}; not {len(vectors)}")
    [(name, numbers)] = vectors.items()
    option = schema.vectors.get(name)
    if option is None:
        raise QueryError(f"{schema.name}.{name} is no field of vectors", hint=nearest(name, schema.vectors))
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MOST:
        raise QueryError(f"k is how many rows are wanted, 1 to {MOST}, not {k!r}")
    if weight is not None and (isinstance(weight, bool) or not isinstance(weight, Real) or not 0 < weight < 1):
        raise QueryError(f"weight is the part of the vector beside words, between 0 and 1, not {weight!r}")
    return Similar(
        name, _numbers(schema, name, option, numbers), option.similarity, k,
        None if weight is None else float(weight), bool(approximate),
    )  # fmt: skip


def _numbers(schema: ModelSchema, name: str, option: Vector, numbers: Any) -> tuple[float, ...]:
    where = f"similar() of {schema.name}.{name}"
    if isinstance(numbers, (str, bytes, Mapping)) or not isinstance(numbers, Iterable):
        raise QueryError(f"{where}: a vector is a list of numbers, not {type(numbers).__name__}")
    found = tuple(numbers)
    for one in found:
        if isinstance(one, bool) or not isinstance(one, Real):
            raise QueryError(f"{where}: a vector is made of numbers, not {type(one).__name__}")
    try:
        return tuple(option.checked([float(one) for one in found]))
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{where}: {error}") from None


def check_able(bound: Bound, query: Query) -> Similar:
    """What a query seeks. UnsupportedOperationError if it can't be told, QueryError for a weight beside no words."""
    asked = query.similar
    assert asked is not None
    name = bound.backend.backend_name
    if Capability.VECTORS not in bound.backend.capabilities:
        raise UnsupportedOperationError(
            f"{name} does not compare vectors",
            model=bound.model,
            backend=name,
            hint=f"similar() needs a backend that declares {Capability.VECTORS.name}: memory, SQLite and OpenSearch do",
        )
    if asked.field in bound.chain.opaque:
        raise UnsupportedOperationError(
            f"{bound.schema.name}.{asked.field} is stored opaque and can't be compared",
            model=bound.model,
            backend=name,
        )
    if asked.weight is not None and query.search is None:
        raise QueryError(
            "weight says what a vector counts beside words, and this query has none",
            model=bound.model,
            hint=f"{bound.schema.name}.search(text).similar({asked.field}=..., weight={asked.weight})",
        )
    return asked


def lists(query: Query, asked: Similar) -> list[Query]:
    """The queries for the ranked lists: that of words, if there are any, then that of the vector."""
    where = conjunction(*[term for term in terms(query.where) if not isinstance(term, After)])
    whole = query.replace(where=where, order=BEST_FIRST, offset=0, cursor=None, fields=None)
    if query.search is None:
        return [whole.replace(limit=asked.k)]
    depth = max(asked.k, DEPTH)
    return [whole.replace(similar=None, limit=depth), whole.replace(search=None, limit=depth)]


def places_in(query: Query) -> Expr:
    """The places in the answer after which it is to begin."""
    return conjunction(*[term for term in terms(query.where) if isinstance(term, After)])


def fused(bound: Bound, asked: Similar, by_words: Sequence[Ranked], by_vector: Sequence[Ranked]) -> list[Ranked]:
    """The best `k` of two lists by reciprocal rank fusion; rows of one score come by their keys.

    The score of a row is the sum of weight / (RANK + rank) over the lists that have it, the first rank being 1.
    """
    weight = 0.5 if asked.weight is None else asked.weight
    names = bound.schema.key_names
    scores: dict[Any, float] = {}
    found: dict[Any, Ranked] = {}
    for part, ranked in ((1.0 - weight, by_words), (weight, by_vector)):
        for rank, (values, row) in enumerate(ranked, 1):
            key = tuple([values[name] for name in names])
            scores[key] = scores.get(key, 0.0) + part / (RANK + rank)
            found.setdefault(key, (values, row))
    made = []
    for key, (values, row) in found.items():
        hit = bound.engine.row_hit(row)
        hit = Hit(scores[key]) if hit is None else hit._replace(score=scores[key])
        made.append(({**values, SCORE[0]: scores[key]}, bound.engine.row_with_hit(row, hit)))
    made.sort(key=_by(bound, BEST_FIRST))
    return made[: asked.k]


def arranged(bound: Bound, query: Query, order: tuple[Order, ...], places: Expr, found: list[Ranked]) -> list[Any]:
    """The rows in the order asked for, after the places, within limit and offset."""
    matches = matcher(places)
    rows = [one for one in found if matches(one[0])]
    rows.sort(key=_by(bound, order))
    end = None if query.limit is None else query.offset + query.limit
    return [row for _, row in rows[query.offset : end]]


def _by(bound: Bound, order: tuple[Order, ...]) -> Callable[[Ranked], Any]:
    named = {one.path for one in order}
    key = sort_key((*order, *(one for one in bound.schema.key_order if one.path not in named)))
    return lambda ranked: key(ranked[0])


def scorer_of(query: Query, searchable: tuple[str, ...]) -> Score | None:
    """The reference of what a query ranks rows by: a function from a row to its score. None: it ranks by nothing."""
    if query.similar is not None:
        return scores_by(query.similar.field, query.similar.vector, query.similar.similarity)
    return None if query.search is None else scorer(query.search, searchable)


def explained(asked: Similar, plans: Sequence[Explanation]) -> Explanation:
    """The plans of the ranked lists as one."""
    last = plans[-1]
    if len(plans) == 1:
        return replace(last, notes=(*last.notes, f"the {asked.k} nearest of the rows that the filter leaves"))
    words, vector = plans
    return replace(
        words,
        operation=f"{words.operation} and {vector.operation}",
        index=", ".join(filter(None, (words.index, vector.index))) or None,
        request={"words": words.request, "vector": vector.request},
        notes=(
            *dict.fromkeys((*words.notes, *vector.notes)),
            f"mixstore makes one list of both by the ranks of rows, and takes the best {asked.k}",
        ),
    )
