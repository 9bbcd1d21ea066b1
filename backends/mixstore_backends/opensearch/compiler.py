"""Expressions to queries of the engine: one function per node; an unknown one raises.

Every piece finds a document or does not, so AND, OR and NOT are the engine's own. What can't be said exactly is
residual, and where a wider query narrows it down, that is asked too. Only top-level AND terms are split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mixstore.compiling import native_rule
from mixstore.expressions import TRUE, After, And, Compare, Constant, Expr, Not, Or, Order, conjunction, depth, terms
from mixstore.search import SCORE
from mixstore_backends.opensearch.lookups import (
    EVERYTHING,
    LOOKUPS,
    NOTHING,
    Body,
    Piece,
    all_of,
    any_of,
    negated,
    there,
)
from mixstore_backends.opensearch.sorting import Column
from mixstore_backends.opensearch.sources import NotPushableError, Source, Sources

DEEPEST = 20
"""How deep nodes may nest in a term: the engine's own limit for nested `bool` queries is near."""
LARGEST = 900
"""Clauses of a whole query; the engine takes 1024."""


class Where(NamedTuple):
    """A filter: what the engine is asked (all of it holds), the terms that this says, the expression that is left."""

    filters: Sequence[Body]
    terms: Sequence[Expr]
    residual: Expr | None

    @property
    def pushed(self) -> Expr:
        """What the engine answers exactly."""
        return conjunction(*self.terms)


class Compiler:
    """Compiles the expressions of one model. always: filters that every query has beside."""

    always: Sequence[Body] = ()

    def __init__(
        self,
        sources: Sources,
        model: type[Any],
        own: Mapping[tuple[str, str], Callable[[Any], Body]] = MappingProxyType({}),
    ) -> None:
        self.sources = sources
        self.model = model
        self.own = own
        """What an extension has the engine asked for a lookup of a field: it finds more, if anything."""

    def where(self, expr: Expr) -> Where:
        """The filter, as far as the engine can answer it."""
        if expr is TRUE:
            return Where(self.always, (), None)
        pushed: list[Expr] = []
        residual: list[Expr] = []
        filters: list[Body] = [*self.always]
        left = LARGEST
        for term in (expr,) if type(expr) is Compare else terms(expr):
            try:
                if type(term) is not Compare and depth(term) > DEEPEST:
                    raise NotPushableError("so deep a term")
                piece = self.expression(term)
                if piece.leaves > left:
                    raise NotPushableError("so large a term")
            except NotPushableError:
                residual.append(term)
                continue
            left -= piece.leaves
            if piece != EVERYTHING:
                filters.append(piece.body)
            (pushed if piece.exact else residual).append(term)
        return Where(filters, pushed, conjunction(*residual) if residual else None)

    def expression(self, expr: Expr) -> Piece:
        """Any node. NotPushableError if the engine can't help, TypeError if there is no such node."""
        rule = _NODES.get(type(expr))
        if rule is None:
            raise TypeError(f"{expr!r} is no expression that OpenSearch compiles")
        return rule(self, expr)

    def order(self, order: Sequence[Order]) -> list[Column] | None:
        """The sort columns; None if one does not sort as its values do."""
        found: list[Column] = []
        for one in order:
            if one.path == SCORE:
                found.append(Column(SCORE[0], one.descending))
                continue
            try:
                columns = self.sources.at(one.path).columns
            except NotPushableError:
                return None
            if columns is None:
                return None
            found += [column._replace(descending=one.descending) for column in columns]
        return found

    def place(self, where: Where, order: tuple[Order, ...]) -> tuple[Where, list[Any] | None]:
        """The sort values of the place in an order by score after which to begin, and the filter without it.

        None if there is none, or the engine can't be told: then the filter still has it.
        """
        for term in () if where.residual is None else terms(where.residual):
            if isinstance(term, After) and term.order == order:
                try:
                    values = [self._sort_value(*pair) for pair in zip(order, term.values, strict=True)]
                except NotPushableError:
                    break
                rest = [one for one in terms(where.residual) if one is not term]  # type: ignore[arg-type]
                return Where(where.filters, (*where.terms, term), conjunction(*rest) if rest else None), values
        return where, None

    def _sort_value(self, order: Order, value: Any) -> Any:
        """What the engine sorts a value by. NotPushableError where that is not plain."""
        if order.path == SCORE:
            return value
        source = self.sources.at(order.path)
        if source.columns != (Column(source.compared),) or source.form not in ("text", "int", "moment"):
            raise NotPushableError(source.field)
        try:
            stored, near = source.stored(value)
        except LookupError as error:
            raise NotPushableError(source.field) from error
        if near or source.cut(stored):
            raise NotPushableError(source.field)
        return stored

    def apart(self, order: Sequence[Order]) -> list[Column]:
        """Columns that tell rows apart by these paths, in whatever order."""
        return [column for one in order for column in self.sources.at(one.path).distinct]


def _compare(compiler: Compiler, expr: Any) -> Piece:
    own = compiler.own.get((expr.path[0], expr.lookup)) if len(expr.path) == 1 and compiler.own else None
    if own is not None:
        return Piece(own(expr.value), exact=False)
    rule = native_rule(LOOKUPS, expr, "OpenSearch", compiler.model)
    if rule is None:
        raise NotPushableError(expr.lookup)
    return rule(compiler.sources.at(expr.path), expr.value)


def _and(compiler: Compiler, expr: Any) -> Piece:
    """The terms that the engine can answer; if there are others, it finds more."""
    found, exact = [], True
    for term in expr.terms:
        try:
            found.append(compiler.expression(term))
        except NotPushableError:
            exact = False
    if not found:
        raise NotPushableError("AND")
    piece = all_of(found)
    return piece._replace(exact=piece.exact and exact)


def _or(compiler: Compiler, expr: Any) -> Piece:
    return any_of([compiler.expression(term) for term in expr.terms])


def _not(compiler: Compiler, expr: Any) -> Piece:
    return negated(compiler.expression(expr.term))


def _constant(compiler: Compiler, expr: Any) -> Piece:
    return EVERYTHING if expr.value else NOTHING


def _after(compiler: Compiler, expr: Any) -> Piece:
    """Documents that sort strictly after a place, column by column."""
    found = NOTHING
    for order, value in reversed(list(zip(expr.order, expr.values, strict=True))):
        source = compiler.sources.at(order.path)
        beyond = _beyond(source, value, order.descending)
        if found == NOTHING:
            found = beyond
        else:
            found = any_of([beyond, all_of([LOOKUPS["eq"](source, value), found])])
    return found


def _beyond(source: Source, value: Any, descending: bool) -> Piece:
    if value is None:
        return NOTHING if descending else there(source)
    if not descending:
        return LOOKUPS["gt"](source, value)
    below = LOOKUPS["lt"](source, value)
    return any_of([below, negated(there(source))]) if source.nullable else below


_NODES: dict[type[Expr], Callable[[Compiler, Any], Piece]] = {
    Compare: _compare,
    And: _and,
    Or: _or,
    Not: _not,
    Constant: _constant,
    After: _after,
}
