"""Records of DynamoDB Streams as changes of models, and a handler for AWS Lambda.

A record is either what Lambda hands to a function (camel case, bytes as base64, moments as numbers), as documented at
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html, or what the client `dynamodbstreams` answers: the same with
raw bytes and datetimes. Fields: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from mixstore.binding import models_of
from mixstore.errors import ConfigurationError, UnsupportedOperationError
from mixstore_backends.dynamodb.errors import NAME
from mixstore_backends.dynamodb.wire import raw

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.backend import DynamoDBBackend
    from mixstore_backends.dynamodb.layout import Table

KINDS: dict[str, Literal["insert", "modify", "remove"]] = {"INSERT": "insert", "MODIFY": "modify", "REMOVE": "remove"}
EXPIRY = "dynamodb.amazonaws.com"
"""The principal that removes rows whose time is over."""

log = logging.getLogger("mixstore")


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """What happened to one row.

    old, new: the row before and after, None where there was none or the stream does not hold it. key: as errors tell
    keys: a value, or a dict of several. expired: whether DynamoDB removed it because its time was over. sequence: the
    record's number in its shard. at: about when, to the second.
    """

    kind: Literal["insert", "modify", "remove"]
    model: type[Any]
    key: Any
    old: Any
    new: Any
    expired: bool
    sequence: str
    at: datetime | None


def parse_stream_record(record: Mapping[str, Any], backend: DynamoDBBackend) -> ChangeEvent | None:
    """The change that a record tells of; None if it is of no model of the backend, or of one that extensions keep.

    Rows are told as they were stored, hidden ones and those of all tenants too. ConfigurationError for what is no
    record, UnsupportedOperationError for one that does not tell of which model its row was; CorruptRecordError.
    """
    kind, told = KINDS.get(str(record.get("eventName"))), record.get("dynamodb")
    if kind is None or not isinstance(told, Mapping) or "Keys" not in told:
        raise ConfigurationError(f"this is no record of a stream of DynamoDB: it has {sorted(record)}", backend=NAME)
    old, new = image_of(told, "OldImage"), image_of(told, "NewImage")
    table = _table_of(backend, table_name_of(record), new or old, told)
    if table is None or table.schema.definition.internal:
        return None
    bound = table.bound
    rows = [None if image is None else bound.load(image) for image in (old, new)]
    known = next((row for row in reversed(rows) if row is not None), None)
    key = native_key(table, _with_bytes(told["Keys"])) if known is None else bound.schema.key_from(known.__dict__)
    return ChangeEvent(
        kind,
        bound.model,
        None if key is None else bound.schema.key_as_told(key),
        rows[0],
        rows[1],
        kind == "remove" and _principal(record) == EXPIRY,
        str(told.get("SequenceNumber", "")),
        _moment(told.get("ApproximateCreationDateTime")),
    )


def stream_handler(
    backend: DynamoDBBackend, function: Callable[[ChangeEvent], Any]
) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """A handler for AWS Lambda that calls `function` with each change, in order.

    When one fails, the failure is logged and its sequence number answered, so that Lambda comes back with it and those
    after it; the event source mapping needs `FunctionResponseTypes: [ReportBatchItemFailures]` for that, or Lambda
    takes the whole batch for done. ConfigurationError for a coroutine function.
    """
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"{function.__qualname__} is a coroutine function, and Lambda awaits none",
            backend=NAME,
            hint="call asyncio.run(...) in a plain function",
        )

    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        for record in records_of(event):
            try:
                change = parse_stream_record(record, backend)
                if change is not None:
                    function(change)
            except Exception:
                sequence = str(record.get("dynamodb", {}).get("SequenceNumber", ""))
                log.exception("record %s of a stream of %s failed", sequence, table_name_of(record))
                return {"batchItemFailures": [{"itemIdentifier": sequence}]}
        return {"batchItemFailures": []}

    return handler


def records_of(event: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    records = event.get("Records")
    if not isinstance(records, Sequence):
        raise ConfigurationError(f"this is no event of a stream: it has {sorted(event)}, and no Records", backend=NAME)
    return records


def table_name_of(record: Mapping[str, Any]) -> str | None:
    """From `arn:aws:dynamodb:region:account:table/NAME/stream/...`, which only Lambda tells."""
    parts = str(record.get("eventSourceARN", "")).split("/")
    return parts[1] if len(parts) > 1 else None


def _table_of(
    backend: DynamoDBBackend, name: str | None, image: Mapping[str, Any] | None, told: Mapping[str, Any]
) -> Table | None:
    """The model of a row, by its entity or, in a table of its own, by its table."""
    tables: list[Table] = [backend.bound(model).native for model in models_of(backend)]
    here = [table for table in tables if name is None or table.name == name]
    if not backend.adapter.single_table:
        keyed = [table for table in here if set(table.key_attributes) == set(told["Keys"])]
        if name is None and len(keyed) > 1:
            raise UnsupportedOperationError(
                "the record does not tell its table (eventSourceARN), and several models have such a key", backend=NAME
            )
        return keyed[0] if keyed else None
    if image is None:
        raise UnsupportedOperationError(
            f"a record of a stream of {told.get('StreamViewType')} does not tell of which model the row is",
            backend=NAME,
            hint='TableOptions(stream="NEW_AND_OLD_IMAGES") tells it of every change',
        )
    mark = image.get(backend.adapter.entity, {}).get("S")
    return next((table for table in here if table.entity_type == mark), None)


def native_key(table: Table, item: Mapping[str, Any]) -> tuple[Any, ...]:
    """The key by the attributes of an item that are for keys."""
    if table.schema.hidden_key:
        return tuple([item[name]["S"] for name in table.key_attributes])
    columns = [table.columns[name] for name in table.schema.key_fields]
    found = [(column.patiently(item), column.codec.decode) for column in columns]
    return tuple([value if decode is None else decode(value) for value, decode in found])


def image_of(told: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    image = told.get(name)
    return None if image is None else _with_bytes(image)


def _with_bytes(item: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of attributes in which bytes are bytes, as in the answers of a client."""
    return {name: _attribute(value) for name, value in item.items()}


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    ((mark, inner),) = value.items()
    if mark == "B":
        return {mark: raw(inner)}
    if mark == "BS":
        return {mark: [raw(one) for one in inner]}
    if mark == "M":
        return {mark: _with_bytes(inner)}
    if mark == "L":
        return {mark: [_attribute(one) for one in inner]}
    return {mark: inner}


def _principal(record: Mapping[str, Any]) -> str | None:
    identity = record.get("userIdentity") or {}
    return identity.get("principalId", identity.get("PrincipalId"))


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromtimestamp(float(value), timezone.utc)
