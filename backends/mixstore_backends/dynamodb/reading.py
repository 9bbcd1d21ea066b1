"""Items by their keys: one, or a hundred a request, in the order asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import ThrottledError
from mixstore_backends.dynamodb.errors import NAME

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.keying import Keying
    from mixstore_backends.dynamodb.transport import Steps, Transport
    from mixstore_backends.dynamodb.wire import Wire

Key = dict[str, "Wire"]
KEYS_AT_ONCE = 100
"""How many keys BatchGetItem takes."""


def read_keys(
    transport: Transport, table: str, keying: Keying, keys: Sequence[Key | None], consistent: bool
) -> Steps[list[Any]]:
    """The item of each key, None where there is none; a key may come twice."""
    if len(keys) == 1:
        return [None if keys[0] is None else (yield from _one(transport, table, keys[0], consistent))]
    identity = keying.identity
    asked = [None if key is None else identity(key) for key in keys]
    wanted = dict(zip(asked, keys, strict=True))
    wanted.pop(None, None)
    found: dict[Any, Any] = {}
    pending: list[Any] = list(wanted.values())
    failures = 0
    while pending:
        some, pending = pending[:KEYS_AT_ONCE], pending[KEYS_AT_ONCE:]
        request = {"RequestItems": {table: {"Keys": some, "ConsistentRead": consistent}}}
        answer = yield from transport.call("batch_get_item", table, request)
        items = answer["Responses"].get(table, ())
        found.update(zip(map(identity, items), items, strict=True))
        left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        pending += left
        failures = 0 if items or not left else failures + 1
        if left:
            yield from pause(transport, table, "batch_get_item", failures)
    return [found.get(one) for one in asked]


def _one(transport: Transport, table: str, key: Key, consistent: bool) -> Steps[Any]:
    request = {"TableName": table, "Key": key, "ConsistentRead": consistent}
    answer = yield from transport.call("get_item", table, request)
    return answer.get("Item")


def pause(transport: Transport, table: str, operation: str, failures: int) -> Steps[None]:
    """Wait before what was not processed is sent again; ThrottledError if nothing was, many times in a row."""
    if failures >= transport.attempts:
        raise ThrottledError(
            f"{operation} on {transport.place(table)}: nothing of it was processed, {failures} times in a row",
            backend=NAME,
            hint="ask for less at once, or give the table more capacity",
        )
    yield from transport.back_off(failures)
