"""What a filter and an order say of rendered keys: what a planner asks an index of keys for.

A `KeyShape` is the templates of a key. From the top-level AND terms of a filter it derives the partition and a range
of the sort text; from an order, whether the keys lie in it already. All of it is a superset: the filter itself stays,
so that no row is wrong, and no row that matches and has a key lies outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.comparing import comparable
from mixstore.expressions import After, Compare, Expr, Not, Order

if TYPE_CHECKING:
    from mixstore.templates import Template
    from mixstore.types import FieldType

MOST = 100
"""From so many partitions on, an `in` is no way to find rows."""

_ABSENT = frozenset({"ne", "not_in"})
"""Built-in lookups that hold for None."""
_RANGES = frozenset({"gt", "gte", "lt", "lte", "between"})


class KeyCondition(NamedTuple):
    """One partition, and the sort texts in it from `low` (included, None: the first) to `high` (excluded, None: the
    last).

    exact: the one text `low`. prefix: what all texts in the range start with, and with nothing else told the range is
    just the texts that do: low is the prefix and high comes right after it.
    """

    partition: str
    low: str | None = None
    high: str | None = None
    exact: bool = False
    prefix: str | None = None

    @property
    def bounded(self) -> bool:
        """Whether it is less than the whole partition."""
        return self.low is not None or self.high is not None

    def admits(self, partition: str, sort: str | None = None) -> bool:
        """Whether a key is in it."""
        if partition != self.partition or not self.bounded:
            return partition == self.partition
        if sort is None or (self.exact and sort != self.low):
            return False
        return (self.low is None or sort >= self.low) and (self.exact or self.high is None or sort < self.high)


class KeyOrder(NamedTuple):
    """An asked order that the sort texts of one partition have, or its reverse.

    rest: the columns of the order that decide among rows with an equal text; empty if none is left to decide.
    """

    descending: bool
    rest: tuple[Order, ...]


class KeyShape:
    """The templates of a key, with the types of the model's fields.

    fields: all that they use, each once, those of the partition first. nullable: those of them that may be None.
    """

    def __init__(self, partition: Template, sort: Template | None, types: Mapping[str, FieldType]) -> None:
        self.partition = partition
        self.sort = sort
        self.fields = tuple(dict.fromkeys(partition.fields + (sort.fields if sort else ())))
        self._types = {name: types[name] for name in self.fields}
        self.nullable = tuple(name for name in self.fields if self._types[name].nullable)

    def complete(self, terms: Iterable[Expr]) -> bool:
        """Whether every row that fulfils the terms has all fields of the key, so that a sparse index lacks none."""
        return not self.nullable or {name for term in terms for name in _present(term)}.issuperset(self.nullable)

    def conditions(self, terms: Sequence[Expr]) -> tuple[KeyCondition, ...]:
        """Where the rows that fulfil the terms and have a key lie: one condition a partition; empty if it is not told.

        Several are there for `in`, at most 100; each row lies in at most one of them.
        """
        told = _Told(terms)
        choices = [told.equal.get(name, ()) for name in self.partition.fields]
        if math.prod(map(len, choices)) not in range(1, MOST + 1):
            return ()
        found: dict[str, KeyCondition] = {}
        for values in product(*choices):
            fixed = {**told.single, **dict(zip(self.partition.fields, values, strict=True))}
            try:
                partition = self.partition.render(fixed)
            except ValueError:
                continue  # no row could be stored with it
            if partition is not None:
                found.setdefault(partition, self._condition(partition, fixed, told))
        return tuple(found.values())

    def order(self, order: Sequence[Order], terms: Iterable[Expr]) -> KeyOrder | None:
        """How the sort texts of the one partition that the terms name have this order; None if they have not."""
        fixed = _Told(terms).single
        columns = [one for one in order if len(one.path) > 1 or one.path[0] not in fixed]
        if not fixed.keys() >= set(self.partition.fields):
            return None
        if not columns:
            return KeyOrder(False, ())
        told = [] if self.sort is None else [name for name in self.sort.fields if name not in fixed]
        decided = 0
        for name, column in zip(told, columns, strict=False):
            wanted = Order((name,), columns[0].descending)
            if self.sort is None or column != wanted or not self.sort.sortable(name, self._types[name]):
                break
            decided += 1
        if decided == len(columns):
            return KeyOrder(columns[0].descending, ())
        if decided and decided == len(told):
            return KeyOrder(columns[0].descending, tuple(columns[decided:]))
        return None

    def narrows(self, condition: KeyCondition) -> bool:
        """Whether a condition is less than its partition: what all sort texts start with narrows nothing."""
        return condition.bounded and condition.prefix != (self.sort.prefix({})[0] if self.sort else None)

    def _condition(self, partition: str, fixed: Mapping[str, Any], told: _Told) -> KeyCondition:
        if self.sort is None:
            return KeyCondition(partition)
        try:
            head, complete = self.sort.prefix(fixed)
        except ValueError:
            return KeyCondition(partition)
        if complete:
            return KeyCondition(partition, head, after_prefix(head), True, head)
        name = next(one for one in self.sort.fields if fixed.get(one) is None)
        if name in told.prefixes and self._types[name].stored == "str":
            head = self.sort.start(fixed, name, told.prefixes[name])
        low, high = self._bounds(fixed, name, told)
        if low is None and high is None and not head:
            return KeyCondition(partition)
        end = after_prefix(head) if head else None
        texts = [text for text in (head or None, low) if text is not None]
        ends = [text for text in (end, high) if text is not None]
        return KeyCondition(
            partition, max(texts, default=None), min(ends, default=None), prefix=head if low is high is None else None
        )

    def _bounds(self, fixed: Mapping[str, Any], name: str, told: _Told) -> tuple[str | None, str | None]:
        """The range that comparisons of the first field without a value leave to the texts."""
        assert self.sort is not None
        kind = self._types[name]
        exact = self.sort.sortable(name, kind)
        if not exact and not self.sort.coarse(name, kind):
            return None, None
        low, high = told.bounds(name, fixed)
        return self._text(fixed, name, low), self._end(fixed, name, high, exact)

    def _text(self, fixed: Mapping[str, Any], name: str, value: Any) -> str | None:
        if value is None or self.sort is None:
            return None
        try:
            return self.sort.start(fixed, name, _whole(value) if self._types[name].stored == "int" else value)
        except ValueError:
            return None  # wider than its format, or below zero: no row is there, or all are

    def _end(self, fixed: Mapping[str, Any], name: str, high: tuple[Any, bool] | None, exact: bool) -> str | None:
        if high is None:
            return None
        value, included = high
        text = self._text(fixed, name, value)
        if text is None:
            return None
        whole = self._types[name].stored != "int" or _whole(value) == value
        return text if exact and whole and not included else after_prefix(text)


class _Told:
    """What terms say of single fields: the values that they may have, and the bounds of these."""

    def __init__(self, terms: Iterable[Expr]) -> None:
        self.equal: dict[str, tuple[Any, ...]] = {}
        self.prefixes: dict[str, str] = {}
        self._ranges: list[Compare] = []
        self._after: list[After] = []
        for term in terms:
            if isinstance(term, After):
                self._after.append(term)
            elif isinstance(term, Compare) and len(term.path) == 1 and term.function is None:
                self._add(term)
        self.single = {name: values[0] for name, values in self.equal.items() if len(values) == 1}

    def _add(self, term: Compare) -> None:
        name, value = term.path[0], term.value
        if term.lookup in ("eq", "in"):
            values = (value,) if term.lookup == "eq" else value
            known = tuple(one for one in values if one is not None)  # a row with None has no key
            if known and (name not in self.equal or len(known) < len(self.equal[name])):
                self.equal[name] = known
        elif term.lookup == "startswith" and isinstance(value, str):
            self.prefixes[name] = max(value, self.prefixes.get(name, ""), key=len)
        elif term.lookup in _RANGES:
            self._ranges.append(term)

    def bounds(self, name: str, fixed: Mapping[str, Any]) -> tuple[Any, tuple[Any, bool] | None]:
        """The lowest value, and the highest with whether it is included; None where it is open."""
        low: list[Any] = []
        high: list[tuple[Any, bool]] = []
        for term in self._ranges:
            if term.path[0] != name:
                continue
            bottom = term.value[0] if term.lookup == "between" else term.value if term.lookup[0] == "g" else None
            top = term.value[1] if term.lookup == "between" else term.value if term.lookup[0] == "l" else None
            low += [] if bottom is None else [bottom]
            high += [] if top is None else [(top, term.lookup != "lt")]
        for after in self._after:
            for order, value in zip(after.order, after.values, strict=True):
                if order.path == (name,) and value is not None:
                    high += [(value, True)] if order.descending else []
                    low += [] if order.descending else [value]
                if len(order.path) > 1 or order.path[0] not in fixed or fixed[order.path[0]] != value:
                    break
        if name in self.equal:
            low.append(min(self.equal[name], key=comparable))
            high.append((max(self.equal[name], key=comparable), True))
        return (
            max(low, key=comparable, default=None),
            min(high, key=lambda one: (comparable(one[0]), one[1]), default=None),
        )


def _present(term: Expr) -> Iterable[str]:
    """The field that is not None in every row that fulfils the term."""
    absent = isinstance(term, Not)
    inner = term.term if isinstance(term, Not) else term
    if not isinstance(inner, Compare) or len(inner.path) > 1:
        return ()
    if inner.lookup == "isnull":
        return inner.path if inner.value is absent else ()
    if absent or (inner.function is None and inner.lookup in _ABSENT):
        return ()
    none = (inner.lookup == "eq" and inner.value is None) or (inner.lookup == "in" and None in inner.value)
    return () if none and inner.function is None else inner.path


def _whole(value: Any) -> Any:
    """A number as an int, rounded down; integers have no text with a fraction."""
    return math.floor(value) if isinstance(value, (float, Decimal)) else value


def after_prefix(prefix: str) -> str | None:
    """The first text after all those that start with a prefix, by code point; None if there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    point = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= point < 0xE000 else point)
