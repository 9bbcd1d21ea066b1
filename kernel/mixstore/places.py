"""Places in an ordered result: the sort values of a row, and the cursor that says where to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mixstore import codecs
from mixstore.chain import TO_WRITE
from mixstore.cursors import decode_cursor, encode_cursor
from mixstore.errors import InvalidCursorError
from mixstore.expressions import Order
from mixstore.lookups import type_at
from mixstore.query import Query
from mixstore.registry import current
from mixstore.search import SCORE

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.codecs import Codec

Place = tuple[Any, ...]


def _shape(bound: Bound, query: Query, order: tuple[Order, ...]) -> str:
    """What a cursor is bound to: the user's question, without where it is in it."""
    options = sorted((name, repr(value)) for name, value in query.options.items() if name != TO_WRITE)
    using = "" if query.index is None else f"|{query.index}"
    near = "" if query.similar is None else f"|{query.similar!r}"
    return f"{bound.schema.entity}|{query.where!r}|{order!r}|{query.search!r}|{options!r}{using}{near}"


def _codecs(bound: Bound, order: tuple[Order, ...]) -> list[Codec]:
    plain = codecs.Codec(None, None)
    hidden = (*bound.schema.hidden_key, *SCORE)
    return [plain if one.path[0] in hidden else codecs.jsonable(type_at(bound.schema, one.path)) for one in order]


def cursor_at(bound: Bound, query: Query, order: tuple[Order, ...], place: Place) -> str:
    """The cursor of a place in the result of a query."""
    encoded = [
        value if codec.encode is None or value is None else codec.encode(value)
        for codec, value in zip(_codecs(bound, order), place, strict=True)
    ]
    return encode_cursor(_shape(bound, query, order), tuple(encoded), current().settings.cursor_secret)


def place_at(bound: Bound, query: Query, order: tuple[Order, ...]) -> Place:
    """The place that the query's cursor names. InvalidCursorError if it is not one of this query."""
    values = decode_cursor(query.cursor or "", _shape(bound, query, order), current().settings.cursor_secret)
    try:
        return tuple(
            value if codec.decode is None or value is None else codec.decode(value)
            for codec, value in zip(_codecs(bound, order), values, strict=True)
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidCursorError("the cursor holds what this query does not sort by", model=bound.model) from error


def place_of(order: tuple[Order, ...], values: Mapping[str, Any]) -> Place:
    """The sort values of a row."""
    return tuple(_walk(values, column.path) for column in order)


def _walk(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values.get(path[0])
    for name in path[1:]:
        found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
    return found
