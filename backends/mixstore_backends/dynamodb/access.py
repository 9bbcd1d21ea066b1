"""How a query finds its rows: by whole keys, by a partition and a range of sort keys, by an index, or by a scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.comparing import comparable
from mixstore.errors import ValidationError
from mixstore.expressions import After, Compare, Expr, Order
from mixstore.keyranges import KeyCondition, KeyShape
from mixstore_backends.dynamodb.operands import NotNativeError
from mixstore_backends.dynamodb.placeholders import Placeholders

if TYPE_CHECKING:
    from mixstore.query import Query
    from mixstore_backends.dynamodb.layout import Index, Table
    from mixstore_backends.dynamodb.wire import Wire

PRIMARY = "primary key"
KeyText = Callable[["Placeholders"], str]
_SIGNS = {"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class Ties(NamedTuple):
    """Rows with equal values of `attributes` come next to each other, and are to be sorted by `order`."""

    attributes: tuple[str, ...]
    order: tuple[Order, ...]


@dataclass(slots=True)
class Access:
    """One way to the rows. `operation` is GetItem, BatchGetItem, Query or Scan.

    keys: those of GetItem and BatchGetItem. partitions: the key conditions of Query, one a request. said: the terms
    that these say exactly. descending: which way the sort keys are walked if that gives the asked order, None if it
    does not. start: the key after which to go on. ties: what is left to sort among rows that come next to each other.
    bounded: whether it is less than the model's rows in whole partitions. exact: whether it is single sort keys.
    """

    operation: str
    index: str | None = None
    secondary: Index | None = None
    keys: Sequence[dict[str, Wire]] = ()
    partitions: Sequence[KeyText] = ()
    said: tuple[Expr, ...] = ()
    descending: bool | None = None
    start: dict[str, Wire] | None = None
    ties: Ties | None = None
    bounded: bool = False
    exact: bool = False
    notes: list[str] = field(default_factory=list)


def choose(table: Table, query: Query, told: tuple[Expr, ...]) -> Access:
    """The cheapest way to the rows of a query, whose filter are these terms."""
    if query.index is not None:
        asked = table.indexes[query.index]
        return _by_index(table, asked, query, told) or _scan(asked)
    point = _by_keys(table, told)
    if point is not None:
        return point
    found = [_by_partition(table, query, told)]
    for index in table.indexes.values():
        way = _by_index(table, index, query, told) if _serves(index, told) else None
        found.append(None if way is None or _is_all(index, way, query) else way)
    ways = [one for one in found if one is not None]
    return max(ways, key=_worth) if ways else _scan()


def _is_all(index: Index, way: Access, query: Query) -> bool:
    """Whether this reads all there is for no gain: one partition for all rows, and none of its order is asked for."""
    named = index.spec.partition is not None and index.spec.partition.fields
    return not named and not way.bounded and not (query.order and way.descending is not None)


def _worth(access: Access) -> tuple[bool, ...]:
    """What makes one way better than another: rows that need not be read, then whole and fresh rows, then order."""
    whole = access.secondary is None or access.secondary.whole
    fresh = access.secondary is None or access.secondary.local
    return (access.exact, access.bounded, whole, fresh, access.descending is not None)


def _scan(index: Index | None = None) -> Access:
    return Access("Scan") if index is None else Access("Scan", index.name, index)


def _equal(told: Sequence[Expr]) -> dict[str, Any]:
    """{field: value} of the terms that leave a field one value."""
    found: dict[str, Any] = {}
    for term in told:
        if isinstance(term, Compare) and len(term.path) == 1 and term.function is None and term.value is not None:
            if term.lookup == "eq":
                found.setdefault(term.path[0], term.value)
            elif term.lookup == "in" and len(term.value) == 1 and term.value[0] is not None:
                found.setdefault(term.path[0], term.value[0])
    return found


# -- by whole keys -------------------------------------------------------------------------------------------------


def _by_keys(table: Table, told: tuple[Expr, ...]) -> Access | None:
    keys = _whole_keys(table, told)
    if keys is None:
        return None
    named = {*table.schema.key_fields, *table.schema.hidden_key}
    said = tuple(term for term in told if isinstance(term, Compare) and term.path[0] in named)
    operation = "GetItem" if len(keys) == 1 else "BatchGetItem"
    descending = False if len(keys) < 2 else None
    return Access(operation, PRIMARY, keys=keys, said=said, descending=descending)


def _whole_keys(table: Table, told: tuple[Expr, ...]) -> list[dict[str, Wire]] | None:
    """The keys of all rows that the terms allow; None if they don't tell."""
    keying, schema = table.keying, table.schema
    equal = _equal(told)
    rendered = tuple([equal.get(name) for name in schema.hidden_key])
    try:
        key = rendered if rendered and None not in rendered else schema.key_from(equal)
    except ValidationError:
        return None
    if key is not None:
        found = keying.find(key)
        return [] if found is None else [found]
    if keying.shape is not None:
        conditions = keying.shape.conditions(told)
        if conditions and all(one.exact or keying.constant is not None for one in conditions):
            return [_key_of(table, one) for one in conditions]
    if len(schema.key_fields) == 1 and not schema.hidden_key:
        values = _several(schema.key_fields[0], told)
        if values is not None:
            wires = [keying.find((value,)) for value in values if value is not None]
            return list({repr(one): one for one in wires if one is not None}.values())
    return None


