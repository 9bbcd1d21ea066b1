"""Lookups to queries: one function each. A piece says whether it finds exactly the documents, or also others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from mixstore.ranks import SHIFTED, nearest_float
from mixstore_backends.opensearch.analysis import FINITE, HIGHEST, LOWEST, MORE, clipped
from mixstore_backends.opensearch.sources import NotPushableError, Source

Body = dict[str, Any]
LONGEST_PATTERN = 250
"""Characters of a pattern: the engine refuses those of which it would make too large an automaton."""
MANY = 60_000
"""Values of one `terms` query; the engine takes 65,536."""
_ORDERINGS = ("lt", "lte", "gt", "gte")


class Piece(NamedTuple):
    """A query, and whether it is exact; otherwise it finds documents that don't match as well. leaves: its size."""

    body: Body
    exact: bool = True
    leaves: int = 1


NOTHING = Piece({"match_none": {}})
EVERYTHING = Piece({"match_all": {}})


def all_of(pieces: Sequence[Piece]) -> Piece:
    return _bool("filter", pieces) if pieces else EVERYTHING


def any_of(pieces: Sequence[Piece]) -> Piece:
    return _bool("should", pieces) if pieces else NOTHING


def _bool(occur: str, pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    body: Body = {occur: [one.body for one in pieces]}
    if occur == "should":
        body["minimum_should_match"] = 1
    return Piece({"bool": body}, all(one.exact for one in pieces), sum(one.leaves for one in pieces))


def negated(one: Piece) -> Piece:
    """The documents that a piece does not find; only an exact one says which these are."""
    if not one.exact:
        raise NotPushableError("NOT")
    if one in (NOTHING, EVERYTHING):
        return EVERYTHING if one == NOTHING else NOTHING
    if one.body.get("bool", {}).keys() == {"must_not"}:
        return Piece(one.body["bool"]["must_not"][0], True, one.leaves)
    return Piece({"bool": {"must_not": [one.body]}}, True, one.leaves)


def there(source: Source) -> Piece:
    """The documents that have a value."""
    return Piece({"exists": {"field": source.there}}) if source.nullable else EVERYTHING


def _eq(source: Source, value: Any) -> Piece:
    if value is None:
        return _isnull(source, True)
    found = _exactly(source, value)
    return NOTHING if found is None else _terms(source, [found])


def _exactly(source: Source, value: Any) -> Any:
    """The term that equals a value, None if no document can have it."""
    if not source.indexed or source.kind == "choice":
        raise NotPushableError(source.field)
    try:
        stored, near = source.stored(value)
    except LookupError:
        return None
    return None if near else stored


def _terms(source: Source, found: Sequence[Any]) -> Piece:
    """The documents with one of these terms."""
    pieces = []
    if source.form == "float":
        for rank, infinite in ((HIGHEST, math.inf), (LOWEST, -math.inf)):
            if infinite in found:
                pieces.append(Piece({"term": {source.there: rank}}))
        found = [one for one in found if not math.isinf(one)]
    exact = not any(source.cut(one) for one in found)
    field = source.compared
    terms = [clipped(one) if source.clips else one for one in found]
    if len(terms) > MANY:
        raise NotPushableError(source.field)
    if len(terms) == 1:
        pieces.append(Piece({"term": {field: terms[0]}}, exact))
    elif terms:
        pieces.append(Piece({"terms": {field: terms}}, exact))
    return any_of(pieces)


def _ne(source: Source, value: Any) -> Piece:
    return negated(_eq(source, value))


def _ordering(lookup: str) -> Callable[[Source, Any], Piece]:
    def compile_ordering(source: Source, value: Any) -> Piece:
        if value is None:
            return NOTHING
        if not source.indexed or source.kind == "choice":
            raise NotPushableError(source.field)
        try:
            stored, near = source.stored(value)
        except LookupError:
            return NOTHING
        if source.form == "decimal":
            return _near_decimal(source, lookup, stored)
        if source.form == "text" and source.kind == "ip":
            raise NotPushableError(source.field)
        said = SHIFTED.get((lookup, near), lookup)
        if source.form == "float":
            return _float_range(source, said, stored)
        if source.form == "bool":
            return _bool_range(source, said, stored)
        if source.cut(stored):
            return _range(source.compared, said[:2] + "e", clipped(stored), exact=False)
        return _range(source.compared, said, stored)

    return compile_ordering


def _range(field: str, lookup: str, term: Any, exact: bool = True) -> Piece:
    return Piece({"range": {field: {lookup: term}}}, exact)


def _float_range(source: Source, lookup: str, limit: float) -> Piece:
    """The infinities are no numbers to the engine, and have ranks of their own."""
    above = lookup in ("gt", "gte")
    if math.isinf(limit):
        beyond = (limit > 0) == above
        if beyond:
            return Piece({"term": {source.there: HIGHEST if above else LOWEST}}) if lookup.endswith("e") else NOTHING
        ranks = [LOWEST, FINITE, HIGHEST] if lookup.endswith("e") else [FINITE, HIGHEST if above else LOWEST]
        return Piece({"terms": {source.there: ranks}})
    rank = Piece({"term": {source.there: HIGHEST if above else LOWEST}})
    return any_of([_range(source.field, lookup, limit), rank])


def _bool_range(source: Source, lookup: str, limit: bool) -> Piece:
    told = {
        "lt": [one for one in (False, True) if one < limit],
        "lte": [one for one in (False, True) if one <= limit],
        "gt": [one for one in (False, True) if one > limit],
        "gte": [one for one in (False, True) if one >= limit],
    }[lookup]
    return _terms(source, told) if told else NOTHING


def _near_decimal(source: Source, lookup: str, digits: str) -> Piece:
    """Rounding keeps the order, so that the nearest doubles narrow a range; those without one may lie anywhere."""
    near, _ = nearest_float(Decimal(digits))
    too_large = {
        "bool": {"filter": [{"exists": {"field": source.there}}], "must_not": [{"exists": {"field": source.field}}]}
    }
    return any_of([_range(source.field, lookup[:2] + "e", near, exact=False), Piece(too_large, False, 2)])


def _between(source: Source, value: Any) -> Piece:
    low, high = value
    return all_of([LOOKUPS["gte"](source, low), LOOKUPS["lte"](source, high)])


def _in(source: Source, values: Any) -> Piece:
    stored = [_exactly(source, value) for value in values if value is not None]
    found = list(dict.fromkeys(one for one in stored if one is not None))
    pieces = [_terms(source, found)] if found else []
    if any(value is None for value in values) and source.nullable:
        pieces.append(_isnull(source, True))
    return any_of(pieces)


def _not_in(source: Source, values: Any) -> Piece:
    return negated(_in(source, values))


def _contains(source: Source, value: Any) -> Piece:
    if source.element is not None:
        return _has(source.element, value)
    part = _text(source, value)
    if part is None:
        return NOTHING
    return _pattern(source, f"*{_literal(part)}*") if part else there(source)


def _has(element: Source, value: Any) -> Piece:
    """Whether a list of plain values holds one; the engine looks at each element."""
    if value is None:
        raise NotPushableError(element.field)
    return _eq(element, value)


def _text(source: Source, value: Any) -> str | None:
    """The text of an operand, None if it is none; NotPushableError where python would not find text in the source."""
    if not source.textual:
        raise NotPushableError(source.field)
    try:
        return None if value is None else str(source.stored(value)[0])
    except LookupError:
        return None


def _pattern(source: Source, pattern: str) -> Piece:
    """Texts that fit a pattern of the engine's, and those that are cut, of which the end can't be seen."""
    if len(pattern) > LONGEST_PATTERN:
        raise NotPushableError(source.field)
    found = Piece({"wildcard": {source.compared: {"value": pattern}}}, not source.clips)
    if not source.clips:
        return found
    return any_of([found, Piece({"wildcard": {source.compared: {"value": f"*{MORE}"}}}, exact=False)])


def _literal(part: str) -> str:
    """A text in which nothing is a wildcard."""
    return "".join(f"\\{one}" if one in "*?\\" else one for one in part)


def _startswith(source: Source, value: Any) -> Piece:
    prefix = _text(source, value)
    if prefix is None:
        return NOTHING
    if not prefix:
        return there(source)
    kept = prefix[:LONGEST_PATTERN]
    return Piece({"prefix": {source.compared: {"value": kept}}}, kept == prefix)


def _endswith(source: Source, value: Any) -> Piece:
    suffix = _text(source, value)
    if suffix is None:
        return NOTHING
    return _pattern(source, f"*{_literal(suffix)}") if suffix else there(source)


def _by_reference(source: Source, value: Any) -> Piece:
    """What python and Lucene do differently: case folding and regular expressions. Only documents with a value."""
    if value is None:
        return NOTHING
    if not source.textual or not source.nullable:
        raise NotPushableError(source.field)
    return there(source)._replace(exact=False)


def _isnull(source: Source, value: Any) -> Piece:
    if not source.nullable:
        return NOTHING if value else EVERYTHING
    if source.indexed:
        return negated(there(source)) if value else there(source)
    if source.witness is not None:
        return _isnull(source.witness, value)
    raise NotPushableError(source.field)  # an empty list is not indexed either


def _size(source: Source, value: Any) -> Piece:
    if value is None or isinstance(value, bool):
        return NOTHING
    raise NotPushableError(source.field)


LOOKUPS: dict[str, Callable[[Source, Any], Piece]] = {
    "eq": _eq,
    "ne": _ne,
    **{lookup: _ordering(lookup) for lookup in _ORDERINGS},
    "between": _between,
    "in": _in,
    "not_in": _not_in,
    "contains": _contains,
    "icontains": _by_reference,
    "startswith": _startswith,
    "istartswith": _by_reference,
    "endswith": _endswith,
    "iendswith": _by_reference,
    "regex": _by_reference,
    "isnull": _isnull,
    "size": _size,
}
