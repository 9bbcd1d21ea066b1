"""Expressions to DynamoDB's: one function per node; an unknown one raises.

Both the reference and DynamoDB have two truth values: a comparison with an attribute that is not there, or is of
another type, is false, and NOT of it true. What can't be said exactly raises `NotNativeError`; only top-level AND
terms are split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.comparing import TESTS
from mixstore.compiling import native_rule
from mixstore.expressions import After, And, Compare, Constant, Expr, Not, Or, conjunction, paths, terms
from mixstore_backends.dynamodb.lookups import LOOKUPS
from mixstore_backends.dynamodb.operands import UNKNOWN, NotNativeError, Source, Sources
from mixstore_backends.dynamodb.placeholders import LONGEST, Placeholders, TooLongError

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table

MARGIN = 500
"""How many bytes of an expression are kept free for what a request adds to the user's part of it."""


class Where(NamedTuple):
    """A filter: its expression ("" for none), the terms that it says, and the expression that is left."""

    text: str
    terms: Sequence[Expr]
    residual: Expr | None

    @property
    def pushed(self) -> Expr:
        """What the expression says."""
        return conjunction(*self.terms)


class Compiler:
    """Compiles the expressions of one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.sources = Sources(table)

    def where(self, expr: Expr, given: Placeholders, refused: frozenset[str] = frozenset()) -> Where:
        """The filter, as far as DynamoDB can apply it exactly; `refused` fields can't be named in it."""
        pushed: list[Expr] = []
        residual: list[Expr] = []
        pieces: list[str] = []
        left = LONGEST - MARGIN
        for term in terms(expr):
            mark = given.mark()
            try:
                if refused and any(path[0] in refused for path in paths(term)):
                    raise NotNativeError(refused)
                piece = self.expression(term, given)
                given.count()
                if len(piece) + 5 > left:
                    raise TooLongError
            except (NotNativeError, TooLongError):
                given.back_to(mark)
                residual.append(term)
            else:
                left -= len(piece) + 5
                pieces.append(piece)
                pushed.append(term)
        return Where(" AND ".join(pieces), pushed, conjunction(*residual) if residual else None)

    def expression(self, expr: Expr, given: Placeholders) -> str:
        """Any node. NotNativeError if it can't be said exactly, TypeError if there is no such node."""
        rule = _NODES.get(type(expr))
        if rule is None:
            raise TypeError(f"{expr!r} is no expression that DynamoDB compiles")
        return rule(self, expr, given)


# -- nodes -----------------------------------------------------------------------------------------------------------


def _compare(compiler: Compiler, expr: Any, given: Placeholders) -> str:
    rule = native_rule(LOOKUPS, expr, "DynamoDB", compiler.table.schema.model)
    if rule is None:
        raise NotNativeError(expr.lookup)
    source = compiler.sources.at(expr.path)
    piece = rule(source, expr.value, given)
    return piece if source.default is UNKNOWN else _with_default(source, expr, piece, given)


def _with_default(source: Source, expr: Any, piece: str, given: Placeholders) -> str:
    """The comparison for rows that were stored before the field was there, too: these have its default."""
    test = TESTS[expr.lookup](expr.value)
    holds, counts_as_none = test(source.default), test(None)
    if holds == counts_as_none:
        return piece
    given.count(2)
    name = given.path(source.path)
    return f"(attribute_not_exists({name}) OR {piece})" if holds else f"(attribute_exists({name}) AND {piece})"


def _and(compiler: Compiler, expr: Any, given: Placeholders) -> str:
    if not expr.terms:
        return given.always()
    return given.joined([compiler.expression(term, given) for term in expr.terms], "AND")


def _or(compiler: Compiler, expr: Any, given: Placeholders) -> str:
    if not expr.terms:
        return given.never()
    return given.joined([compiler.expression(term, given) for term in expr.terms], "OR")


def _not(compiler: Compiler, expr: Any, given: Placeholders) -> str:
    return given.negated(compiler.expression(expr.term, given))


def _constant(compiler: Compiler, expr: Any, given: Placeholders) -> str:
    return given.always() if expr.value else given.never()


def _after(compiler: Compiler, expr: Any, given: Placeholders) -> str:
    """(a > x) OR (a = x AND b > y) OR ...; None sorts first ascending and last descending."""
    columns = list(zip(expr.order, expr.values, strict=True))
    found = []
    for position, (order, value) in enumerate(columns):
        same = [Compare(one.path, "eq", known) for one, known in columns[:position]]
        found.append(conjunction(*same, _beyond(order.path, order.descending, value)))
        if not compiler.sources.at(order.path).ordered:
            raise NotNativeError(order.path)
    return _or(compiler, Or(found), given)


def _beyond(path: tuple[str, ...], descending: bool, value: Any) -> Expr:
    if value is None:
        return Constant(False) if descending else Compare(path, "isnull", False)
    if not descending:
        return Compare(path, "gt", value)
    return Or([Compare(path, "isnull", True), Compare(path, "lt", value)])


_NODES: dict[type[Expr], Callable[[Compiler, Any, Placeholders], str]] = {
    Compare: _compare,
    And: _and,
    Or: _or,
    Not: _not,
    Constant: _constant,
    After: _after,
}

NO_FILTER = Where("", (), None)
"""All rows."""
