"""The nodes of expressions, and how they combine. `expressions` is the door to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from mixstore.errors import QueryError
from mixstore.matching import Path

_set = object.__setattr__


class Expr:
    """A node. Combine nodes by `&`, `|` and `~`; they never change, and are equal when they say the same."""

    __slots__ = ()

    def __and__(self, other: Expr) -> Expr:
        return conjunction(self, other) if isinstance(other, Expr) else NotImplemented

    def __or__(self, other: Expr) -> Expr:
        return disjunction(self, other) if isinstance(other, Expr) else NotImplemented

    def __invert__(self) -> Expr:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError(f"({self!r}) is neither true nor false without a row: write &, | and ~, not and, or, not")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an expression never changes: can't set {name!r}")

    def _parts(self) -> tuple[Any, ...]:
        """What the constructor takes, in order."""
        raise NotImplementedError

    def _identity(self) -> Any:
        return tuple(map(_identity, self._parts()))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            type(self) is type(other) and isinstance(other, Expr) and bool(self._identity() == other._identity())
        )

    def __hash__(self) -> int:
        return hash((type(self), self._identity()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._parts()


class Compare(Expr):
    """The value at `path` passes `lookup` with the operand `value`.

    `function(found, operand)` evaluates a lookup that is not built in; it is not part of what the node says.
    """

    __slots__ = ("function", "lookup", "path", "value")
    __match_args__ = ("path", "lookup", "value")
    path: Path
    lookup: str
    value: Any
    function: Callable[[Any, Any], bool] | None

    def __init__(self, path: Path, lookup: str, value: Any, function: Callable[[Any, Any], bool] | None = None) -> None:
        _set(self, "path", path)
        _set(self, "lookup", lookup)
        _set(self, "value", value)
        _set(self, "function", function)

    def _parts(self) -> tuple[Any, ...]:
        return self.path, self.lookup, self.value, self.function

    def _identity(self) -> Any:
        return self.path, self.lookup, _identity(self.value)

    def __repr__(self) -> str:
        field = ".".join(self.path)
        if self.lookup == "isnull" and isinstance(self.value, bool):
            return f"{field} IS {'' if self.value else 'NOT '}NULL"
        if self.lookup == "between" and isinstance(self.value, tuple) and len(self.value) == 2:
            return f"{field} BETWEEN {_shown(self.value[0])} AND {_shown(self.value[1])}"
        return f"{field} {_SIGNS.get(self.lookup, self.lookup.upper())} {_shown(self.value)}"


class _Terms(Expr):
    __slots__ = ("terms",)
    __match_args__ = ("terms",)
    terms: tuple[Expr, ...]

    def __init__(self, terms: Iterable[Expr]) -> None:
        _set(self, "terms", tuple(terms))

    def _parts(self) -> tuple[Any, ...]:
        return (self.terms,)

    def _joined(self, word: str) -> str:
        return word.join(f"({term!r})" if isinstance(term, _Terms) else repr(term) for term in self.terms)


class And(_Terms):
    """All terms hold; with no terms, TRUE. `conjunction()` also simplifies."""

    __slots__ = ()

    def __repr__(self) -> str:
        return self._joined(" AND ") or "TRUE"


class Or(_Terms):
    """At least one term holds; with no terms, FALSE. `disjunction()` also simplifies."""

    __slots__ = ()

    def __repr__(self) -> str:
        return self._joined(" OR ") or "FALSE"


class Not(Expr):
    """The term does not hold. Exactly the rows that the term leaves out, those with None included."""

    __slots__ = ("term",)
    __match_args__ = ("term",)
    term: Expr

    def __init__(self, term: Expr) -> None:
        _set(self, "term", term)

    def _parts(self) -> tuple[Any, ...]:
        return (self.term,)

    def __invert__(self) -> Expr:
        return self.term

    def __repr__(self) -> str:
        return f"NOT ({self.term!r})"


class Constant(Expr):
    """All rows, or none."""

    __slots__ = ("value",)
    __match_args__ = ("value",)
    value: bool

    def __init__(self, value: bool) -> None:
        _set(self, "value", value)

    def _parts(self) -> tuple[Any, ...]:
        return (self.value,)

    def __invert__(self) -> Expr:
        return FALSE if self.value else TRUE

    def __repr__(self) -> str:
        return "TRUE" if self.value else "FALSE"


TRUE = Constant(True)
FALSE = Constant(False)


class Order(NamedTuple):
    """One column of a sort order. None sorts first ascending, last descending."""

    path: Path
    descending: bool = False

    def __repr__(self) -> str:
        return f"{'-' if self.descending else ''}{'.'.join(self.path)}"


class After(Expr):
    """Rows that sort strictly after the row with the sort values `values`, one for each column of `order`."""

    __slots__ = ("order", "values")
    __match_args__ = ("order", "values")
    order: tuple[Order, ...]
    values: tuple[Any, ...]

    def __init__(self, order: Iterable[Order], values: Iterable[Any]) -> None:
        _set(self, "order", tuple(order))
        _set(self, "values", tuple(values))
        if len(self.order) != len(self.values):
            raise ValueError(f"{len(self.order)} columns of order, but {len(self.values)} values")

    def _parts(self) -> tuple[Any, ...]:
        return self.order, self.values

    def __repr__(self) -> str:
        pairs = zip(self.order, self.values, strict=True)
        return f"AFTER ({', '.join(f'{column!r}: {_shown(value)}' for column, value in pairs)})"


class Q(Expr):
    """A condition as people write it: `Q(age__gte=18) & ~Q(name="x")`. All of its arguments must hold.

    Names are checked when it meets a model, by `lookups.resolve`.
    """

    __slots__ = ("lookups", "terms")
    terms: tuple[Expr, ...]
    lookups: tuple[tuple[str, Any], ...]

    def __init__(self, /, *terms: Expr, **lookups: Any) -> None:
        for term in terms:
            if not isinstance(term, Expr):
                raise QueryError(f"Q() takes expressions and lookups by name, not {type(term).__name__}")
        _set(self, "terms", terms)
        _set(self, "lookups", tuple(lookups.items()))

    def _parts(self) -> tuple[Any, ...]:
        return self.terms, self.lookups

    def __reduce__(self) -> tuple[Any, ...]:
        return _make_q, self._parts()

    def __repr__(self) -> str:
        told = [*map(repr, self.terms), *(f"{name}={value!r}" for name, value in self.lookups)]
        return f"Q({', '.join(told)})"


def _make_q(terms: tuple[Expr, ...], lookups: tuple[tuple[str, Any], ...]) -> Q:
    return Q(*terms, **dict(lookups))


class Deferred:
    """An operand that is known only when the query runs, such as now or the current tenant.

    `fn(environment)` gives its value, or TRUE or FALSE to decide the whole comparison that it is the operand of.
    `deferred + constant` and `deferred - constant` are deferred too.
    """

    __slots__ = ("_steps", "fn", "name")

    def __init__(self, name: str, fn: Callable[[Any], Any], _steps: tuple[tuple[str, Any], ...] = ()) -> None:
        self.name = name
        self.fn = fn
        self._steps = _steps

    def resolve(self, environment: Any) -> Any:
        """The value, in this environment."""
        value = self.fn(environment)
        for sign, constant in self._steps:
            value = value + constant if sign == "+" else value - constant
        return value

    def __add__(self, constant: Any) -> Deferred:
        return Deferred(self.name, self.fn, (*self._steps, ("+", constant)))

    def __sub__(self, constant: Any) -> Deferred:
        return Deferred(self.name, self.fn, (*self._steps, ("-", constant)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Deferred):
            return NotImplemented
        return (self.name, self.fn, self._steps) == (other.name, other.fn, other._steps)

    def __hash__(self) -> int:
        return hash((self.name, self.fn, self._steps))

    def __repr__(self) -> str:
        return f"<{' '.join([self.name, *(f'{sign} {constant}' for sign, constant in self._steps)])}>"


_SIGNS = {"eq": "=", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "not_in": "NOT IN"}


def _shown(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value) if type(value).__str__ is Enum.__str__ else f"{type(value).__name__}.{value.name}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_shown, value)))}}}"
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value) if isinstance(value, (Decimal, UUID)) else repr(value)


def _identity(value: Any) -> Any:
    """What tells operands apart: 1, True and 1.0 are equal in python, but do not ask the same."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_identity, value))
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset(map(_identity, value))
    if isinstance(value, Mapping):
        return type(value), frozenset((_identity(key), _identity(part)) for key, part in value.items())
    return value if isinstance(value, Expr) else (type(value), value)


def conjunction(*exprs: Expr) -> Expr:
    """All of these, in their order, flattened; TRUE if there are none, FALSE if one of them is."""
    return _joined(And, exprs, TRUE, FALSE)


def disjunction(*exprs: Expr) -> Expr:
    """One of these, in their order, flattened; FALSE if there are none, TRUE if one of them is."""
    return _joined(Or, exprs, FALSE, TRUE)


def _joined(kind: type[_Terms], exprs: Iterable[Expr], neutral: Constant, deciding: Constant) -> Expr:
    kept: list[Expr] = []
    decided = _flatten(kind, exprs, kept, deciding.value)
    if decided:
        return deciding
    if not kept:
        return neutral
    return kept[0] if len(kept) == 1 else kind(kept)


def _flatten(kind: type[_Terms], exprs: Iterable[Expr], kept: list[Expr], deciding: bool) -> bool:
    """Whether one of them decides the whole; otherwise `kept` gets what does not go without saying."""
    for expr in exprs:
        if isinstance(expr, kind):
            if _flatten(kind, expr.terms, kept, deciding):
                return True
        elif type(expr) is not Constant:
            kept.append(expr)
        elif expr.value is deciding:
            return True
    return False
