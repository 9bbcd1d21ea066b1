"""Copying one index into another while others write to it, shard by shard in the order of its changes.

Each change of a shard has a number, `_seq_no`, and a document that changes gets a new one. So what has changed since a
pass is what has a higher number, up to the shard's *global checkpoint*: all before that is on every copy of the shard,
and will not be taken back. A copy has the number as its (external) version, so that none replaces a newer one.
Deletes have no document to find. They are found by asking for each copy whether its original is still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendError, ConflictError, ThrottledError
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.places import Place, at, marked
from mixstore_backends.opensearch.putting import PATIENCE
from mixstore_backends.opensearch.requests import Pause, Request, Steps, hits_of, post, refreshing
from mixstore_backends.opensearch.values import dumps

if TYPE_CHECKING:
    from mixstore_backends.opensearch.converting import Conversion
    from mixstore_backends.opensearch.layout import Index

PAGE = 1000
NOTHING = -1
"""The mark of a shard of which nothing has been copied."""
CHARACTERS_AT_ONCE = 5_000_000
"""A request is no longer than this, or one document."""
SAVE_EVERY = 5.0
"""Seconds between two times that it is written down how far a copy has come."""
_TOLD = "items.*.status,items.*.error"
_CHANGED = "version_conflict_engine_exception"
Told = Callable[[int], None]


class Copy:
    """A copy on its way. seen: up to which change of each shard of `source` all is in `target`.

    fill: the alias by which this process, and no other, writes to the target.
    """

    def __init__(self, index: Index, source: Place, target: Place, fill: str, convert: Conversion) -> None:
        self.index = index
        self.source = source
        self.target = target
        self.fill = fill
        self.convert = convert
        seen = target.filling.get("seen", [])
        self.seen: list[int] = seen if len(seen) == source.shards else [NOTHING] * source.shards
        self.saved = time.monotonic()

    # -- what was written ------------------------------------------------------------------------------------------

    def changes(self, told: Told) -> Any:
        """Copy what has changed since the last pass; how many documents that were."""
        marks = yield from checkpoints(self.source)
        yield refreshing(self.source.path)
        copied = 0
        for shard, (upto, _) in enumerate(marks):
            while self.seen[shard] < upto:
                hits = yield from _scan(self.source, shard, self.seen[shard], upto)
                yield from self._put(hits)
                self.seen[shard] = hits[-1]["_seq_no"] if len(hits) == PAGE else upto
                copied += len(hits)
                told(copied)
                if time.monotonic() - self.saved > SAVE_EVERY:
                    yield from self.save()
        return copied

    def save(self, held: bool = False) -> Steps:
        """Write down how far it has come. That is on disk first, whatever the settings of the index are."""
        yield Request("POST", f"{self.target.path}/_flush")
        shape = self.target.filling["shape"]
        filling = {"from": self.source.uuid, "shape": shape, "seen": self.seen, "held": held}
        meta = marked(self.index.mapping, filling)["_meta"]
        yield Request("PUT", f"{self.target.path}/_mapping", dumps({"_meta": meta}), writes=True)
        self.saved = time.monotonic()

    def _put(self, hits: Sequence[Any]) -> Steps:
        lines = [self._lines(hit) for hit in hits]
        for chunk in _chunks(lines):
            yield from self._send(chunk)

    def _lines(self, hit: Any) -> str:
        on = {"_id": hit["_id"], "version": hit["_seq_no"] + 1, "version_type": "external"}
        return f"{dumps({'index': on})}\n{dumps(self.convert(hit['_id'], hit['_source']))}\n"

    # -- what was deleted ------------------------------------------------------------------------------------------

    def deletes(self) -> Any:
        """Delete the copies whose originals are gone; how many those were."""
        marks = yield from checkpoints(self.target)
        yield refreshing(self.target.path)
        gone = 0
        for shard, (upto, _) in enumerate(marks):
            seen = NOTHING
            while seen < upto:
                hits = yield from _scan(self.target, shard, seen, upto, _source=False)
                gone += yield from self._delete(hits)
                seen = hits[-1]["_seq_no"] if len(hits) == PAGE else upto
        return gone

    def _delete(self, hits: Sequence[Any]) -> Any:
        if not hits:
            return 0
        there = yield Request(
            "POST",
            f"{self.source.path}/_mget",
            dumps({"ids": [hit["_id"] for hit in hits]}),
            (("_source", "false"), ("filter_path", "docs.found,docs.error")),
        )
        gone = [hit for hit, one in zip(hits, there["docs"], strict=True) if not _found(self.index, one)]
        lines = [
            dumps({"delete": {"_id": hit["_id"], "if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}})
            + "\n"
            for hit in gone
        ]
        if lines:
            yield from self._send(lines)
        return len(gone)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _send(self, lines: list[str]) -> Steps:
        """Send operations until the engine has taken all; one that a newer copy has overtaken is done."""
        for seconds in (*PATIENCE, None):
            params = (("require_alias", "true"), ("filter_path", _TOLD))
            try:
                answer = yield Request(
                    "POST", f"{at(self.fill)}/_bulk", "".join(lines), params, writes=True, lines=True
                )
            except ThrottledError:
                if seconds is None:
                    raise
                yield Pause(seconds)
                continue
            items = [next(iter(item.values())) for item in answer["items"]]
            again = [one for one, item in zip(lines, items, strict=True) if self._refused(item, seconds is None)]
            if not again:
                return
            lines = again
            yield Pause(seconds or 0)

    def _refused(self, item: dict[str, Any], last: bool) -> bool:
        """Whether an operation must be sent again, the engine having had no room for it."""
        error = item.get("error")
        if error is None or error.get("type") == _CHANGED:
            return False
        if error.get("type") == errors.MISSING_INDEX:
            raise taken_over(self.index)
        if item["status"] in (429, 503) and error.get("type") != errors.BLOCKED and not last:
            return True
        raise errors.meaning(errors.failure_of(item["status"], error), self.target.name)


def taken_over(index: Index) -> ConflictError:
    """The error of a process that is not the one any more which fills the index."""
    return ConflictError(
        f"{index.schema.name}: another process has taken over the reindexing, or ended it", model=index.schema.model
    )


def checkpoints(one: Place) -> Any:
    """For each shard (its global checkpoint, the number of its last change)."""
    answer = yield Request("GET", f"{one.path}/_stats/docs", params=(("level", "shards"),))
    (told,) = answer["indices"].values()
    found: list[tuple[int, int]] = []
    for shard in range(one.shards):
        copies = told["shards"].get(str(shard), ())
        primary = next((copy for copy in copies if copy["routing"]["primary"] and "seq_no" in copy), None)
        if primary is None:
            raise BackendError(f"shard {shard} of {one.name} is not there", backend=errors.NAME, hint="do it again")
        found.append((primary["seq_no"]["global_checkpoint"], primary["seq_no"]["max_seq_no"]))
    return found


def _scan(one: Place, shard: int, after: int, upto: int, **others: Any) -> Any:
    """The documents of a shard whose last change is in (after, upto], in the order of these."""
    body = {
        "query": {"range": {"_seq_no": {"gt": after, "lte": upto}}},
        "sort": [{"_seq_no": "asc"}],
        "size": PAGE,
        "seq_no_primary_term": True,
        "track_total_hits": False,
        **others,
    }
    params = {"preference": f"_shards:{shard}|_primary", "allow_partial_search_results": "false"}
    answer = yield post(f"{one.path}/_search", body, **params)
    return hits_of(answer)


def count(one: Place) -> Any:
    """How many documents a search of an index sees."""
    answer = yield post(f"{one.path}/_count", {"query": {"match_all": {}}})
    if answer["_shards"]["failed"]:
        raise BackendError(f"not every shard of {one.name} answers", backend=errors.NAME, hint="do it again")
    return answer["count"]


def _found(index: Index, told: Any) -> bool:
    if "error" in told:
        raise errors.meaning(errors.failure_of(500, told["error"]), index.name)
    return bool(told["found"])


def _chunks(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines in pieces of a size that the engine likes."""
    chunk: list[str] = []
    size = 0
    for line in lines:
        if chunk and size + len(line) > CHARACTERS_AT_ONCE:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line)
    if chunk:
        yield chunk
