"""How a query finds its rows in a table: by key, by unique value, by index, in key order, or by reading everything."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.expressions import After, Compare, Expr, Order, sort_key, terms
from mixstore_backends.memory.table import Record, Table, key_form

if TYPE_CHECKING:
    from mixstore.indexes import IndexSpec
    from mixstore.keyranges import KeyCondition, KeyOrder
    from mixstore.query import Query
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue

RANGES = {"gt": (0,), "gte": (0,), "lt": (1,), "lte": (1,)}


class Access(NamedTuple):
    """A way to candidates, a superset of the rows asked for; `ordered` if they come in the asked order.

    `scan` says that everything is read: all rows, or all of an index.
    """

    operation: str
    by: str | None
    rows: Callable[[Table], Iterable[Record]]
    ordered: bool = False
    scan: bool = False


def choose(schema: ModelSchema, table: Table, query: Query) -> Access:
    """The best way: the whole key, a unique value, the index asked for, that which tells most, the asked key order."""
    whole = terms(query.where)
    told = [term for term in whole if isinstance(term, Compare) and len(term.path) == 1]
    equal = {term.path[0]: term.value for term in told if term.lookup == "eq"}
    key = _whole_key(schema, whole, equal)
    if key is not None:
        return _point(key)
    for name in table.unique if table.freed is None else ():
        if equal.get(name) is not None:
            return _unique(name, equal[name])
    if query.index is not None and query.index in table.partitions:
        way = _by_key_index(schema.indexes[query.index], whole, query)
        return _whole_index(query.index) if way is None else way[1]
    ways = [way for spec in schema.indexes.values() if (way := _by_key_index(spec, whole, query)) is not None]
    ways += [(1, access) for access in _by_field_index(table, told)]
    if ways:
        return max(ways, key=_first)[1]
    return (
        _key_order(schema, query.where, query.order)
        or _range(table, told)
        or Access("scan", None, _everything, scan=True)
    )


def _whole_key(schema: ModelSchema, whole: Sequence[Expr], equal: dict[str, Any]) -> KeyValue | None:
    """The key that the terms tell, if they tell all of it."""
    if schema.key_shape is not None:
        found = schema.key_shape.conditions(whole)
        if len(found) != 1 or not (found[0].exact or schema.key_shape.sort is None):
            return None
        return found[0][:2] if found[0].exact else found[0][:1]
    if schema.hidden_key or any(equal.get(name) is None for name in schema.key_fields):
        return None
    return tuple(equal[name] for name in schema.key_fields)


def _by_field_index(table: Table, told: Sequence[Compare]) -> Iterator[Access]:
    for term in told:
        if term.path[0] in table.indexed and term.lookup in ("eq", "in"):
            yield _equal(term.path[0], tuple(term.value) if term.lookup == "in" else (term.value,))


def _by_key_index(spec: IndexSpec, whole: Sequence[Expr], query: Query) -> tuple[int, Access] | None:
    """How an index of rendered keys finds the rows, and how much it is told of them; None if it can't."""
    shape = spec.shape
    conditions = () if shape is None or not shape.complete(whole) else shape.conditions(whole)
    if shape is None or not conditions:
        return None
    order = shape.order(query.order, whole) if query.order and len(conditions) == 1 else None
    rank = len(shape.partition.fields) + any(map(shape.narrows, conditions)) + (order is not None)
    if not rank:
        return None
    rows = partial(_rows_by_key_index, spec.name, conditions, query.order, order)
    return rank, Access("index", spec.name, rows, ordered=order is not None)


def _rows_by_key_index(
    name: str, conditions: Sequence[KeyCondition], asked: tuple[Order, ...], order: KeyOrder | None, table: Table
) -> Iterator[Record]:
    index = table.partitions[name]
    if index.unfit:
        yield from _everything(table) if order is None else sorted(table.rows.values(), key=sort_key(asked))
        return
    for condition in conditions:
        for keys in index.groups(condition, descending=order is not None and order.descending):
            rows = _present(table, keys)
            if order is not None and order.rest and len(rows) > 1:
                rows.sort(key=sort_key(order.rest))
            yield from rows


def _whole_index(name: str) -> Access:
    def rows(table: Table) -> list[Record]:
        return _present(table, [*table.partitions[name].everything(), *table.partitions[name].unfit])

    return Access("walk", name, rows, scan=True)


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
