"""Words that a caller may have meant, or may go on to write, of rows that the query can see: of no others.

Engines know all words of an index, those of hidden rows and of other tenants too. So these are made of rows that a
search through the chain finds, the best `MOST_ROWS` of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from mixstore.expressions import Order
from mixstore.query import Query
from mixstore.reads import rows_of
from mixstore.search import SCORE, Search, errors_in
from mixstore.words import words

if TYPE_CHECKING:
    from mixstore.bound import Bound

Steps = Generator[Any, Any, Any]
MOST_ROWS = 200
"""How many rows are read."""


def suggest(bound: Bound, query: Query, search: Search, size: int) -> Steps:
    """The words as rows have them, the most frequent first; [] if a row has them as they are."""
    sought = words(search.text)
    counts: Counter[str] = Counter()
    for there in (yield from _words_found(bound, query, search)):
        nearest = [_nearest(word, there) for word in sought]
        if None not in nearest:
            counts[" ".join(map(str, nearest))] += 1
    return [] if " ".join(sought) in counts else _frequent(counts, size)


def complete(bound: Bound, query: Query, search: Search, size: int) -> Steps:
    """The text with its last word gone on as rows have it, the most frequent first."""
    *whole, last = words(search.text) or [""]
    counts: Counter[str] = Counter()
    for there in (yield from _words_found(bound, query, search)):
        counts.update(" ".join([*whole, word]) for word in there if word.startswith(last))
    return _frequent(counts, size)


def _words_found(bound: Bound, query: Query, search: Search) -> Steps:
    """The words of each row that the search finds."""
    best = (Order(SCORE, descending=True),)
    whole = query.replace(offset=0, cursor=None, fields=None, similar=None)
    asked = whole.replace(search=search, order=best, limit=MOST_ROWS)
    rows = yield from rows_of(bound, asked)
    fields = search.fields or bound.schema.searchable
    return [_words_of(bound.values_from_row(row), fields) for row in rows]


def _words_of(values: dict[str, Any], fields: Iterable[str]) -> set[str]:
    texts = [values[name] for name in fields]
    return {word for text in texts if text is not None for word in words(str(text))}


def _nearest(word: str, there: Iterable[str]) -> str | None:
    """The word that is meant: with the fewest errors, then the first by its letters."""
    found = [(count, one) for one in there if (count := errors_in(word, one)) is not None]
    return min(found)[1] if found else None


def _frequent(counts: Counter[str], size: int) -> list[str]:
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [text for text, _ in ranked[:size]]
