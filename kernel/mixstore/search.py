"""Full-text search: what is asked, which rows that finds (the reference), and what a row tells that was found.

Words are those of `mixstore.words`. Ranking is each engine's own; which rows are found is the same on all of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.backend import Capability
from mixstore.errors import QueryError, UnsupportedOperationError, nearest
from mixstore.expressions import After, Compare, Expr, Order, conjunction, terms
from mixstore.state import state_of
from mixstore.words import words

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.query import Query
    from mixstore.schema import ModelSchema

Fields = Iterable[str] | Mapping[str, float]
Scorer = Callable[[Mapping[str, Any]], float | None]
SCORE = ("_score",)
"""The path of the score in an order; no field can be called like it."""
MODES = ("fuzzy", "phrase", "prefix", "simple")


class Search(NamedTuple):
    """Full text: every word of `text` must occur in one of `fields` (all searchable ones if empty).

    boosts: (field, how much a word in it counts), 1 for others. mode: "words" as above; "phrase": the words in this
    order in one field; "prefix": the last word may go on; "fuzzy": words may have typing errors; "simple": the text has
    signs that say more; "like": enough of its words. highlight: tell which parts of the text were found.
    """

    text: str
    fields: tuple[str, ...] = ()
    boosts: tuple[tuple[str, float], ...] = ()
    mode: str = "words"
    highlight: bool = False


class Hit(NamedTuple):
    """What a search tells of a row that it found.

    score: how well it fits, higher is better; numbers of different searches or engines don't compare. None for a row
    that no search found. highlights: {field: parts of its text}, the words that were found between <em> and </em>; the
    rest of the text is as it was stored, not escaped.
    """

    score: float | None = None
    highlights: Mapping[str, list[str]] = MappingProxyType({})


NO_HIT = Hit()
ABILITIES = {
    "fuzzy": (Capability.FUZZY_SEARCH, "search that forgives typing errors (fuzzy=True)"),
    "simple": (Capability.SIMPLE_SYNTAX, "search in the simple syntax (simple=True)"),
    "like": (Capability.MORE_LIKE_THIS, "search for rows that are like another (like())"),
    "highlight": (Capability.HIGHLIGHTS, "highlights (highlight=True)"),
}
"""What options of a search need of a backend besides FULL_TEXT, and what they are called."""


def searched(schema: ModelSchema, text: str, fields: Fields | None, highlight: bool, **modes: bool) -> Search:
    """The search that a caller asks for. QueryError for what is no searchable field, or contradicts itself."""
    if not schema.searchable:
        raise QueryError(f"{schema.name} has no searchable field", hint="Field(searchable=True)")
    if not isinstance(text, str):
        raise QueryError(f"a search is text, not {type(text).__name__}")
    asked = [name for name, wanted in modes.items() if wanted]
    if len(asked) > 1:
        raise QueryError(f"a search is one of {', '.join(MODES)}, not {' and '.join(asked)}")
    return Search(text, *_fields(schema, fields), asked[0] if asked else "words", highlight)


def _fields(schema: ModelSchema, fields: Fields | None) -> tuple[tuple[str, ...], tuple[tuple[str, float], ...]]:
    """The fields to search, and how much each counts. QueryError."""
    boosts = tuple(fields.items()) if isinstance(fields, Mapping) else ()
    names = () if fields is None else (fields,) if isinstance(fields, str) else tuple(fields)
    for name in names:
        if name not in schema.searchable:
            raise QueryError(f"{schema.name}.{name} is not searchable", hint=nearest(name, schema.searchable))
    for name, factor in boosts:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 < factor < float("inf"):
            raise QueryError(f"{name!r} counts {factor!r} times: a boost is a number above 0")
    return names, boosts


def likeness(schema: ModelSchema, row: Any, fields: Fields | None) -> tuple[Search, Expr]:
    """The search for rows that are like this instance, and the filter that leaves it out itself. QueryError.

    The text is that of the instance: the store is not asked for it, so a row that can't be seen tells nothing.
    """
    if not isinstance(row, schema.model):
        raise QueryError(f"like() takes a {schema.name}, not {type(row).__name__}")
    if not schema.searchable:
        raise QueryError(f"{schema.name} has no searchable field", hint="Field(searchable=True)")
    names, boosts = _fields(schema, fields)
    if boosts:
        raise QueryError("like() takes names of fields, which count alike")
    texts = [getattr(row, name) for name in names or schema.searchable]
    key = schema.key_from(vars(row))
    pairs = zip(schema.key_names, key or (), strict=False)
    itself = conjunction(*(Compare((name,), "eq", value) for name, value in pairs))
    return Search("\n".join(str(text) for text in texts if text is not None), names, mode="like"), ~itself


def check_able(bound: Bound, search: Search) -> None:
    """UnsupportedOperationError for an option of the search that the backend does not serve."""
    for option in (search.mode, "highlight" if search.highlight else ""):
        capability, what = ABILITIES.get(option, (None, ""))
        if capability is not None and capability not in bound.backend.capabilities:
            raise UnsupportedOperationError(
                f"{bound.backend.backend_name} has no {what}",
                model=bound.model,
                backend=bound.backend.backend_name,
                hint=f"it needs a backend that declares {capability.name}; words, phrases and prefixes need FULL_TEXT",
            )


def order_by_score(schema: ModelSchema, query: Query, name: str) -> Order | None:
    """The order by the score, if the name asks for that: `score`, where it is no field, or always `_score`.

    QueryError if nothing is searched for.
    """
    plain = name.removeprefix("-") if isinstance(name, str) else ""
    if plain != SCORE[0] and (plain != "score" or "score" in schema.fields):
        return None
    if query.search is None and query.similar is None:
        raise QueryError(
            f"only a search has a score to order by, and {schema.name} has no field {plain!r}",
            hint=f"{schema.name}.search(text).order_by({name!r})",
        )
    return Order(SCORE, name.startswith("-"))


def by_score(query: Query) -> bool:
    """Whether the answer to a query depends on scores: by its order, or by the place after which it begins."""
    if query.search is None and query.similar is None:
        return False
    return ordered_by_score(query.order) or any(
        isinstance(term, After) and ordered_by_score(term.order) for term in terms(query.where)
    )


def ordered_by_score(order: Iterable[Order]) -> bool:
    return any(one.path == SCORE for one in order)


def hit_of(instance: Any) -> Hit:
    """What a search told of the row from which an instance was loaded. QueryError if no search found it."""
    hit = _hit(instance)
    if hit is None:
        raise QueryError(f"this {type(instance).__name__} was not found by a search")
    return hit


def _hit(instance: Any) -> Hit | None:
    state = state_of(instance)
    return None if state is None else state.bound.engine.row_hit(state.row)


class Meta:
    """`instance.meta`: the `Hit` of its row. A field called `meta` stands before it: then `hit_of(instance)` tells."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else _hit(instance) or NO_HIT


