"""How a search is asked of OpenSearch, what it tells of a row that it found, and its own query language beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mixstore.errors import QueryError, UnsupportedOperationError
from mixstore.search import Hit
from mixstore.words import words
from mixstore_backends.opensearch.layout import Index
from mixstore_backends.opensearch.lookups import Body
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore.builder import QueryBuilder
    from mixstore.search import Search

M = TypeVar("M")
OPTION = "opensearch"
"""The query option that carries a raw query, as JSON."""
EXPANSIONS = 1000
"""How many words of the index a word with typing errors may stand for, in each field; the engine takes 1024."""


class Found(dict[str, Any]):
    """A document that a search found."""

    __slots__ = ("hit",)
    hit: Hit


def raw(query: QueryBuilder[M], body: Mapping[str, Any]) -> QueryBuilder[M]:
    """The query, for rows that a query in OpenSearch's own language finds as well: `raw(Article.where(), {...})`.

    It names fields as the mapping does, and goes through the chain as any query: filters and what extensions hide
    apply, as do order, pages and writes. UnsupportedOperationError if the model is bound to another backend.
    """
    bound = query._bound()
    if not isinstance(bound.native, Index):
        raise UnsupportedOperationError(
            f"{bound.schema.name} is bound to {bound.backend.backend_name}, which has no queries of OpenSearch",
            model=bound.model,
            backend=bound.backend.backend_name,
            hint=f"{bound.schema.name}.search(text) finds words on every backend that has full text",
        )
    if not isinstance(body, Mapping) or len(body) != 1:
        raise QueryError("a raw query is a dict of one query of OpenSearch, by its name", model=bound.model)
    return query.option(**{OPTION: dumps(dict(body))})


def found(told: Mapping[str, Any]) -> Found:
    """A hit as a row."""
    made = Found(told["_source"])
    parts = told.get("highlight", {})
    made.hit = Hit(told.get("_score"), {name.removesuffix(".words"): found for name, found in parts.items()})
    return made


def words_query(home: Index, search: Search) -> Body:
    """The query for words."""
    boosts = dict(search.boosts)
    names = search.fields or home.schema.searchable
    fields = {home.words_of(name): boosts.get(name, 1) for name in names}
    if search.mode == "phrase":
        return _match(search.text, fields, type="phrase")
    if search.mode == "words" and home.analyzers.keys().isdisjoint(names):
        return _match(search.text, fields, type="cross_fields", operator="and")
    if search.mode == "simple":
        options = {"fields": _weighed(fields), "default_operator": "and"}
        return {"simple_query_string": {"query": search.text, **options}}
    sought = words(search.text)
    if not sought:
        return {"match_none": {}}
    if search.mode == "like":
        rare = {"min_term_freq": 1, "min_doc_freq": 2}
        return {"more_like_this": {"like": [search.text], "fields": list(fields), **rare}}
    if search.mode == "fuzzy":
        errors = {"fuzziness": "AUTO", "max_expansions": EXPANSIONS}
        return {"bool": {"must": [_match(word, fields, type="best_fields", **errors) for word in sought]}}
    if search.mode == "words":  # each word by the analyzer of each field
        how = {"zero_terms_query": "all"}
        return {"bool": {"must": [_match(word, fields, type="best_fields", **how) for word in sought]}}
    *whole, last = sought
    return {"bool": {"must": [*(_match(word, fields, type="best_fields") for word in whole), _begins(last, fields)]}}


def _match(text: str, fields: Mapping[str, float], **options: Any) -> Body:
    """One query for some fields, each with its boost."""
    return {"multi_match": {"query": text, "fields": _weighed(fields), **options}}


def _weighed(fields: Mapping[str, float]) -> list[str]:
    return [name if boost == 1 else f"{name}^{boost}" for name, boost in fields.items()]


def _begins(word: str, fields: Mapping[str, float]) -> Body:
    """Documents with a word that begins like this; those with the word itself count for more."""
    longer = [{"prefix": {name: {"value": word, "boost": boost}}} for name, boost in fields.items()]
    return {"bool": {"should": [*longer, _match(word, fields, type="best_fields")], "minimum_should_match": 1}}


def highlighting(home: Index, search: Search) -> Body:
    """What asks for the parts of the text that were found."""
    names = search.fields or home.schema.searchable
    return {"fields": {home.words_of(name): {} for name in names}}
