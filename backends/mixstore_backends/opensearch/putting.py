"""One operation on one document, sent until the engine has done it, or what it depends on is not so any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixstore.errors import ThrottledError
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.points import Stored
from mixstore_backends.opensearch.requests import Pause, Request

if TYPE_CHECKING:
    from mixstore_backends.opensearch.layout import Index

PATIENCE = (0.1, 0.4, 1.6, 6.4)
"""Seconds to wait before what the engine had no room for is sent again: a whole request, or some of its items."""
HELD = (0.02, 0.05, 0.1, *[0.25] * 240)
"""Seconds to wait, a minute in all, while writes are held: a reindexing is about to put a new index in place."""
_TOLD = "items.*.status,items.*.error,items.*._seq_no,items.*._primary_term,items.*._index,items.*.get._source"


def put(index: Index, lines: str | bytes, refresh: str) -> Any:
    """What the engine says of one operation that it has done; None if what it depends on is not so any more."""
    waits, patience = iter(HELD), iter(PATIENCE)
    body = lines if isinstance(lines, str) else lines.decode()
    while True:
        params = (("refresh", refresh), ("require_alias", "true"), ("filter_path", _TOLD))
        try:
            answer = yield Request("POST", f"{index.path}/_bulk", body, params, writes=True, lines=True)
        except ThrottledError:
            seconds = next(patience, None)
            if seconds is None:
                raise
            yield Pause(seconds)
            continue
        (item,) = answer["items"][0].values()
        error = item.get("error")
        if error is None:
            return item if item["status"] != 404 else None
        held, full = errors.is_held(item), item["status"] in (429, 503) and error.get("type") != errors.BLOCKED
        seconds = next(waits if held else patience, None) if held or full else None
        if seconds is not None:
            yield Pause(seconds)
            if error.get("type") == errors.MISSING_INDEX:
                return None  # another index is about to take the place of the one that was looked at
        elif item["status"] == 409 or error.get("type") == "document_missing_exception":
            return None
        else:
            raise errors.meaning(errors.failure_of(item["status"], error), index.name)


def on_it(id: str, stored: Stored) -> dict[str, Any]:
    """The head of an operation that depends on a document as it was looked at."""
    place = stored.place + errors.ONLY
    return {"_id": id, "_index": place, "if_seq_no": stored.seq_no, "if_primary_term": stored.primary_term}


def as_stored(item: Any, source: Any) -> Stored:
    """A document that was just written, as one that was looked at."""
    return Stored(source, item["_seq_no"], item["_primary_term"], item["_index"])