# -- the reference -----------------------------------------------------------------------------------------------------


def scorer(search: Search, searchable: tuple[str, ...]) -> Scorer:
    """A function from a row to its score, None if the search does not find it: which it finds is the reference.

    The score is how often what is sought occurs, as often as each field counts.
    """
    boosts = dict(search.boosts)
    fields = [(name, boosts.get(name, 1.0)) for name in search.fields or searchable]
    sought = words(search.text)
    if not sought:
        return lambda row: None
    if search.mode == "phrase":
        return lambda row: _phrases(sought, _texts(row, fields))
    tests = list(_tests(sought, search.mode))
    every = frozenset(range(len(tests)))
    known: dict[str, frozenset[int]] = {}

    def score(row: Mapping[str, Any]) -> float | None:
        left, total = every, 0.0
        for found, weight in _texts(row, fields):
            for word in found:
                met = known.get(word)
                if met is None:
                    met = known[word] = frozenset(n for n, test in enumerate(tests) if test(word))
                if met:
                    left = left - met
                    total += weight
        return None if left else total

    return score


def _texts(row: Mapping[str, Any], fields: Iterable[tuple[str, float]]) -> Iterator[tuple[list[str], float]]:
    """The words of each field that has a value, and how much they count."""
    for name, weight in fields:
        text = row.get(name)
        if text is not None:
            yield words(str(text)), weight


def _tests(sought: list[str], mode: str) -> Iterator[Callable[[str], bool]]:
    """What tells of a word whether it is one that is sought, for each of these."""
    for word in dict.fromkeys(sought[:-1] if mode == "prefix" else sought):
        yield partial(near, word) if mode == "fuzzy" else partial(operator.eq, word)
    if mode == "prefix":
        yield lambda found: found.startswith(sought[-1])


def _phrases(sought: list[str], texts: Iterable[tuple[list[str], float]]) -> float | None:
    """How often the words occur in this order."""
    total, length = 0.0, len(sought)
    for found, weight in texts:
        starts = [place for place, word in enumerate(found) if word == sought[0]]
        total += weight * sum(1 for start in starts if found[start : start + length] == sought)
    return total or None


def near(word: str, found: str) -> bool:
    """Whether a word is another with typing errors."""
    return errors_in(word, found) is not None


def errors_in(word: str, found: str) -> int | None:
    """How many typing errors make one word of another; None for more than one in three to five letters, two in more.

    An error is a letter too many, one too few, another one, or two neighbours that changed places.
    """
    allowed = 0 if len(word) < 3 else 1 if len(word) < 6 else 2
    if word == found:
        return 0
    if abs(len(word) - len(found)) > allowed or not allowed:
        return None
    before: list[int] = []
    row = list(range(len(found) + 1))
    for i, one in enumerate(word, 1):
        before, above, row = row, before, [i]
        for j, other in enumerate(found, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other))
            if i > 1 and j > 1 and one == found[j - 2] and other == word[i - 2]:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
        if min(row) > allowed:
            return None
    return row[-1] if row[-1] <= allowed else None
