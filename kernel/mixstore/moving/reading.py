"""All rows of a model, page by page, and where rows are that extensions keep beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.backend import Backend, Capability
from mixstore.beside import finish_beside
from mixstore.binding import bound_of
from mixstore.chain import AS_IT_IS
from mixstore.config import connect
from mixstore.errors import TransactionError
from mixstore.pages import walk_rows
from mixstore.places import cursor_at, place_at
from mixstore.query import Query
from mixstore.reads import count
from mixstore.telling import told_by

if TYPE_CHECKING:
    from mixstore.bound import Bound


class PageOfRows(NamedTuple):
    """The values of some rows as they are stored, and the cursor after them: None at the end, or if there is none."""

    rows: list[dict[str, Any]]
    cursor: str | None


def place(model: type[Any], backend: Backend | str | None) -> Bound:
    """A model on a backend, which may be named as in `connect()`; None: the one that it is bound to.

    TransactionError inside a transaction of that backend, which could not hold so much.
    """
    given = connect(backend) if isinstance(backend, str) else backend
    bound = bound_of(model) if given is None else given.bound(model)
    if bound.transaction() is not None:
        raise TransactionError(f"whole models don't move in a transaction: {bound.schema.name}", model=model)
    return bound


def pages(bound: Bound, query: Query, cursor: str | None = None) -> Iterator[PageOfRows]:
    """All rows that are not dead: those that are hidden too. In the order of keys where the engine sorts."""
    asked = _whole(query)
    sorts = Capability.ORDERED in bound.backend.capabilities
    order = bound.schema.key_order
    state = None
    if cursor is not None and sorts:
        state = place_at(bound, asked.replace(cursor=cursor), order), None
    while True:
        rows, state = bound.run("copy", walk_rows(bound, asked, state))
        reached = cursor_at(bound, asked, order, state[0]) if sorts and state is not None else None
        yield PageOfRows([bound.stored_values(row) for row in rows], reached)
        if state is None:
            return


def number_of(bound: Bound, query: Query) -> int:
    """How many rows `pages` gives."""
    return bound.run("count", count(bound, _whole(query)))  # type: ignore[no-any-return]


def _whole(query: Query) -> Query:
    return query.replace(order=(), limit=None, options={**query.options, AS_IT_IS: True})


def kept(bound: Bound) -> list[Query]:
    """The rows beside that are data of the model's rows."""
    if bound.chain.keeping:
        finish_beside(bound)
    told = (told_by(bound.schema, one, "kept_beside", bound.model) for one in bound.chain.keeping)
    return [query for some in told for query in some]
