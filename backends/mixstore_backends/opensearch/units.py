"""Writes on their way: bulk requests, chunked, and tried again where that is safe. Each item has its own outcome."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import BackendError, BackendUnavailableError, ConflictError, MixstoreError, ThrottledError
from mixstore.write import OK, Outcome, Write
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.points import Stored, look
from mixstore_backends.opensearch.requests import LAZY, Pause, Request, Steps, Stepwise, refreshing
from mixstore_backends.opensearch.writes import Task

if TYPE_CHECKING:
    from mixstore_backends.opensearch.layout import Index

ITEMS_AT_ONCE = 1000
CHARACTERS_AT_ONCE = 5_000_000
"""The engine takes requests of up to 100 MB; smaller ones are faster, and leave room for others."""
ATTEMPTS = 16
"""How often a write is tried whose document changes between the look and the write."""
PATIENCE = (0.1, 0.4, 1.6, 6.4)
"""Seconds to wait before what the engine had no room for is sent again: a whole request, or some of its items."""
TOLD = "items.*.status,items.*.error,items.*.get._source"
"""What of the answer is looked at."""
MISSING = Outcome("missing")
_NO_ROOM = (429, 503)
Item = tuple[int, str]
"""The position of a write, and its lines."""


class Bulk(Stepwise):
    """Writes of one model, each atomic by itself. refresh: "wait_for", "true", "false" or "lazy"."""

    __slots__ = ("index", "refresh", "tasks")

    def __init__(self, index: Index, writes: Sequence[Write], refresh: str) -> None:
        self.index = index
        self.refresh = refresh
        self.tasks = [Task(write) for write in writes]

    def steps(self) -> Steps:
        outcomes: list[Any] = [None] * len(self.tasks)
        pending = list(range(len(self.tasks)))
        for attempt in range(ATTEMPTS):
            if attempt:
                yield Pause(random.uniform(0, 0.004 * 2 ** min(attempt, 6)))
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
            for position, item in told.items():
                outcomes[position] = self._outcome(self.tasks[position], item)
            pending = [position for position, outcome in enumerate(outcomes) if outcome is None]
            if not pending:
                return outcomes
        return [outcome or self._restless(task) for outcome, task in zip(outcomes, self.tasks, strict=True)]

    def _restless(self, task: Task) -> Outcome:
        problem = f"{task.write!r}: the document changed under {ATTEMPTS} attempts; it was not written"
        return Outcome("failed", error=self._placed(task, ConflictError(problem, backend=errors.NAME)))

    def _looked(self, pending: list[int]) -> Any:
        ids = [self.tasks[position].id for position in pending if self.tasks[position].looks]
        found: dict[str, Stored | None] = {}
        if ids:
            found = yield from look(self.index, ids)
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
                if len(chunk) == len(self.tasks):
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
            body = "".join([lines for _, lines in chunk])
            params = (("refresh", refresh), ("require_alias", "true"), ("filter_path", TOLD))
            try:
                answer = yield Request("POST", f"{self.index.path}/_bulk", body, params, writes=True, lines=True)
            except ThrottledError:
                if seconds is None:
                    raise
                yield Pause(seconds)
                continue
            items = [next(iter(item.values())) for item in answer["items"]]
            told.update({position: item for (position, _), item in zip(chunk, items, strict=True)})
            chunk = [one for one, item in zip(chunk, items, strict=True) if _had_no_room(item)]
            if not chunk or seconds is None:
                return
            yield Pause(seconds)

    def _outcome(self, task: Task, item: Any) -> Outcome | None:
        """What became of a write; None: it met another one, and has to be tried again."""
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
        if chunk and (len(chunk) == ITEMS_AT_ONCE or size + len(item[1]) > CHARACTERS_AT_ONCE):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item[1])
    if chunk:
        yield chunk
