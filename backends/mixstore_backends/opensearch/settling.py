"""What is written beside a row without a transaction: the row brings it along, and whoever meets the row finishes it.

    look at the row -> reserve its place, if there is none -> look whether the keys beside it are free
    -> write the row, with what is to be written beside it -> write that -> take it out of the row

The row and what it brings along are one document, so either both are there or none is; a row that is deleted becomes a
reserved place that brings along what its deletion has to write. Nobody writes a row before what it brings along is
written. See decision 0034.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendError
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.layout import BESIDE, PENDING
from mixstore_backends.opensearch.points import Stored, look
from mixstore_backends.opensearch.putting import on_it, put
from mixstore_backends.opensearch.requests import LAZY, Steps, Stepwise, post, refreshing
from mixstore_backends.opensearch.values import dumps
from mixstore_backends.opensearch.writes import Task, alone

if TYPE_CHECKING:
    from mixstore.write import KeyValue, Write
    from mixstore_backends.opensearch.layout import Index

LONGEST_WORD = 32_766
"""Bytes of a keyword."""
AT_ONCE = 500


def owned_by(write: Write) -> list[Task]:
    """What a write brings along. UnsupportedOperationError for what could not be written later, as it was meant."""
    index: Index = write.bound.native
    found = [Task(side) for side in write.side_writes if side.owned]
    if found and not index.settles:
        raise alone(write)
    for task in found:
        if task.write.op not in ("create", "delete") or task.write.condition is not None or task.index.guarded:
            raise alone(write)
        if task.index.name not in index.sides:
            raise alone(write)
        if task.write.op == "create":
            _check_words(task.index, task.index.document(task.write.record or {}))
    return found


def brought_along(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    """The steps that are left to do, as part of a document."""
    told = []
    for task in tasks:
        one: dict[str, Any] = {"to": task.index.name, "op": task.write.op, "id": task.id}
        if task.write.op == "create":
            one["document"] = task.index.document(task.write.record or {})
        told.append(one)
    return told


def taken(tasks: Sequence[Task]) -> Any:
    """The first of these whose key is taken by now; None if none is. Searches see who has it then."""
    for index, some in _by_index(task for task in tasks if task.write.op == "create"):
        found = yield from look(index, [task.id for task in some])
        for task in some:
            if found[task.id] is not None:
                yield refreshing(index.path)
                return task
    return None


def settled(index: Index, id: str, stored: Stored | None) -> Any:
    """A document once all is written that it has brought along; searches see that."""
    while stored is not None and stored.source.get(BESIDE):
        yield from finish(index, id, stored, "true", "false")
        stored = (yield from look(index, [id]))[id]
    return stored


def finish(index: Index, id: str, stored: Stored, beside: str, refresh: str) -> Steps:
    """Write what a document has brought along, and take it out; or the document away, if it only reserves a place.

    beside, refresh: the refresh policies for these and for the document itself.
    """
    steps = stored.source[BESIDE]
    for position, one in enumerate(steps):
        other = _index_of(index, one["to"])
        last = all(later["to"] != one["to"] for later in steps[position + 1 :])
        line = f"{dumps({one['op']: {'_id': one['id']}})}\n"
        if one["op"] == "create":
            line += f"{dumps(one['document'])}\n"
        # that it is there, or gone, already is somebody else's work for this very row
        yield from put(other, line, "false" if beside == LAZY or not last else beside)
        if beside == LAZY:
            other.wrote()
    if PENDING in stored.source:
        line = f"{dumps({'delete': on_it(id, stored)})}\n"
    else:
        line = f"{dumps({'update': on_it(id, stored)})}\n{dumps({'doc': {BESIDE: None}})}\n"
    yield from put(index, line, "false" if refresh == LAZY else refresh)
    if refresh == LAZY:
        index.wrote()


def finish_own(index: Index, id: str, stored: Stored, refresh: str) -> Steps:
    """The same for a row that was just written: what stays undone is in the row, for whoever comes next."""
    try:
        yield from finish(index, id, stored, refresh, refresh)
    except BackendError as error:
        logging.getLogger("mixstore").warning("what stands beside a row is left for whoever meets it: %s", error)


class Finish(Stepwise):
    """Write what these rows have brought along (None: all rows of the model). Answers how many rows had something."""

    __slots__ = ("index", "keys")

    def __init__(self, index: Index, keys: Sequence[KeyValue] | None) -> None:
        self.index = index
        self.keys = keys

    def steps(self) -> Steps:
        if self.keys is not None:
            return (yield from self._each([self.index.id_of(key) for key in self.keys]))
        done = 0
        while True:
            yield refreshing(self.index.path)
            body = {"query": {"exists": {"field": f"{BESIDE}.to"}}, "size": AT_ONCE, "sort": ["_doc"], "_source": False}
            answer = yield post(f"{self.index.path}/_search", body, allow_partial_search_results="false")
            ids = [hit["_id"] for hit in answer["hits"]["hits"]]
            done += yield from self._each(ids)
            if len(ids) < AT_ONCE:
                return done

    def _each(self, ids: Sequence[str]) -> Any:
        done = 0
        for id, stored in (yield from look(self.index, ids)).items():
            if stored is not None and stored.source.get(BESIDE):
                yield from settled(self.index, id, stored)
                done += 1
        return done


def _index_of(index: Index, name: str) -> Index:
    found = index.sides.get(name)
    if found is None:
        raise BackendError(
            f"{index.schema.name}: a row has to be finished by what keeps rows in {name!r}, which is not active now",
            model=index.schema.model,
            backend=errors.NAME,
            hint="switch the mixin on again",
        )
    return found


def _by_index(tasks: Iterable[Task]) -> Iterator[tuple[Index, list[Task]]]:
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.index.name, []).append(task)
    for some in found.values():
        yield some[0].index, some


def _check_words(index: Index, document: Mapping[str, Any]) -> None:
    """ValidationError, while nothing is written, for what the engine would refuse when the row is."""
    properties = index.mapping["properties"]
    for name, value in document.items():
        if properties[name].get("type") == "keyword" and isinstance(value, str) and len(value.encode()) > LONGEST_WORD:
            raise index.refused(name, ValueError(f"it has more than {LONGEST_WORD:,} bytes"))
