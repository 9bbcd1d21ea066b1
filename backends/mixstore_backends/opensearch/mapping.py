"""The mapping of a model: strict, one property a field, with sub-fields where the engine's own type is not exact.

text       keyword; searchable: text for words, `.keyword` to compare
int        long; with `.rank` where it may be missing, since a missing long sorts as the smallest one
float      double, `.rank` for the infinities
decimal    double for ranges and sums, `.exact` to compare
moment     date (milliseconds), `.exact` to compare and sort by the microsecond
date, bool, ip4    the engine's own types
bytes      keyword of base64
model      object; a list of them: nested
vectors    kept, not indexed; with `knn`, a graph of the k-NN plugin
any other  kept, not indexed
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore_backends.opensearch.analysis import BYTES, CLIP, RANK, WORDS
from mixstore_backends.opensearch.values import element_of, form_of, is_open, may_be_null

if TYPE_CHECKING:
    from mixstore.types import FieldType
    from mixstore.vectors import Vector

Mapping = dict[str, Any]


SPACES = {"cosine": "cosinesimil", "euclidean": "l2", "dot": "innerproduct"}
"""What the k-NN plugin calls similarities. Its scores have the scales of ours."""
GRAPH = {"m": 16, "ef_construction": 100}
"""How dense the graph of neighbours is, and how thoroughly it is made: the plugin's defaults, said so as to stay."""


class Mapped(NamedTuple):
    """A field that an extension has mapped in a way of its own.

    queries: what a lookup asks of the engine, by its operand. It finds all rows that pass, and perhaps others; what
    other lookups ask of the field is left to mixstore.
    """

    mapping: Mapping
    queries: typing.Mapping[str, Callable[[Any], dict[str, Any]]]


UNINDEXED: Mapping = {"type": "object", "enabled": False}
"""Takes any JSON value and indexes nothing of it."""
KEYWORD: Mapping = {"type": "keyword"}
_RANK: Mapping = {"type": "keyword", "normalizer": RANK}


def vectors_of(vector: Vector, knn: bool) -> Mapping:
    """The mapping of a field of vectors: kept only, or with the graph of neighbours that the k-NN plugin makes."""
    if not knn:
        return UNINDEXED
    method = {"name": "hnsw", "engine": "lucene", "space_type": SPACES[vector.similarity], "parameters": GRAPH}
    return {"type": "knn_vector", "dimension": vector.dimensions, "method": method}


def property_of(field_type: FieldType, searchable: bool = False, within: tuple[type, ...] = ()) -> Mapping:
    """The mapping of values of a type; `within` are the models around it, since one may contain itself."""
    element = element_of(field_type)
    if element is not None:
        return _listed(element, within)
    form = form_of(field_type)
    if form == "object":
        return _object(field_type, within)
    if form == "unindexed":
        return UNINDEXED
    may_be_missing = bool(within) or may_be_null(field_type)
    found = _RANKED if form == "int" and may_be_missing else _PROPERTIES[form]
    if not searchable:
        return found
    if form == "text":
        return {
            "type": "text",
            "analyzer": WORDS,
            "fields": {"keyword": {**KEYWORD, "normalizer": CLIP}},
        }
    return {**found, "fields": {"words": {"type": "text", "analyzer": WORDS}}}


def _listed(element: FieldType, within: tuple[type, ...]) -> Mapping:
    if form_of(element) != "object":
        return property_of(element, within=within)
    found = _object(element, within)
    return found if found is UNINDEXED else {**found, "type": "nested"}


def _object(field_type: FieldType, within: tuple[type, ...]) -> Mapping:
    model = field_type.python
    if model in within or is_open(field_type):
        return UNINDEXED
    inner = {name: property_of(kind, within=(*within, model)) for name, kind in field_type.nested().items()}
    return {"type": "object", "dynamic": "strict", "properties": inner}


_RANKED: Mapping = {"type": "long", "fields": {"rank": _RANK}}
_PROPERTIES: dict[str, Mapping] = {
    "text": KEYWORD,
    "int": {"type": "long"},
    "float": {"type": "double", "ignore_malformed": True, "fields": {"rank": _RANK}},
    "bool": {"type": "boolean"},
    "decimal": {"type": "double", "ignore_malformed": True, "fields": {"exact": KEYWORD}},
    "moment": {"type": "date", "format": "strict_date_optional_time_nanos", "fields": {"exact": KEYWORD}},
    "date": {"type": "date", "format": "strict_date"},
    "ip4": {"type": "ip"},
    "bytes": {**KEYWORD, "normalizer": BYTES},
}
