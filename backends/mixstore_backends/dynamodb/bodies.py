"""Bodies of the usual requests, written and read here: botocore takes each value through ten layers, both ways.

botocore asks for the body just before it signs it, and hands over that of an answer just before it parses it; so
signing, credentials, endpoints and connections stay its own.
"""

from __future__ import annotations

import base64
import json
import threading
from typing import Any
from weakref import WeakKeyDictionary

from pydantic_core import from_json

from mixstore_backends.dynamodb.wire import raw

READS = {"get_item": "GetItem", "batch_get_item": "BatchGetItem", "query": "Query", "scan": "Scan"}
WRITES = {
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
    "batch_write_item": "BatchWriteItem",
    "transact_write_items": "TransactWriteItems",
}
_BODY = "mixstore_body"
_BINARY = (b'"B"', b'"BS"')
_SHOWN = ("TableName", "RequestItems", "TransactItems")


class Bodies:
    """Writes and reads the bodies of a client's requests, in threads that ask for it; others see no difference.

    Its handlers stay with the client, so there is one of it for each: `bodies_of`.
    """

    def __init__(self, client: Any) -> None:
        self._local = threading.local()
        events = client.meta.events
        for operation in (*READS.values(), *WRITES.values()):
            events.register(f"before-call.dynamodb.{operation}", self._give)
        for operation in READS.values():
            events.register(f"before-parse.dynamodb.{operation}", self._take)

    def call(self, method: Any, request: dict[str, Any], reads: bool, unchecked: bool) -> dict[str, Any]:
        """The answer to a request; that of a read with its attributes as they stand in the JSON, but for bytes.

        unchecked: whether the client validates no parameters; one that does gets its requests whole.
        """
        local = self._local
        local.taking = reads
        if unchecked:
            local.body = json.dumps(request, default=_base64, ensure_ascii=False).encode()
            request = {name: _hint(request[name]) for name in _SHOWN if name in request}
        try:
            answer = method(**request)
        finally:
            local.taking, local.body = False, None
        body = answer.pop(_BODY, None)
        return answer if body is None else _decoded(body)

    def _give(self, params: Any, **_: Any) -> None:
        body = getattr(self._local, "body", None)
        if body is not None:
            params["body"] = body

    def _take(self, response_dict: Any, customized_response_dict: Any, **_: Any) -> None:
        if getattr(self._local, "taking", False) and response_dict["status_code"] == 200:
            customized_response_dict[_BODY] = response_dict["body"]
            response_dict["body"] = b"{}"


_known: WeakKeyDictionary[Any, Bodies] = WeakKeyDictionary()


def bodies_of(client: Any) -> Bodies:
    """What writes and reads the bodies of a client's requests, made once."""
    found = _known.get(client)
    if found is None:
        found = _known[client] = Bodies(client)
    return found


def _hint(value: Any) -> Any:
    """What botocore finds an endpoint by: the name of a table."""
    if isinstance(value, dict):
        return {name: type(inner)() for name, inner in value.items()}
    return value if isinstance(value, str) else ()


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _decoded(body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = from_json(body)
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
