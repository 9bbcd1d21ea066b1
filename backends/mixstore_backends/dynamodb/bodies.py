"""Bodies of the usual requests, written and read here: botocore takes each value through ten layers, both ways.

botocore asks for the body just before it signs it, and hands over that of an answer just before it parses it; so
signing, credentials, endpoints and connections stay its own. aiobotocore does the same in the task that awaits it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from zlib import crc32

from botocore.exceptions import ChecksumError
from pydantic_core import from_json, to_json

from mixstore_backends.dynamodb.wire import raw

READS = {"get_item": "GetItem", "batch_get_item": "BatchGetItem", "query": "Query", "scan": "Scan"}
WRITES = {
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
    "batch_write_item": "BatchWriteItem",
    "transact_write_items": "TransactWriteItems",
}
USUAL = READS.keys() | WRITES.keys()
CHECKSUM = "x-amz-crc32"
"""The header of an answer that tells whether its body has come as it was sent."""
_BINARY = (b'"B"', b'"BS"')
_SHOWN = ("TableName", "RequestItems", "TransactItems")


class Exchange:
    """One request and its answer, while a client is at it: `request` is what it is called with.

    unchecked: whether the client validates no parameters; one that does gets its requests whole. sender: what takes
    the request from the client and sends it.
    """

    __slots__ = ("_takes", "answer", "body", "request", "sender")

    def __init__(self, operation: str, request: Mapping[str, Any], unchecked: bool, sender: Any = None) -> None:
        self.request = dict(request)
        self.body: bytes | None = None
        self.answer: bytes | None = None
        self.sender = sender
        self._takes = sender is not None or operation in READS
        if unchecked:
            self.body = _encoded(request)
            self.request = {name: _hint(request[name]) for name in _SHOWN if name in request}

    def __enter__(self) -> Exchange:
        _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.set(None)

    def read(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer; if its body was kept, with its attributes as they stand in the JSON, but for bytes."""
        return answer if self.answer is None else _decoded(self.answer)

    def take(self, response: dict[str, Any]) -> None:
        """Keep the body of an answer that is to be read here. ChecksumError if it is damaged."""
        body, told = response["body"], response["headers"].get(CHECKSUM)
        if told is not None and crc32(body) != int(told):
            raise ChecksumError(checksum_type="crc32", expected_checksum=told, actual_checksum=crc32(body))
        if self._takes and response["status_code"] == 200:
            self.answer, response["body"] = body, b"{}"


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
"""The exchange of this thread or task; others that use the client see no difference."""


def prepare(client: Any) -> None:
    """Let exchanges see what a client sends and gets."""
    events = client.meta.events
    for operation in (*READS.values(), *WRITES.values()):
        events.register(f"before-call.dynamodb.{operation}", _give, unique_id=f"mixstore-give-{operation}")
        events.register(f"before-parse.dynamodb.{operation}", _take, unique_id=f"mixstore-take-{operation}")


def _give(params: Any, model: Any, request_signer: Any, context: Any, **_: Any) -> Any:
    exchange = _current.get()
    if exchange is None or exchange.body is None:
        return None
    params["body"] = exchange.body
    return exchange.sender and exchange.sender.send(exchange, params, model, request_signer, context)


def _take(response_dict: Any, **_: Any) -> None:
    exchange = _current.get()
    if exchange is not None:
        exchange.take(response_dict)


def _hint(value: Any) -> Any:
    """What botocore finds an endpoint by: the name of a table."""
    if isinstance(value, dict):
        return {name: type(inner)() for name, inner in value.items()}
    return value if isinstance(value, str) else ()


def _encoded(request: Mapping[str, Any]) -> bytes:
    """The body of a request. pydantic-core is the faster writer, but has another base64 than DynamoDB."""
    body = to_json(request, bytes_mode="base64")
    if any(mark in body for mark in _BINARY):
        return json.dumps(request, default=_base64, ensure_ascii=False).encode()
    return body


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _decoded(body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = from_json(body, cache_strings="keys")
    if any(mark in body for mark in _BINARY):
        _with_bytes(answer)
    return answer


def _with_bytes(value: Any) -> None:
    """Turn base64 text into bytes, in place. `{"B": text}` is an attribute, since a map's values are attributes."""
    if isinstance(value, list):
        for element in value:
            _with_bytes(element)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "B" and isinstance(inner, str):
                value[key] = raw(inner)
            elif key == "BS" and isinstance(inner, list):
                value[key] = [raw(one) for one in inner]
            else:
                _with_bytes(inner)
