"""Filters and conditions as data: a small tree of frozen nodes over the fields of a model.

Compare, And, Or, Not, Constant and After are what backends compile, one function per node.
`Q` is how people write them; `lookups.resolve` turns it into the others.
`matcher` and `evaluate` are the reference semantics that every backend agrees with: two-valued logic, in
which a comparison with None or with another type is False, and its negation True.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mixstore import matching
from mixstore.comparing import comparable
from mixstore.errors import QueryError
from mixstore.matching import Matcher, Path, Row
from mixstore.nodes import (
    FALSE,
    TRUE,
    After,
    And,
    Compare,
    Constant,
    Deferred,
    Expr,
    Not,
    Or,
    Order,
    Q,
    conjunction,
    disjunction,
)

__all__ = [
    "FALSE",
    "TRUE",
    "After",
    "And",
    "Compare",
    "Constant",
    "Deferred",
    "Expr",
    "Matcher",
    "Not",
    "Or",
    "Order",
    "Path",
    "Q",
    "comparable",
    "conjunction",
    "disjunction",
    "evaluate",
    "filling",
    "matcher",
    "paths",
    "prepared",
    "replaced",
    "sort_key",
    "substitute",
    "terms",
    "varies",
]


def terms(expr: Expr) -> tuple[Expr, ...]:
    """The top-level AND terms: what a planner may split. None for TRUE."""
    whole = conjunction(expr)
    if isinstance(whole, And):
        return whole.terms
    return () if whole == TRUE else (whole,)


def depth(expr: Expr) -> int:
    """How deep the nodes nest; 1 for a comparison by itself. Engines refuse what nests too deeply for them."""
    deep, level = 0, [expr]
    while level:
        deep += 1
        level = [
            inner
            for node in level
            for inner in (node.terms if isinstance(node, And | Or) else (node.term,) if isinstance(node, Not) else ())
        ]
    return deep


def _unknown(expr: object) -> Exception:
    if isinstance(expr, Q):
        return QueryError(f"{expr!r} is not resolved: lookups.resolve() knows the fields that it names")
    return TypeError(f"{expr!r} is no expression that mixstore knows")


def paths(expr: Expr) -> set[Path]:
    """All the paths that the expression reads, sort columns of After included."""
    match expr:
        case Compare():
            return {expr.path}
        case And() | Or():
            return set().union(*map(paths, expr.terms))
        case Not():
            return paths(expr.term)
        case After():
            return {order.path for order in expr.order}
        case Constant():
            return set()
        case _:
            raise _unknown(expr)


def substitute(expr: Expr, environment: Any) -> Expr:
    """The expression with every Deferred operand replaced by its value; the same object if it has none.

    One that gives TRUE or FALSE instead of a value decides its whole comparison.
    """
    match expr:
        case Compare():
            value = _resolved(expr.value, environment)
            if type(value) is Constant:
                return value
            return expr if value is expr.value else Compare(expr.path, expr.lookup, value, expr.function)
        case And() | Or():
            changed = [substitute(term, environment) for term in expr.terms]
            if all(new is old for new, old in zip(changed, expr.terms, strict=True)):
                return expr
            return conjunction(*changed) if type(expr) is And else disjunction(*changed)
        case Not():
            term = substitute(expr.term, environment)
            return expr if term is expr.term else ~term
        case After():
            values = _resolved(expr.values, environment)
            return expr if values is expr.values else After(expr.order, values)
        case Constant():
            return expr
        case _:
            raise _unknown(expr)


def replaced(expr: Expr, change: Callable[[Compare], Expr]) -> Expr:
    """The expression with every comparison changed; the same object if none is."""
    match expr:
        case Compare():
            return change(expr)
        case And() | Or():
            changed = [replaced(term, change) for term in expr.terms]
            if all(new is old for new, old in zip(changed, expr.terms, strict=True)):
                return expr
            return conjunction(*changed) if type(expr) is And else disjunction(*changed)
        case Not():
            term = replaced(expr.term, change)
            return expr if term is expr.term else ~term
        case _:
            return expr


def _resolved(value: Any, environment: Any) -> Any:
    if isinstance(value, Deferred):
        return value.resolve(environment)
    if isinstance(value, (tuple, list, set, frozenset)) and any(isinstance(part, Deferred) for part in value):
        return type(value)([_resolved(part, environment) for part in value])
    return value


def matcher(expr: Expr) -> Matcher:
    """A function from a row ({field: python value}) to whether the expression holds: the reference semantics.

    Compiled once; it sees no Deferred (`substitute` first). QueryError for what is not resolved.
    """
    match expr:
        case Compare():
            if _deferred(expr.value):
                raise QueryError(f"{expr!r}: its operand is deferred; substitute() it first")
            return matching.comparison(expr.path, expr.lookup, expr.value, expr.function)
        case And():
            return matching.all_of([matcher(term) for term in expr.terms])
        case Or():
            return matching.any_of([matcher(term) for term in expr.terms])
        case Not():
            return matching.negation(matcher(expr.term))
        case Constant():
            return matching.constant(expr.value)
        case After():
            return matching.after(expr.order, expr.values)
        case _:
            raise _unknown(expr)


def prepared(expr: Expr) -> Callable[[Any], Matcher]:
    """`matcher` in two steps: what does not vary is compiled now, Deferred operands are resolved per environment."""
    if not varies(expr):
        fixed = matcher(expr)
        return lambda environment: fixed
    match expr:
        case Compare():
            path, lookup, value, function = expr.path, expr.lookup, expr.value, expr.function

            def comparison(environment: Any) -> Matcher:
                operand = _resolved(value, environment)
                if type(operand) is Constant:
                    return matching.constant(operand.value)
                # for the few rows that are read by their keys: comparing costs less than preparing to compare
                return lambda row: matching.passes(row, path, lookup, operand, function)

            return comparison
        case And() | Or():
            parts = [prepared(term) for term in expr.terms]
            join = matching.all_of if isinstance(expr, And) else matching.any_of
            return lambda environment: join([part(environment) for part in parts])
        case Not():
            inner = prepared(expr.term)
            return lambda environment: matching.negation(inner(environment))
        case _:
            return lambda environment: matcher(substitute(expr, environment))


def varies(expr: Expr) -> bool:
    """Whether an operand in the expression is a Deferred."""
    match expr:
        case Compare():
            return _deferred(expr.value)
        case And() | Or():
            return any(map(varies, expr.terms))
        case Not():
            return varies(expr.term)
        case After():
            return _deferred(expr.values)
        case _:
            return False


def _deferred(value: Any) -> bool:
    if isinstance(value, (tuple, list, set, frozenset)):
        return any(isinstance(part, Deferred) for part in value)
    return isinstance(value, Deferred)


def evaluate(expr: Expr, values: Row) -> bool:
    """Whether the expression holds for one row. For many rows, compile a `matcher`."""
    if isinstance(expr, Compare):
        if _deferred(expr.value):
            raise QueryError(f"{expr!r}: its operand is deferred; substitute() it first")
        return matching.passes(values, expr.path, expr.lookup, expr.value, expr.function)
    if isinstance(expr, Not):
        return not evaluate(expr.term, values)
    if isinstance(expr, And | Or):
        decides = isinstance(expr, Or)
        for term in expr.terms:
            if evaluate(term, values) is decides:
                return decides
        return not decides
    return matcher(expr)(values)


def filling(expr: Expr) -> Callable[[Any], Expr]:
    """`substitute` in two steps, as `prepared` is `matcher`: for what is asked again and again."""
    if not varies(expr):
        return lambda environment: expr
    match expr:
        case Compare():
            path, lookup, value, function = expr.path, expr.lookup, expr.value, expr.function

            def comparison(environment: Any) -> Expr:
                operand = _resolved(value, environment)
                return operand if type(operand) is Constant else Compare(path, lookup, operand, function)

            return comparison
        case Not():
            inner = filling(expr.term)
            return lambda environment: ~inner(environment)
        case _:
            return lambda environment: substitute(expr, environment)


def sort_key(order: Iterable[Order]) -> Callable[[Row], Any]:
    """A key for `sorted()`: rows in this order, None first ascending."""
    return matching.sorting(order)
