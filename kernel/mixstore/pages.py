"""Pages: cursors that a user holds, and the stream behind an iteration."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from mixstore.backend import Capability
from mixstore.errors import BackendError
from mixstore.expressions import After, conjunction
from mixstore.places import cursor_at, place_of
from mixstore.query import Page, Query
from mixstore.reads import by_key, rows_of, shown, told, unordered, with_key
from mixstore.search import ordered_by_score

if TYPE_CHECKING:
    from mixstore.bound import Bound

Steps = Generator[Any, Any, Any]
STREAM_PAGE = 500
DEFAULT_PAGE = 100


def paginate(bound: Bound, query: Query) -> Steps:
    """One page and the cursor after it; None at the end."""
    size = DEFAULT_PAGE if query.limit is None else query.limit
    asked = by_key(bound, query)
    order = with_key(bound, asked.order)
    rows = yield from rows_of(bound, asked.replace(limit=size + 1 if size else 0))
    page = rows[:size]
    cursor = None
    if len(rows) > size and page:
        cursor = cursor_at(bound, asked, order, place_of(order, told(bound, page[-1], ordered_by_score(order))))
    return Page(shown(bound, query, page), cursor)


def stream(bound: Bound, query: Query, state: Any) -> Steps:
    """The next page of an iteration and the state for the one after it; state None starts, and ends."""
    rows, following = yield from stream_rows(bound, query, state)
    return shown(bound, query, rows), following


def stream_rows(bound: Bound, query: Query, state: Any) -> Steps:
    """As `stream`, with rows in the engine's form. The state is the place that has been reached, and what is left."""
    asked = by_key(bound, query)
    order = with_key(bound, asked.order)
    place, left = (None, asked.limit) if state is None else state
    size = STREAM_PAGE if left is None else min(STREAM_PAGE, left)
    if place is not None:
        asked = asked.replace(where=conjunction(asked.where, After(order, place)), offset=0, cursor=None)
    rows = yield from rows_of(bound, asked.replace(order=order, limit=size))
    left = None if left is None else left - len(rows)
    done = len(rows) < size or left == 0
    following = None if done else (place_of(order, told(bound, rows[-1], ordered_by_score(order))), left)
    if following is not None and following[0] == place:
        raise BackendError(
            f"{bound.backend.backend_name} gives the same page of {bound.schema.name} again",
            model=bound.model,
            backend=bound.backend.backend_name,
            hint="its compiler must apply After(), or leave it as a residual",
        )
    return rows, following


def walk(bound: Bound, query: Query, state: Any) -> Steps:
    """As `stream`, in whatever order the engine has its rows, for whoever asks for none.

    An engine that does not sort would read all rows for each page of an order; its own pages it reads once.
    """
    rows, following = yield from walk_rows(bound, query, state)
    return shown(bound, query, rows), following


def walk_rows(bound: Bound, query: Query, state: Any) -> Steps:
    """As `walk`, with rows in the engine's form."""
    if Capability.ORDERED in bound.backend.capabilities or query.similar is not None:
        return (yield from stream_rows(bound, query, state))
    plan, matches = unordered(bound, query) if state is None else state
    answer = yield plan
    rows = [row for row in answer.rows if matches is None or matches(told(bound, row))]
    return rows, None if answer.more is None else (answer.more, matches)
