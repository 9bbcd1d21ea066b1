"""Expressions to SQL: one function per node and per lookup; an unknown one raises.

The reference has two truth values, SQL has three. So no leaf made here is ever NULL: then AND, OR and NOT are SQL's
own. What can't be said exactly raises `NotInSQLError` and becomes residual; only top-level AND terms are split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.compiling import native_rule
from mixstore.containers import json_value
from mixstore.expressions import TRUE, After, And, Compare, Constant, Expr, Not, Or, Order, conjunction, depth, terms
from mixstore_backends.sqlite.lookups import EVERYTHING, LOOKUPS, NOTHING, Sql, joined, negated
from mixstore_backends.sqlite.operands import NotInSQLError, Sources
from mixstore_backends.sqlite.values import to_text

if TYPE_CHECKING:
    from mixstore_backends.sqlite.layout import Table


DEEPEST = 20
"""How deep nodes may nest in a term: SQLite's parser gives up at a stack of 100, and a node takes three of it."""
LONGEST = 300_000
"""How many characters of SQL a filter may take: within SQLite's own limit, and too few for 32,766 parameters."""


class Where(NamedTuple):
    """A filter: its SQL, the terms that it says (all of them hold), and the expression that is left."""

    sql: Sql
    terms: Sequence[Expr]
    residual: Expr | None

    @property
    def pushed(self) -> Expr:
        """What the SQL says."""
        return conjunction(*self.terms)


class Compiler:
    """Compiles the expressions of one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.sources = Sources(table)

    def where(self, expr: Expr) -> Where:
        """The filter, as far as it can be said in SQL."""
        if expr is TRUE:
            return _ALL
        pushed: list[Expr] = []
        residual: list[Expr] = []
        found: list[Sql] = []
        left = LONGEST
        for term in (expr,) if type(expr) is Compare else terms(expr):
            try:
                if type(term) is not Compare and depth(term) > DEEPEST:
                    raise NotInSQLError("so deep a term")
                piece = self.expression(term)
                if len(piece.text) > left:
                    raise NotInSQLError("so long a term")
            except NotInSQLError:
                residual.append(term)
            else:
                left -= len(piece.text)
                found.append(piece)
                pushed.append(term)
        return Where(joined(found, " AND "), pushed, conjunction(*residual) if residual else None)

    def expression(self, expr: Expr) -> Sql:
        """Any node. NotInSQLError if it can't be said exactly, TypeError if there is no such node."""
        rule = _NODES.get(type(expr))
        if rule is None:
            raise TypeError(f"{expr!r} is no expression that SQLite compiles")
        return rule(self, expr)

    def order(self, order: Sequence[Order]) -> list[Place] | None:
        """The sort columns; None if one does not sort as its values do."""
        columns = []
        for one in order:
            try:
                source = self.sources.at(one.path)
            except NotInSQLError:
                return None
            if source.ordered is None:
                return None
            columns.append(Place(source.ordered, source.nullable, one.descending))
        return columns


# -- nodes -----------------------------------------------------------------------------------------------------------


def _compare(compiler: Compiler, expr: Any) -> Sql:
    rule = native_rule(LOOKUPS, expr, "SQLite", compiler.table.schema.model)
    if rule is None:
        raise NotInSQLError(expr.lookup)
    try:
        return rule(compiler.sources.at(expr.path), expr.value)
    except NotInSQLError:
        return _by_reference(compiler, expr)


def _by_reference(compiler: Compiler, expr: Compare) -> Sql:
    """A comparison inside of JSON whose values are the same to python: the reference answers it, as a function."""
    column, steps = compiler.sources.steps(expr.path)
    try:
        operand = list(expr.value) if isinstance(expr.value, tuple) else expr.value
        question = to_text([steps, expr.lookup, json_value(operand)])
    except ValueError as error:
        raise NotInSQLError(expr.lookup) from error
    return Sql(f"mixstore_test({column.sql}, ?)", (question,))


def _and(compiler: Compiler, expr: Any) -> Sql:
    return joined([compiler.expression(term) for term in expr.terms], " AND ")


def _or(compiler: Compiler, expr: Any) -> Sql:
    return joined([compiler.expression(term) for term in expr.terms], " OR ") if expr.terms else NOTHING


def _not(compiler: Compiler, expr: Any) -> Sql:
    return negated(compiler.expression(expr.term))


def _constant(compiler: Compiler, expr: Any) -> Sql:
    return EVERYTHING if expr.value else NOTHING


def _after(compiler: Compiler, expr: Any) -> Sql:
    columns = []
    for order, value in zip(expr.order, expr.values, strict=True):
        source = compiler.sources.at(order.path)
        try:
            stored, near = (None, 0) if value is None else source.stored(value)
        except LookupError as error:
            raise NotInSQLError(source.sql) from error
        if source.ordered is None or near:
            raise NotInSQLError(source.sql)
        columns.append(Place(source.ordered, source.nullable, order.descending, stored))
    return after(columns)


_NODES: dict[type[Expr], Callable[[Compiler, Any], Sql]] = {
    Compare: _compare,
    And: _and,
    Or: _or,
    Not: _not,
    Constant: _constant,
    After: _after,
}


# -- going on after a row --------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """One sort column, and the stored value of the row after which to go on."""

    sql: str
    nullable: bool
    descending: bool
    value: Any = None


def after(places: Sequence[Place]) -> Sql:
    """Rows that sort strictly after a place; NULL sorts first ascending and last descending."""
    if not any(one.nullable for one in places) and len({one.descending for one in places}) == 1:
        sign = "<" if places[0].descending else ">"
        values = tuple([one.value for one in places])
        if len(places) == 1:
            return Sql(f"{places[0].sql} {sign} ?", values)
        return Sql(f"({', '.join(one.sql for one in places)}) {sign} ({', '.join('?' * len(places))})", values)
    found = NOTHING
    for one in reversed(places):
        beyond, same = _beyond(one), _same(one)
        if found is NOTHING:
            found = beyond
        else:
            text = f"({beyond.text} OR ({same.text} AND {found.text}))"
            found = Sql(text, (*beyond.parameters, *same.parameters, *found.parameters))
    return found


def _beyond(place: Place) -> Sql:
    sql = place.sql
    if place.value is None:
        return NOTHING if place.descending else Sql(f"{sql} IS NOT NULL")
    if not place.nullable:
        return Sql(f"{sql} {'<' if place.descending else '>'} ?", (place.value,))
    if place.descending:
        return Sql(f"({sql} IS NULL OR {sql} < ?)", (place.value,))
    return Sql(f"({sql} IS NOT NULL AND {sql} > ?)", (place.value,))


def _same(place: Place) -> Sql:
    return Sql(f"{place.sql} IS NULL") if place.value is None else Sql(f"{place.sql} IS ?", (place.value,))


_ALL = Where(EVERYTHING, (), None)