def _several(name: str, told: Sequence[Expr]) -> Sequence[Any] | None:
    for term in told:
        if isinstance(term, Compare) and term.path == (name,) and term.lookup == "in" and term.function is None:
            return list(term.value)
    return None


def _key_of(table: Table, condition: KeyCondition) -> dict[str, Wire]:
    parts = (condition.partition, condition.low if condition.exact else table.keying.constant)
    texts = [{"S": part} for part in parts if part is not None]
    return dict(zip(table.key_attributes, texts, strict=True))


# -- by partition and range ----------------------------------------------------------------------------------------


def _by_partition(table: Table, query: Query, told: tuple[Expr, ...]) -> Access | None:
    if table.keying.shape is None:
        return _by_native(table, query, told) if table.entity is None and not table.schema.hidden_key else None
    found = _shaped(table.keying.shape, table.key_attributes, told, table.keying.constant)
    if found is None:
        return None
    access = Access("Query", PRIMARY, partitions=found[0], bounded=found[1], exact=found[2])
    if len(access.partitions) == 1:
        _walk(access, table, table.keying.shape, query.order, told)
    return access


def _shaped(
    shape: KeyShape, attributes: Sequence[str], told: tuple[Expr, ...], constant: str | None = None
) -> tuple[list[KeyText], bool, bool] | None:
    """The key conditions, whether they are less than all rows of it there, and whether they are single."""
    conditions = shape.conditions(told)
    if not conditions:
        return None
    texts = [_text_of(one, attributes, constant) for one in conditions]
    return texts, any(shape.narrows(one) for one in conditions), all(one.exact for one in conditions)


def _text_of(condition: KeyCondition, attributes: Sequence[str], constant: str | None) -> KeyText:
    """The KeyConditionExpression of one partition and range. A range is a superset: the filter is exact."""

    def write(given: Placeholders) -> str:
        partition = f"{given.name(attributes[0])} = {given.value({'S': condition.partition})}"
        if len(attributes) == 1 or not (condition.bounded or constant):
            return partition
        sort = given.name(attributes[1])
        if condition.exact or constant is not None:
            return f"{partition} AND {sort} = {given.value({'S': constant or condition.low or ''})}"
        if condition.prefix:
            return f"{partition} AND begins_with({sort}, {given.value({'S': condition.prefix})})"
        low, high = condition.low, condition.high
        if low is not None and high is not None:
            if low > high:
                low = high  # nothing is between, which the filter will find; BETWEEN refuses it
            return f"{partition} AND {sort} BETWEEN {given.value({'S': low})} AND {given.value({'S': high})}"
        sign, bound = (">=", low) if low is not None else ("<", high)
        return f"{partition} AND {sort} {sign} {given.value({'S': bound})}" if bound else partition

    return write


def _walk(access: Access, table: Table, shape: KeyShape, order: Sequence[Order], told: tuple[Expr, ...]) -> None:
    """Say which way the sort keys of the one partition give the asked order, if one does."""
    hidden, fixed = table.schema.hidden_key, _equal(told)
    known = {*fixed, *hidden[:1]}
    columns = [one for one in order if len(one.path) > 1 or one.path[0] not in known]
    if not columns:
        access.descending = False
    elif len(hidden) == 2 and columns[0].path == (hidden[1],):
        access.descending = columns[0].descending
    else:
        named = [one for one in columns if one.path[0] not in hidden]
        found = shape.order(named, told)
        if found is None or not named or found.rest:
            return
        access.descending = found.descending
        sort = () if shape.sort is None else shape.sort.fields
        decided = {name for name in sort if name not in fixed} <= {one.path[0] for one in named}
        rest = tuple(one for one in columns if one.path[0] in hidden)
        if rest and not decided and rest[0].descending != found.descending:
            access.ties = Ties(tuple(one.path[0] for one in named), rest)
    if access.ties is None:
        access.start, after = _start(table, order, told)
        access.said = () if after is None else (after,)


