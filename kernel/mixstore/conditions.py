"""What a caller asks of rows, as an expression: `Q`, expressions, lookups by name, and the filters of other queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mixstore import lookups
from mixstore.errors import QueryError
from mixstore.expressions import TRUE, Expr, Q, conjunction
from mixstore.query import Query
from mixstore.registry import current
from mixstore.schema import schema_of


def condition(model: type[Any], terms: Iterable[Any], named: Mapping[str, Any]) -> Expr:
    """All of these together, about the fields of the model. QueryError for what is no condition, or names none."""
    parts = list(terms)
    for part in parts:
        if not isinstance(part, Expr):
            raise QueryError(f"a condition is a Q, an expression or a query, not {type(part).__name__}")
    if named:
        parts.append(Q(**named))
    try:
        return _resolved(model, parts)
    except QueryError:
        registry, before = current(), len(current().lookups)
        registry.load_plugins()  # not needed to write a query, unless one of them brings the lookup
        if len(registry.lookups) == before:
            raise
    return _resolved(model, parts)


def only_filter(query: Query, other: Query) -> Expr:
    """What another query asks of a row; QueryError if that is not all that it asks."""
    if not issubclass(query.model, other.model):
        raise QueryError(f"a query on {other.model.__name__} is no condition on {query.model.__name__}")
    rest = other.replace(where=TRUE, order=())
    lost = [name for name, value in rest._asdict().items() if value != Query._field_defaults.get(name, value)]
    if lost:
        raise QueryError(
            f"only the filter of a query can be a condition, and this one has {', '.join(lost)} as well",
            model=query.model,
        )
    return other.where


def _resolved(model: type[Any], parts: list[Any]) -> Expr:
    schema, known = schema_of(model), current().lookups
    return conjunction(*[lookups.resolve(schema, part, known) for part in parts])
