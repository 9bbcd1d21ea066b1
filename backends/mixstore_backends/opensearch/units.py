"""Writes on their way: bulk requests, chunked, and tried again where that is safe. Each item has its own outcome."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendError, BackendUnavailableError, ConflictError, MixstoreError, ThrottledError
from mixstore.write import OK, Outcome, Write
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.points import Stored, look
from mixstore_backends.opensearch.putting import HELD, PATIENCE
from mixstore_backends.opensearch.requests import LAZY, Pause, Request, Steps, Stepwise, refreshing
from mixstore_backends.opensearch.settling import settled
from mixstore_backends.opensearch.writes import Task, replaces, replacing

if TYPE_CHECKING:
    from mixstore_backends.opensearch.layout import Index

ITEMS_AT_ONCE = 1000
BYTES_AT_ONCE = 5_000_000
"""The engine takes requests of up to 100 MB; smaller ones are faster, and leave room for others."""
ATTEMPTS = 16
"""How often a write is tried whose document changes between the look and the write."""
TOLD = "items.*.status,items.*.error,items.*.get._source"
"""What of the answer is looked at; an answer to a few writes is short, and its URL is looked at letter by letter."""
FEW = 4
MISSING = Outcome("missing")
_NO_ROOM = (429, 503)
Item = tuple[int, bytes]
"""The position of a write, and its lines."""


class Bulk(Stepwise):
    """Writes of one model, each atomic by itself. refresh: "wait_for", "true", "false" or "lazy"."""

    __slots__ = ("index", "plain", "refresh", "tasks", "writes")

    def __init__(self, index: Index, writes: Sequence[Write], refresh: str) -> None:
        self.index = index
        self.refresh = refresh
        self.writes = writes
        plain = not index.guarded and all(map(replaces, writes))
        self.plain = [replacing(index, write) for write in writes] if plain else None
        """The lines of writes that happen whatever is there; None if some do not."""
        self.tasks = [] if self.plain is not None else [Task(write) for write in writes]

    def steps(self) -> Steps:
        outcomes: list[Any] = [None] * len(self.writes)
        held = False
        if self.plain is not None:
            told = yield from self._sent(list(enumerate(self.plain)))
            if all(type(item) is dict and item["status"] < 300 for item in told.values()):
                return [OK] * len(outcomes)
            self.tasks = [Task(write) for write in self.writes]
            for position, item in told.items():
                outcomes[position] = None if errors.is_held(item) else self._outcome(self.tasks[position], item)
            held = any(map(errors.is_held, told.values()))
        return (yield from self._settled(outcomes, held))

    def _settled(self, outcomes: list[Any], held_before: bool) -> Steps:
        """The outcomes, once those are known that are None; perhaps because writes were held a moment ago."""
        pending = [position for position, outcome in enumerate(outcomes) if outcome is None]
        attempt, waits = 0, iter(HELD)
        pause = next(waits) if held_before else 0.0
        while pending and attempt < ATTEMPTS:
            if pause:
                yield Pause(pause)
            try:
                stored = yield from self._looked(pending)
            except BackendError as error:
                if len(pending) == len(outcomes):
                    raise
                return [outcome or Outcome("failed", error=error) for outcome in outcomes]
            ready: list[Item] = []
            for position in pending:
                task = self.tasks[position]
                found = stored.get(task.id) if task.looks else None
                refused = task.refused(found) if task.looks else None
                if refused is None:
                    ready.append((position, task.lines(found)))
                outcomes[position] = refused
            told = yield from self._sent(ready)
            stopped = {position for position, item in told.items() if errors.is_held(item)}
            held = next(waits, None) if stopped else None
            for position, item in told.items():
                waits_on = held is not None and position in stopped
                outcomes[position] = None if waits_on else self._outcome(self.tasks[position], item)
            pending = [position for position, outcome in enumerate(outcomes) if outcome is None]
            attempt += held is None
            pause = random.uniform(0, 0.004 * 2 ** min(attempt, 6)) if held is None else held
        for position in pending:
            outcomes[position] = self._restless(self.tasks[position])
        return outcomes

    def _restless(self, task: Task) -> Outcome:
        problem = f"{task.write!r}: the document changed under {ATTEMPTS} attempts; it was not written"
        return Outcome("failed", error=self._placed(task, ConflictError(problem, backend=errors.NAME)))

    def _looked(self, pending: list[int]) -> Any:
        ids = [self.tasks[position].id for position in pending if self.tasks[position].looks]
        found: dict[str, Stored | None] = {}
        if ids:
            found = yield from look(self.index, ids)
            for id in ids if self.index.settles else ():
                found[id] = yield from settled(self.index, id, found[id])
        return found

    def _sent(self, ready: list[Item]) -> Any:
        """{position: what the engine says of it, or the error that came instead}.

        With several requests the index is refreshed once, at the end. If one of them fails, those after it are not
        sent, and their rows not written.
        """
        told: dict[int, Any] = {}
        chunks = list(_chunks(ready))
        at_once = len(chunks) == 1 and self.refresh != LAZY
        for number, chunk in enumerate(chunks):
            try:
                yield from self._one(chunk, self.refresh if at_once else "false", told)
            except BackendError as error:
                if len(chunk) == len(self.writes):
                    raise
                rest = _not_tried(error)
                told.update({position: rest for later in chunks[number + 1 :] for position, _ in later})
                told.update({position: error for position, _ in chunk if _had_no_room(told.get(position))})
                break
        if self.refresh == LAZY:
            self.index.wrote()
        elif len(chunks) > 1 and self.refresh != "false":
            yield from self._refreshed()
        return told

    def _refreshed(self) -> Steps:
        """What was written stays written if this fails; the next search then has to refresh first."""
        try:
            yield refreshing(self.index.path)
        except BackendError:
            self.index.wrote()

    def _one(self, chunk: list[Item], refresh: str, told: dict[int, Any]) -> Steps:
        for seconds in (*PATIENCE, None):
            body = b"".join([lines for _, lines in chunk]).decode()
            params = [("refresh", refresh), ("require_alias", "true")]
            params += [("filter_path", TOLD)] if len(chunk) > FEW else []
            try:
                answer = yield Request("POST", f"{self.index.path}/_bulk", body, tuple(params), writes=True, lines=True)
            except ThrottledError:
                if seconds is None:
                    raise
                yield Pause(seconds)
                continue
            items = [item for one in answer["items"] for item in one.values()]
            told.update({position: item for (position, _), item in zip(chunk, items, strict=True)})
            if all(item["status"] < 300 for item in items):
                return
            chunk = [one for one, item in zip(chunk, items, strict=True) if _had_no_room(item)]
            if not chunk or seconds is None:
                return
            yield Pause(seconds)

    def _outcome(self, task: Task, item: Any) -> Outcome | None:
        """What became of a write; None: it met another one, and has to be tried again."""
        if type(item) is dict and item["status"] < 300 and not task.write.changes:
            return OK
        if isinstance(item, MixstoreError):
            return Outcome("failed", error=item)
        status, error = item["status"], item.get("error")
        if error is None:
            if status == 404:
                return None if task.looks else MISSING
            return Outcome("ok", item["get"]["_source"]) if task.write.adds else OK
        if error.get("type") == "document_missing_exception":
            return None if task.looks else MISSING
        if status != 409:
            problem = errors.meaning(errors.failure_of(status, error), self.index.name)
            return Outcome("failed", error=self._placed(task, problem))
        if task.write.version is not None:
            return Outcome("condition")
        if task.write.op == "create" and task.evicts is None:
            return Outcome("exists")
        task.looks = True
        return None

    def _placed(self, task: Task, error: MixstoreError) -> MixstoreError:
        error.model, error.key = self.index.schema.model, self.index.schema.key_as_told(task.write.key)
        return error


def _not_tried(error: BackendError) -> BackendUnavailableError:
    """What the rows are told that come after a request which failed."""
    rest = BackendUnavailableError("not tried: a request before it failed", backend=errors.NAME)
    rest.__cause__ = error
    return rest


def _had_no_room(item: dict[str, Any] | None) -> bool:
    """Whether the engine may take the item in a moment; a blocked index (a full disk) stays so."""
    if item is None:
        return True
    return item["status"] in _NO_ROOM and item.get("error", {}).get("type") != errors.BLOCKED


def _chunks(ready: list[Item]) -> Iterator[list[Item]]:
    """The items in pieces of a size that the engine likes."""
    chunk: list[Item] = []
    size = 0
    for item in ready:
        if chunk and (len(chunk) == ITEMS_AT_ONCE or size + len(item[1]) > BYTES_AT_ONCE):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item[1])
    if chunk:
        yield chunk
