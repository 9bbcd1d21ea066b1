"""What a table should be, made of its models; and what one that is there has in common with that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import SchemaError
from mixstore_backends.dynamodb.options import NO_OPTIONS, TableOptions

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table

MOST_INDEXES = 20
MOST_LOCAL_INDEXES = 5


class Wanted:
    """What a table should be: the key, the attributes that keys and indexes are made of, the indexes, its options.

    indexes, local: as requests describe them, by name. users: the models that declare each. ttl: the attribute by
    which rows expire.
    """

    def __init__(self, tables: Sequence[Table], options: TableOptions = NO_OPTIONS, ttl: str | None = None) -> None:
        first = tables[0]
        self.name = first.name
        self.options = options
        self.ttl = ttl
        self.models = tuple([table.schema.model for table in tables])
        self.users: dict[str, tuple[type[Any], ...]] = {}
        self.attributes: dict[str, str] = {}
        self.key = self._key(first.key_attributes, first.keying.types)
        self.indexes: dict[str, dict[str, Any]] = {}
        self.local: dict[str, dict[str, Any]] = {}
        for table in tables:
            if self._key(table.key_attributes, table.keying.types) != self.key:
                raise SchemaError(f"{table.schema.name} and {first.schema.name} have other keys in one table")
            for index in table.indexes.values():
                self._add_index(table, index)
        for kind, found, most in (("", self.indexes, MOST_INDEXES), ("local ", self.local, MOST_LOCAL_INDEXES)):
            if len(found) > most:
                raise SchemaError(
                    f"the table {self.name!r} would have {len(found)} {kind}indexes, and {most} is the most",
                    hint="models of a single table can share an index: give theirs the same name",
                )

    def _key(self, names: Sequence[str], types: Sequence[str]) -> list[dict[str, str]]:
        self.attributes.update(zip(names, types, strict=True))
        roles = ("HASH", "RANGE")
        return [{"AttributeName": name, "KeyType": role} for name, role in zip(names, roles, strict=False)]

    def _add_index(self, table: Table, index: Any) -> None:
        key = self._key(index.attributes, ("S",) * len(index.attributes))
        made = {"IndexName": index.name, "KeySchema": key, "Projection": self._projection(table, index)}
        mine, others = (self.local, self.indexes) if index.local else (self.indexes, self.local)
        other = mine.setdefault(index.name, made)
        if other["KeySchema"] != key or index.name in others:
            kinds = "one of them local" if index.name in others else "one with a sort key and one without"
            raise SchemaError(
                f"{table.schema.name}: another model has an index {index.name!r} in the table {self.name!r}, {kinds}",
                model=table.schema.model,
                hint="give both the same kind and a sort key, or one another name",
            )
        self.users[index.name] = (*self.users.get(index.name, ()), table.schema.model)
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
            **self.options.create_request(),
        }
        if self.indexes:
            request["GlobalSecondaryIndexes"] = [{**one, **self.options.capacity} for one in self.indexes.values()]
        if self.local:
            request["LocalSecondaryIndexes"] = list(self.local.values())
        return request

    def index_request(self, name: str, capacity: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateTable, for one more index; `capacity` is what an index of a table with provisioned capacity needs."""
        index = self.indexes[name]
        used = [part["AttributeName"] for part in (*self.key, *index["KeySchema"])]
        return {
            "TableName": self.name,
            "AttributeDefinitions": self.definitions(used),
            "GlobalSecondaryIndexUpdates": [{"Create": {**index, **capacity}}],
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


# -- beside a table that is there ----------------------------------------------------------------------------------


def same_key(wanted: Wanted, key: Iterable[Mapping[str, str]], found: Mapping[str, Any], real: Any) -> bool:
    """Whether a key of the table, or of an index, is the wanted one. `found` describes the table."""
    types = types_of(found)
    asked = [(one["AttributeName"], one["KeyType"]) for one in key]
    there = [(one["AttributeName"], one["KeyType"]) for one in real]
    return sorted(asked) == sorted(there) and all(types.get(name) == wanted.attributes[name] for name, _ in asked)


def types_of(found: Mapping[str, Any]) -> dict[str, str]:
    """The types of the attributes of keys and indexes."""
    return {one["AttributeName"]: one["AttributeType"] for one in found.get("AttributeDefinitions", ())}


def holds(real: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether a projection holds all that another does."""
    if real["ProjectionType"] == "ALL" or asked["ProjectionType"] == "KEYS_ONLY":
        return True
    return asked["ProjectionType"] != "ALL" and set(real.get("NonKeyAttributes", ())) >= set(asked["NonKeyAttributes"])


def key_told(key: Iterable[Mapping[str, str]], types: Mapping[str, str]) -> str:
    """`pk (S, HASH), sk (S, RANGE)`."""
    return ", ".join(f"{one['AttributeName']} ({types.get(one['AttributeName'])}, {one['KeyType']})" for one in key)


def projection_told(projection: Mapping[str, Any]) -> str:
    """`ALL`, `KEYS_ONLY` or `INCLUDE(name, other)`."""
    names = ", ".join(projection.get("NonKeyAttributes", ()))
    return f"INCLUDE({names})" if names else str(projection["ProjectionType"])


def index_told(index: Mapping[str, Any], types: Mapping[str, str]) -> str:
    """An index in one line."""
    return f"{key_told(index['KeySchema'], types)}, {projection_told(index['Projection'])}"
