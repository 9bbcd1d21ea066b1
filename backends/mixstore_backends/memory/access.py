"""How a query finds its rows in a table: by key, by unique value, by index, in key order, or by reading everything."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.expressions import After, Compare, Expr, Order, terms
from mixstore_backends.memory.table import Record, Table, key_form

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue

RANGES = {"gt": (0,), "gte": (0,), "lt": (1,), "lte": (1,)}


class Access(NamedTuple):
    """A way to candidates, a superset of the rows asked for; `ordered` if they come in the asked order."""

    operation: str
    by: str | None
    rows: Callable[[Table], Iterable[Record]]
    ordered: bool = False


def choose(schema: ModelSchema, table: Table, where: Expr, order: tuple[Order, ...]) -> Access:
    """The best way: the whole key, a unique or indexed value, the asked key order, an index range, everything."""
    told = [term for term in terms(where) if isinstance(term, Compare) and len(term.path) == 1]
    equal = {term.path[0]: term.value for term in told if term.lookup == "eq"}
    if not schema.hidden_key and all(equal.get(name) is not None for name in schema.key_fields):
        return _point(tuple(equal[name] for name in schema.key_fields))
    for name in table.unique if table.freed is None else ():
        if equal.get(name) is not None:
            return _unique(name, equal[name])
    for term in told:
        if term.path[0] in table.indexed and term.lookup in ("eq", "in"):
            return _equal(term.path[0], tuple(term.value) if term.lookup == "in" else (term.value,))
    return _key_order(schema, where, order) or _range(table, told) or Access("scan", None, _everything)


def _point(key: KeyValue) -> Access:
    return Access("get", "key", lambda table: _present(table, (key,)))


def _unique(name: str, value: Any) -> Access:
    return Access("get", name, lambda table: _present(table, filter(None, [table.unique[name].get(value)])))


def _equal(name: str, values: tuple[Any, ...]) -> Access:
    return Access("index", name, lambda table: _present(table, table.indexes[name].equal(values)))


def _between(name: str, low: Any, high: Any) -> Access:
    return Access("index", name, lambda table: _present(table, table.indexes[name].between(low, high)))


def _everything(table: Table) -> list[Record]:
    return list(table.rows.values())


def _present(table: Table, keys: Iterable[KeyValue]) -> list[Record]:
    rows = table.rows
    return [record for record in map(rows.get, keys) if record is not None]


def _key_order(schema: ModelSchema, where: Expr, order: tuple[Order, ...]) -> Access | None:
    columns = [one.path for one in order]
    if columns != [one.path for one in schema.key_order] or len({one.descending for one in order}) != 1:
        return None
    descending = order[0].descending
    start = next((one.values for one in terms(where) if isinstance(one, After) and one.order == order), None)

    def rows(table: Table) -> Iterator[Record]:
        keys = table.ordered_keys()
        place = None if start is None else key_form(start)
        if descending:
            end = len(keys) if place is None else bisect_right(keys, place, key=_first)
            found: Iterable[Any] = reversed(keys[:end])
        else:
            found = keys if place is None else keys[bisect_right(keys, place, key=_first) :]
        for _, key in found:
            record = table.rows.get(key)
            if record is not None:
                yield record

    return Access("walk", "key", rows, ordered=True)


def _first(entry: tuple[Any, Any]) -> Any:
    return entry[0]


def _range(table: Table, told: list[Compare]) -> Access | None:
    for name in table.indexed:
        bounds: list[Any] = [None, None]
        for term in told:
            if term.path[0] != name:
                continue
            if term.lookup == "between":
                bounds = list(term.value)
            for side in RANGES.get(term.lookup, ()):
                bounds[side] = term.value
        if bounds != [None, None]:
            return _between(name, *bounds)
    return None
