"""Tables: made of the models that are bound, grown by indexes, with an expiry attribute if an extension wants one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendTimeoutError, ConfigurationError, SchemaError
from mixstore.planned import Plan
from mixstore_backends.dynamodb.errors import NAME

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Steps, Transport

WAIT = 1.0
"""Seconds between two looks at a table that is being made or changed."""
PATIENCE = 1800
"""How many looks before it is given up: filling a new index can take long."""
MOST_INDEXES = 20


class Wanted:
    """What a table should be: the key, the attributes that keys and indexes are made of, the indexes."""

    def __init__(self, tables: Sequence[Table]) -> None:
        first = tables[0]
        self.name = first.name
        self.attributes: dict[str, str] = {}
        self.key = self._key(first.key_attributes, first.keying.types)
        self.indexes: dict[str, dict[str, Any]] = {}
        for table in tables:
            if self._key(table.key_attributes, table.keying.types) != self.key:
                raise SchemaError(f"{table.schema.name} and {first.schema.name} have other keys in one table")
            for index in table.indexes.values():
                self._add_index(table, index)
        if len(self.indexes) > MOST_INDEXES:
            raise SchemaError(
                f"the table {self.name!r} would have {len(self.indexes)} indexes, and {MOST_INDEXES} is the most",
                hint="models of a single table can share an index: give theirs the same name",
            )

    def _key(self, names: Sequence[str], types: Sequence[str]) -> list[dict[str, str]]:
        self.attributes.update(zip(names, types, strict=True))
        roles = ("HASH", "RANGE")
        return [{"AttributeName": name, "KeyType": role} for name, role in zip(names, roles, strict=False)]

    def _add_index(self, table: Table, index: Any) -> None:
        key = self._key(index.attributes, ("S",) * len(index.attributes))
        made = {"IndexName": index.name, "KeySchema": key, "Projection": self._projection(table, index)}
        other = self.indexes.setdefault(index.name, made)
        if other["KeySchema"] != key:
            raise SchemaError(
                f"{table.schema.name}: another model has an index {index.name!r} in the table {self.name!r}, "
                "one with a sort key and one without",
                model=table.schema.model,
                hint="give both a sort key, or one another name",
            )
        other["Projection"] = _both(other["Projection"], made["Projection"])

    def _projection(self, table: Table, index: Any) -> dict[str, Any]:
        if index.whole:
            return {"ProjectionType": "ALL"}
        keys = {*table.key_attributes, *index.attributes}
        names = sorted(set(index.spec.projection.fields) - keys)
        return {"ProjectionType": "INCLUDE", "NonKeyAttributes": names} if names else {"ProjectionType": "KEYS_ONLY"}

    def create_request(self) -> dict[str, Any]:
        """CreateTable."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeySchema": self.key,
            "AttributeDefinitions": self.definitions(self.attributes),
            "BillingMode": "PAY_PER_REQUEST",
        }
        if self.indexes:
            request["GlobalSecondaryIndexes"] = list(self.indexes.values())
        return request

    def index_request(self, name: str) -> dict[str, Any]:
        """UpdateTable, for one more index."""
        index = self.indexes[name]
        used = [part["AttributeName"] for part in (*self.key, *index["KeySchema"])]
        return {
            "TableName": self.name,
            "AttributeDefinitions": self.definitions(used),
            "GlobalSecondaryIndexUpdates": [{"Create": index}],
        }

    def definitions(self, names: Any) -> list[dict[str, str]]:
        """The types of attributes."""
        return [{"AttributeName": name, "AttributeType": self.attributes[name]} for name in dict.fromkeys(names)]


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A projection that holds what both hold."""
    if "ALL" in (one["ProjectionType"], other["ProjectionType"]):
        return {"ProjectionType": "ALL"}
    names = sorted({*one.get("NonKeyAttributes", ()), *other.get("NonKeyAttributes", ())})
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": names} if names else {"ProjectionType": "KEYS_ONLY"}


class Initialize(Plan):
    """Make the table, or what it lacks: indexes one at a time, then the expiry attribute."""

    __slots__ = ("ttl", "wanted")

    def __init__(self, wanted: Wanted, ttl: str | None) -> None:
        self.wanted = wanted
        self.ttl = ttl

    def steps(self, transport: Transport) -> Steps[list[str]]:
        """Make it so; the indexes that a table which was there has got."""
        wanted, added = self.wanted, list[str]()
        found = yield from described(transport, wanted.name)
        if found is None:
            if not (yield from transport.attempt_creation(wanted.name, wanted.create_request())):
                found = yield from described(transport, wanted.name)
            yield from _wait(transport, wanted.name)
        if found is not None:
            _check(found, wanted)
            added = yield from self._grow(transport, found)
        if self.ttl is not None:
            yield from self._expire(transport, self.ttl)
        return added

    def _grow(self, transport: Transport, found: dict[str, Any]) -> Steps[list[str]]:
        there = {one["IndexName"] for one in found.get("GlobalSecondaryIndexes", ())}
        added = [name for name in self.wanted.indexes if name not in there]
        for name in added:
            yield from _wait(transport, self.wanted.name)
            yield from transport.call("update_table", self.wanted.name, self.wanted.index_request(name))
        yield from _wait(transport, self.wanted.name)
        return added

    def _expire(self, transport: Transport, attribute: str) -> Steps[None]:
        table = self.wanted.name
        answer = yield from transport.call("describe_time_to_live", table, {"TableName": table})
        told = answer["TimeToLiveDescription"]
        now = told.get("AttributeName")
        if told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
            if now != attribute:
                raise ConfigurationError(
                    f"rows of the table {table!r} expire by {now!r}, not by {attribute!r}",
                    backend=NAME,
                    hint="a table has one such attribute; change the option of the extension, or the table",
                )
            return
        wanted = {"Enabled": True, "AttributeName": attribute}
        yield from transport.call("update_time_to_live", table, {"TableName": table, "TimeToLiveSpecification": wanted})


def described(transport: Transport, name: str) -> Steps[dict[str, Any] | None]:
    """What DynamoDB says of a table; None if it is not there."""
    try:
        answer = yield from transport.call("describe_table", name, {"TableName": name})
    except ConfigurationError:
        return None
    return answer["Table"]  # type: ignore[no-any-return]


def _check(found: dict[str, Any], wanted: Wanted) -> None:
    """ConfigurationError if the table that is there has another key."""
    there = [(one["AttributeName"], one["KeyType"]) for one in found["KeySchema"]]
    types = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    for one in wanted.key:
        name = one["AttributeName"]
        if (
            (name, one["KeyType"]) not in there
            or len(there) != len(wanted.key)
            or types[name] != wanted.attributes[name]
        ):
            told = ", ".join(f"{part} ({types[part]}, {role})" for part, role in there)
            asked = ", ".join(
                f"{part['AttributeName']} ({wanted.attributes[part['AttributeName']]}, {part['KeyType']})"
                for part in wanted.key
            )
            raise ConfigurationError(
                f"the table {wanted.name!r} has another key: {told} instead of {asked}",
                backend=NAME,
                hint="DynamoDBAdapter(partition=..., sort=...) names the attributes; or use another table",
            )


def _wait(transport: Transport, name: str) -> Steps[None]:
    """Wait until the table and its indexes can be used."""
    for _ in range(PATIENCE):
        found = yield from described(transport, name)
        if found is not None and found.get("TableStatus", "ACTIVE") == "ACTIVE":
            indexes = found.get("GlobalSecondaryIndexes", ())
            if all(one.get("IndexStatus", "ACTIVE") == "ACTIVE" for one in indexes):
                return
        yield WAIT
    raise BackendTimeoutError(f"the table {name!r} is still being made", backend=NAME, hint="initialize() again later")