def _start(
    table: Table, order: Sequence[Order], told: tuple[Expr, ...]
) -> tuple[dict[str, Wire], After] | tuple[None, None]:
    """The key of the row after which to go on, and the term that says so, if the terms hold one of this order."""
    after = next((one for one in told if isinstance(one, After) and one.order == tuple(order)), None)
    if after is None:
        return None, None
    values = {one.path[0]: value for one, value in zip(after.order, after.values, strict=True) if len(one.path) == 1}
    key = tuple([values.get(name) for name in table.schema.key_names])
    found = None if None in key else table.keying.find(key)
    return (None, None) if found is None else (found, after)


# -- tables of one entity --------------------------------------------------------------------------------------------


def _by_native(table: Table, query: Query, told: tuple[Expr, ...]) -> Access | None:
    """A key of fields in their own types: equality of the first, and a range of the second."""
    first, *rest = table.schema.key_fields
    pinned = next((one for one in told if pins(one, first)), None)
    if pinned is None:
        return None
    ranges = [one for one in told if rest and _is(one, rest[0], (*_SIGNS, "between", "startswith"))][:1]
    said = (pinned, *ranges)

    def write(given: Placeholders) -> str:
        return " AND ".join([_native(table, one, given) for one in said])

    try:
        write(Placeholders())
    except (NotNativeError, LookupError):
        return None
    access = Access("Query", PRIMARY, partitions=[write], said=said, bounded=bool(ranges))
    columns = [one for one in query.order if one.path != (first,)]
    if not columns or [one.path[0] for one in columns] == rest:
        access.descending = bool(columns) and columns[0].descending
        access.start, after = _start(table, query.order, told)
        access.said = said if after is None else (*said, after)
    return access


def _native(table: Table, term: Any, given: Placeholders) -> str:
    """One comparison of a key attribute. NotNativeError or LookupError if a key condition can't say it."""
    source = table.compiler.sources.at(term.path)
    name = given.path(term.path)
    if not source.ordered and term.lookup != "eq":
        raise NotNativeError(term.path)
    if term.lookup == "between":
        low, high = term.value
        if low is None or high is None or comparable(low) > comparable(high):
            raise NotNativeError(term.path)
        return f"{name} BETWEEN {given.value(source.stored(low))} AND {given.value(source.stored(high))}"
    value = source.stored(term.value)
    if value in ({"S": ""}, {"B": b""}):
        raise NotNativeError(term.path)
    if term.lookup == "startswith":
        return f"begins_with({name}, {given.value(value)})"
    return f"{name} {_SIGNS[term.lookup]} {given.value(value)}"


def pins(term: Expr, name: str) -> bool:
    """Whether a term leaves a field one value."""
    return _is(term, name, ("eq",))


def _is(term: Expr, name: str, lookups: Sequence[str]) -> bool:
    return (
        isinstance(term, Compare)
        and term.path == (name,)
        and term.lookup in lookups
        and term.function is None
        and term.value is not None
    )


# -- by a secondary index --------------------------------------------------------------------------------------------


def _serves(index: Index, told: tuple[Expr, ...]) -> bool:
    """Whether an index may be used unasked: it lacks no row that matches."""
    shape = index.spec.shape
    return shape is not None and shape.complete(told)


def _by_index(table: Table, index: Index, query: Query, told: tuple[Expr, ...]) -> Access | None:
    shape = index.spec.shape
    found = None if shape is None else _shaped(shape, index.attributes, told)
    if found is None or shape is None:
        return None
    access = Access("Query", index.name, index, partitions=found[0], bounded=found[1], exact=found[2])
    order = shape.order(query.order, told) if len(access.partitions) == 1 else None
    if len(access.partitions) == 1 and not query.order:
        access.descending = False
    elif order is not None:
        access.descending = order.descending
        access.ties = Ties(index.attributes[1:], order.rest) if order.rest else None
    return access
