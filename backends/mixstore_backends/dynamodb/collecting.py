"""Several models of one partition by one Query, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mixstore.planned import Plan, Rows
from mixstore_backends.dynamodb.placeholders import Placeholders

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Steps, Transport
    from mixstore_backends.dynamodb.wire import Wire


class Collect(Plan):
    """A page of a partition. entities: the position of each model, by what tells its items."""

    __slots__ = ("attribute", "entities", "request", "table")

    def __init__(self, table: str, attribute: str, entities: dict[str, int], request: dict[str, Any]) -> None:
        self.table = table
        self.attribute = attribute
        self.entities = entities
        self.request = request

    def steps(self, transport: Transport) -> Steps[Rows]:
        answer = yield from transport.call("query", self.table, self.request)
        rows = [(self.entities[item[self.attribute]["S"]], item) for item in answer["Items"]]
        last: dict[str, Wire] | None = answer.get("LastEvaluatedKey")
        if last is None:
            return Rows(rows)
        request = {**self.request, "ExclusiveStartKey": last}
        return Rows(rows, Collect(self.table, self.attribute, self.entities, request))


def collect(tables: Sequence[Table], partition: str, consistent: bool) -> Collect | None:
    """The plan of the first page; None if the models are in tables of their own."""
    first = tables[0]
    if first.entity is None or any(table.name != first.name for table in tables):
        return None
    attribute = first.entity[0]
    entities = {table.entity_type: number for number, table in enumerate(tables)}
    given = Placeholders()
    key = f"{given.name(first.key_attributes[0])} = {given.value({'S': partition})}"
    kinds = ", ".join(given.value({"S": entity}) for entity in entities)
    request = {
        "TableName": first.name,
        "KeyConditionExpression": key,
        "FilterExpression": f"{given.name(attribute)} IN ({kinds})",
        "ConsistentRead": consistent,
    }
    return Collect(first.name, attribute, entities, given.into(request))
