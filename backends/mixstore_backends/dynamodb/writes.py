"""Writes: from `Write` to the action that does it under its condition. Pure; `units` runs them."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from math import ceil
from os import urandom
from typing import TYPE_CHECKING, Any

from mixstore.errors import ValidationError
from mixstore.expressions import Expr, disjunction, evaluate, paths
from mixstore.write import REMOVE, Add, Outcome, Write
from mixstore_backends.dynamodb.operands import NotNativeError
from mixstore_backends.dynamodb.placeholders import LONGEST, Placeholders, TooLongError, enclosed
from mixstore_backends.dynamodb.wire import NULL, to_wire

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.wire import Wire

UNREAD: Any = object()
"""The basis of a write whose row has not been read."""
_METHODS = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}


class Action:
    """What DynamoDB is asked to do with one item. `kind` is Put, Update or Delete.

    token: what it leaves in the item, by which a second request knows what the first has done.
    """

    __slots__ = ("kind", "request", "table", "token", "write")

    def __init__(self, kind: str, write: Write, request: dict[str, Any], token: str | None) -> None:
        self.kind = kind
        self.token = token
        self.write = write
        self.table: Table = write.bound.native
        self.request = {"TableName": self.table.name, **request}

    @property
    def method(self) -> str:
        """The method of a client that does it alone."""
        return _METHODS[self.kind]

    @property
    def alone(self) -> dict[str, Any]:
        """The request of that method."""
        told = {"ReturnValues": "ALL_NEW"} if self.write.adds else {}
        return {**self.request, **told, **self._asking}

    @property
    def together(self) -> dict[str, Any]:
        """The action as a part of a transaction."""
        return {self.kind: {**self.request, **self._asking}}

    @property
    def _asking(self) -> dict[str, Any]:
        """A refusal is to say what is stored."""
        return {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if "ConditionExpression" in self.request else {}

    def did_it(self, item: Mapping[str, Wire] | None) -> bool:
        """Whether this action made what is stored: it was carried out, though no answer came."""
        if self.kind == "Delete":
            return item is None
        return item is not None and self.token is not None and item.get(self.table.token) == {"S": self.token}


def new_token() -> str:
    """Twelve characters that no other write has."""
    return b2a_base64(urandom(9), newline=False).decode()


# -- what the stored row says ----------------------------------------------------------------------------------------


def judged(write: Write, item: Mapping[str, Wire] | None) -> Outcome | None:
    """The outcome if the item that is stored does not allow the write, by the reference semantics; None if it does."""
    table: Table = write.bound.native
    if item is None or not table.is_mine(item):
        if write.op in ("update", "delete"):
            return Outcome("missing")
        return None if item is None else Outcome("exists")
    values = write.bound.values_from_row(item) if write.evict is not None or write.condition is not None else {}
    if write.op in ("create", "upsert") and write.evict is not None and evaluate(write.evict, values):
        return None
    if write.op == "create" or (write.op == "upsert" and write.absent):
        return Outcome("exists", item)
    if write.condition is not None and not evaluate(write.condition, values):
        return Outcome("condition", item)
    return None


def asked_of(write: Write) -> Expr | None:
    """What an item that is there is asked, so that the write may happen; None: nothing, or it must not be there."""
    if write.op == "create" or write.absent:
        return write.evict
    if write.op != "upsert" or write.condition is None or write.evict is None:
        return write.condition
    return disjunction(write.evict, write.condition)


def must_read(write: Write) -> bool:
    """Whether the row has to be read first, since DynamoDB can't say the condition, or can't add to what is there."""
    table: Table = write.bound.native
    if any(type(value) is Add and _may_be_null(table, name) for name, value in (write.changes or {}).items()):
        return True
    expr = asked_of(write)
    if expr is None:
        return False
    given = Placeholders()
    try:
        return len(table.compiler.expression(expr, given)) > LONGEST - 300
    except (NotNativeError, TooLongError):
        return True


def _may_be_null(table: Table, name: str) -> bool:
    column = table.columns.get(name)
    return column is not None and column.nullable and column.keeps_null


# -- actions ---------------------------------------------------------------------------------------------------------


def action_of(write: Write, basis: Any = UNREAD, lenient: bool = False, marked: bool = False) -> Action:
    """The action of a write. ValidationError names what can't be stored.

    basis: the item as it was read (None: there was none); then the condition is that it has not changed since.
    lenient: a delete of what is not there is no failure. marked: it is to leave a token, if it may be sent again.
    """
    table: Table = write.bound.native
    token: str | None = None
    given = Placeholders()
    merges = write.op == "upsert" and write.changes is not None
    condition = _condition(table, write, given, lenient) if basis is UNREAD else _unchanged(table, write, given, basis)
    request: dict[str, Any] = {}
    if merges:
        kind, request["Key"] = "Update", table.keying.wire(write.key)
    elif write.op in ("create", "upsert"):
        kind, request["Item"] = "Put", table.item_of(write.key, write.record or {})
        if write.dies is not None and table.expiry is not None:
            request["Item"][table.expiry] = {"N": str(ceil(write.dies.timestamp()))}
        if marked and condition:
            token = new_token()
            request["Item"][table.token] = {"S": token}
    else:
        kind, request["Key"] = write.op.capitalize(), table.keying.wire(write.key)
    if write.op == "update" or merges:
        changes = changes_of(table, write, basis)
        if merges:
            changes = {**_only_new(table, write), **changes}
        expected = _index_basis(table, write) if basis is UNREAD and not merges else {}
        condition = _joined([condition, *_still(expected, given)])
        if marked and not write.adds:
            token = new_token()
            changes[table.token] = {"S": token}
        request["UpdateExpression"] = _update_expression(table, write, changes, given, basis)
    if condition:
        request["ConditionExpression"] = condition
    return Action(kind, write, given.into(request), token)


def _joined(pieces: Iterable[str]) -> str:
    return " AND ".join([piece for piece in pieces if piece])


def _condition(table: Table, write: Write, given: Placeholders, lenient: bool) -> str:
    """What must hold on the item, the entity of which is asked for where another may have its key."""
    expr = asked_of(write)
    forbidden = expr is None and (write.op == "create" or write.absent)
    if forbidden:
        return f"attribute_not_exists({given.name(table.key_attributes[0])})"
    pieces = []
    if table.guarded and table.entity is not None:
        pieces.append(f"{given.name(table.entity[0])} = {given.value({'S': table.entity[1]})}")
    if expr is not None:
        pieces.append(table.compiler.expression(expr, given))
    if write.op in ("create", "upsert") or lenient:
        if not pieces:
            return ""
        return f"attribute_not_exists({given.name(table.key_attributes[0])}) OR {enclosed(_joined(pieces))}"
    return _joined([f"attribute_exists({given.name(table.key_attributes[0])})", *pieces])


def _unchanged(table: Table, write: Write, given: Placeholders, basis: Any) -> str:
    """That what was looked at is still so."""
    partition = given.name(table.key_attributes[0])
    if basis is None:
        return f"attribute_not_exists({partition})"
    looked_at = _looked_at(table, write, basis)
    expected = {name: basis.get(name) for name in looked_at if name not in table.key_attributes}
    if table.entity is not None:
        expected[table.entity[0]] = basis.get(table.entity[0])
    return _joined([f"attribute_exists({partition})", *_still(expected, given)])


def _looked_at(table: Table, write: Write, basis: Mapping[str, Wire]) -> set[str]:
    """The attributes on which the decision about a write rests."""
    names = {name for name, value in (write.changes or {}).items() if type(value) is Add and _may_be_null(table, name)}
    names |= _touched_index_fields(table, write)
    expr = asked_of(write)
    for path in () if expr is None else paths(expr):
        if path[0] not in table.columns or path[0] in write.bound.chain.opaque:
            return {*basis, *table.columns}  # what extensions make of an item may rest on any part of it
        names.add(path[0])
    return names


def _still(expected: Mapping[str, Wire | None], given: Placeholders) -> list[str]:
    return [
        f"attribute_not_exists({given.name(name)})" if wire is None else f"{given.name(name)} = {given.value(wire)}"
        for name, wire in expected.items()
    ]


# -- updates ---------------------------------------------------------------------------------------------------------


def changes_of(table: Table, write: Write, basis: Any = UNREAD) -> dict[str, Wire | None]:
    """{attribute: its new value, or None if it goes away} of an update, additions aside."""
    made: dict[str, Wire | None] = {}
    for name, value in (write.changes or {}).items():
        if name in table.own_attributes or type(value) is Add:
            continue
        column = table.columns.get(name)
        made[name] = None if value is REMOVE else table.shaper.attribute(name, value, column)
    touched = [index for index in table.indexes.values() if _touches(index, write)]
    if touched:
        items = table.index_items(_values_after(table, write, basis))
        for index in touched:
            made.update({name: items.get(name) for name in index.own})
    return made


def _only_new(table: Table, write: Write) -> dict[str, Wire | None]:
    """What an upsert that changes a row writes, since there may be none: it is the same in one that is there."""
    elsewhere = {*table.own_attributes, *table.key_attributes, *(write.changes or {})}
    made = {
        name: table.shaper.attribute(name, value, table.columns.get(name))
        for name, value in (write.record or {}).items()
        if name not in elsewhere
    }
    return made if table.entity is None else {table.entity[0]: {"S": table.entity[1]}, **made}


def _touches(index: Any, write: Write) -> bool:
    return index.spec.shape is None or not write.changes or any(name in index.spec.fields for name in write.changes)


def _values_after(table: Table, write: Write, basis: Any) -> dict[str, Any]:
    """The python values of the row after an update."""
    if basis is UNREAD or basis is None:
        return table.values_of(write.record or {})
    record = write.bound.stored_of(basis)
    changes = {name: value for name, value in (write.changes or {}).items() if type(value) is not Add}
    kept = {name: value for name, value in record.items() if changes.get(name) is not REMOVE}
    return table.values_of({**kept, **{name: value for name, value in changes.items() if value is not REMOVE}})


def _touched_index_fields(table: Table, write: Write) -> set[str]:
    """The fields that an update leaves alone, but which are in an index with one that it changes."""
    if write.op != "update":
        return set()
    found: set[str] = set()
    for index in table.indexes.values():
        if _touches(index, write):
            found |= set(table.columns if index.spec.shape is None else index.spec.fields)
    return found - set(write.changes or {}) - set(table.schema.key_fields)


def _index_basis(table: Table, write: Write) -> dict[str, Wire | None]:
    record = write.record or {}
    names = _touched_index_fields(table, write)
    return {name: table.columns[name].wire(record[name]) for name in sorted(names) if name in record}


def _update_expression(
    table: Table, write: Write, changes: Mapping[str, Wire | None], given: Placeholders, basis: Any
) -> str:
    sets = [f"{given.name(name)} = {given.value(wire)}" for name, wire in changes.items() if wire is not None]
    removes = [given.name(name) for name, wire in changes.items() if wire is None]
    for name, value in (write.changes or {}).items():
        if type(value) is Add:
            sets.append(_addition(table, name, value.by, given, basis))
    if not sets and not removes:  # something has to be said
        if table.entity is None:
            removes.append(given.name("_nowhere"))
        else:
            sets.append(f"{given.name(table.entity[0])} = {given.value({'S': table.entity[1]})}")
    told = [f"SET {', '.join(sets)}"] if sets else []
    return " ".join([*told, *([f"REMOVE {', '.join(removes)}"] if removes else [])])


def _addition(table: Table, name: str, by: Any, given: Placeholders, basis: Any) -> str:
    """`SET n = n + :by`; nothing stored counts as 0."""
    try:
        wire = to_wire(by)
    except ValueError as error:
        raise ValidationError(f"{table.schema.name}.{name}: {error}", field=name, model=table.schema.model) from error
    place = given.name(name)
    if basis is not UNREAD and basis is not None and basis.get(name) == NULL:
        return f"{place} = {given.value(wire)}"
    return f"{place} = if_not_exists({place}, {given.value({'N': '0'})}) + {given.value(wire)}"
