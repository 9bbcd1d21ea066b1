"""What OpenSearch can search for beyond words: typing errors, phrases, beginnings, its own query language.

`search()` adds it to any query, so filters, what extensions hide, `explain()` and writes by query stay as they are. The
rows that it finds carry their score and the parts of the text that were found: `hit_of(instance)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mixstore.errors import QueryError, UnsupportedOperationError
from mixstore.state import state_of
from mixstore.words import words
from mixstore_backends.opensearch.layout import Index
from mixstore_backends.opensearch.lookups import Body
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore.builder import QueryBuilder
    from mixstore.query import Search

M = TypeVar("M")
OPTION = "opensearch"
"""The query option that carries it."""


class Native(NamedTuple):
    """How words are searched. boosts: {field: factor}; raw: the JSON of a query of the engine's that must match too."""

    fuzzy: bool = False
    phrase: bool = False
    prefix: bool = False
    highlight: bool = False
    boosts: tuple[tuple[str, float], ...] = ()
    raw: str | None = None


PLAIN = Native()


class Hit(dict[str, Any]):
    """A document that a search found.

    score: how well it fits, higher is better; None in an order of fields. highlights: {field: the parts of its text
    that were found}, the words between <em> and </em>; the rest of the text is as it was stored, not escaped.
    """

    __slots__ = ("highlights", "score")
    score: float | None
    highlights: Mapping[str, list[str]]


def search(
    query: QueryBuilder[M],
    text: str | None = None,
    *,
    fields: Iterable[str] | Mapping[str, float] = (),
    fuzzy: bool = False,
    phrase: bool = False,
    prefix: bool = False,
    highlight: bool = False,
    raw: Mapping[str, Any] | None = None,
) -> QueryBuilder[M]:
    """The query, for rows in whose fields every word of the text occurs, or that a query of the engine's finds.

    fields: those to search, also as {field: how much a word in it counts}; all searchable ones by default. fuzzy: with
    one or two letters wrong, depending on the length of a word. phrase: the words in this order. prefix: the last word
    may go on. highlight: see `Hit`. raw: any query of OpenSearch, which must match as well.
    UnsupportedOperationError if the model is bound to another backend.
    """
    bound = query._bound()
    if not isinstance(bound.native, Index):
        raise UnsupportedOperationError(
            f"{bound.schema.name} is bound to {bound.backend.backend_name}, and only OpenSearch can search like this",
            model=bound.model,
            backend=bound.backend.backend_name,
            hint=f"{bound.schema.name}.search(text) finds words on every backend that has full text",
        )
    if sum((fuzzy, phrase, prefix)) > 1:
        raise QueryError("a search is one of fuzzy, phrase and prefix", model=bound.model)
    if text is None and (raw is None or fields or fuzzy or phrase or prefix or highlight):
        raise QueryError("a search needs a text, or a raw query alone", model=bound.model)
    boosts = tuple(fields.items()) if isinstance(fields, Mapping) else ()
    for name, factor in boosts:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 < factor < float("inf"):
            raise QueryError(f"{name!r} counts {factor!r} times: a boost is a number above 0", model=bound.model)
    told = Native(fuzzy, phrase, prefix, highlight, boosts, None if raw is None else dumps(dict(raw)))
    asked = query if text is None else query.search(text, fields=fields)
    return asked.option(**{OPTION: told})


def hit_of(instance: Any) -> Hit:
    """The hit that an instance was loaded from. QueryError if no search found it."""
    state = state_of(instance)
    row = None if state is None else state.row
    if not isinstance(row, Hit):
        raise QueryError(f"this {type(instance).__name__} was not found by a search")
    return row


def hit(found: Mapping[str, Any]) -> Hit:
    """A hit as the engine tells it."""
    made = Hit(found["_source"])
    made.score = found.get("_score")
    told = found.get("highlight", {})
    made.highlights = {name.removesuffix(".words"): parts for name, parts in told.items()}
    return made


def words_query(home: Index, search: Search, native: Native) -> Body:
    """The query for words."""
    boosts = dict(native.boosts)
    names = search.fields or home.schema.searchable
    fields = [f"{home.words_of(name)}^{boosts[name]}" if name in boosts else home.words_of(name) for name in names]
    if native.phrase:
        return _match(search.text, fields, type="phrase")
    if not native.fuzzy and not native.prefix and home.analyzers.keys().isdisjoint(names):
        return _match(search.text, fields, type="cross_fields", operator="and")
    sought = words(search.text)
    if not sought:
        return {"match_none": {}}
    if not native.prefix:  # each word by the analyzer of each field
        how = {"fuzziness": "AUTO"} if native.fuzzy else {"zero_terms_query": "all"}
        return {"bool": {"must": [_match(word, fields, type="best_fields", **how) for word in sought]}}
    *whole, last = sought
    every = [_match(word, fields, type="best_fields") for word in whole]
    return {"bool": {"must": [*every, _match(last, fields, type="phrase_prefix", max_expansions=1000)]}}


def _match(text: str, fields: list[str], **options: Any) -> Body:
    return {"multi_match": {"query": text, "fields": fields, **options}}


def highlighting(home: Index, search: Search) -> Body:
    """What asks for the parts of the text that were found."""
    names = search.fields or home.schema.searchable
    return {"fields": {home.words_of(name): {} for name in names}}
