"""Reads by key: realtime, so that a document is seen as soon as its write was acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from mixstore.errors import ValidationError
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.layout import PENDING
from mixstore_backends.opensearch.requests import Request, Steps, Stepwise, post

if TYPE_CHECKING:
    from mixstore.write import KeyValue
    from mixstore_backends.opensearch.layout import Index

IDS_AT_ONCE = 1000


class Stored(NamedTuple):
    """A document as it is, and the place of its last change, on which a write can depend: one of this very index."""

    source: Any
    seq_no: int
    primary_term: int
    place: str


class PointRead(Stepwise):
    """One document by its id: a list of it or None."""

    __slots__ = ("id", "index")

    def __init__(self, index: Index, id: str) -> None:
        self.index = index
        self.id = id

    def steps(self) -> Steps:
        answer = yield Request("GET", f"{self.index.path}/_doc/{quote(self.id, safe='')}", absent=True)
        if "error" in answer:
            raise errors.meaning(errors.failure_of(404, answer["error"]), self.index.name)
        return [answer["_source"] if answer["found"] and PENDING not in answer["_source"] else None]


class KeysRead(Stepwise):
    """Several documents by their ids: a list of them or None, in the order of the ids."""

    __slots__ = ("ids", "index")

    def __init__(self, index: Index, ids: Sequence[str | None]) -> None:
        self.index = index
        self.ids = ids

    def steps(self) -> Steps:
        found = yield from look(self.index, [one for one in self.ids if one is not None])
        told = [None if one is None else found[one] for one in self.ids]
        return [None if one is None or PENDING in one.source else one.source for one in told]


def look(index: Index, ids: Sequence[str]) -> Any:
    """{id: what is stored there, or None}."""
    found: dict[str, Stored | None] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), IDS_AT_ONCE):
        answer = yield post(f"{index.path}/_mget", {"ids": wanted[start : start + IDS_AT_ONCE]})
        for one in answer["docs"]:
            if "error" in one:
                status = 404 if one["error"].get("type") == errors.MISSING_INDEX else 500
                raise errors.meaning(errors.failure_of(status, one["error"]), index.name)
            found[one["_id"]] = _stored(one) if one["found"] else None
    return found


def _stored(told: Any) -> Stored:
    return Stored(told["_source"], told["_seq_no"], told["_primary_term"], told["_index"])


def point_read(index: Index, keys: Sequence[KeyValue]) -> Stepwise:
    """The plan that reads these keys. A key that no document can have is not there."""
    ids: list[str | None] = []
    for key in keys:
        try:
            ids.append(index.id_of(key))
        except ValidationError:
            ids.append(None)
    if len(ids) == 1 and ids[0] is not None:
        return PointRead(index, ids[0])
    return KeysRead(index, ids)
