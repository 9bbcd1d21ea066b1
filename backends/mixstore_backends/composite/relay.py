"""The relay: brings the search side up to date with what the storage has, as long as it runs."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore import BackendError, Write
from mixstore.drivers import adrive
from mixstore_backends.composite.applying import Applying
from mixstore_backends.composite.following import Following
from mixstore_backends.composite.marks import DEAD, GONE, SHARDS, SyncMark
from mixstore_backends.composite.plans import On, Steps

if TYPE_CHECKING:
    from mixstore_backends.composite.backend import CompositeBackend

BATCH = 500
IDLE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between looks when there is nothing to do, and at most when a side is not there."""
_log = logging.getLogger("mixstore")


class Relayed(NamedTuple):
    """What one round did: records that the search side has now, and those that it did not take."""

    applied: int = 0
    failed: int = 0

    def and_(self, other: Relayed) -> Relayed:
        return Relayed(self.applied + other.applied, self.failed + other.failed)


class Relay:
    """Several may run at once, in one process or many: an older copy never replaces a later one."""

    def __init__(
        self, backend: CompositeBackend, batch: int = BATCH, note: Callable[[Relayed], object] | None = None
    ) -> None:
        """`batch` records are copied at once; `note` is told of each batch."""
        self.backend = backend
        self.batch = batch
        self.note = note or (lambda done: None)
        self.following = None if backend.feed is None else Following(backend, backend.feed)

    def once(self) -> Relayed:
        """All that is due now. BackendError if a side is not there; what was done by then stays done."""
        done: Relayed = self.backend.drive(self._round())
        return done

    async def aonce(self) -> Relayed:
        """`once()`, awaited."""
        done: Relayed = await adrive(_awaited, self._round())
        return done

    def run(self, stop: threading.Event) -> Relayed:
        """Until `stop` is set; returns what was done in all. A side that is not there is asked again, less often."""
        total, failures = Relayed(), 0
        while not stop.is_set():
            try:
                done = self.once()
            except BackendError as error:
                failures += 1
                pause = min(IDLE * 2**failures, LONGEST_PAUSE) * random.uniform(0.5, 1)
                _log.warning("the relay of %s waits %.1f s: %s", self.backend.backend_name, pause, error)
                stop.wait(pause)
                continue
            total, failures = total.and_(done), 0
            if not done.applied:
                stop.wait(IDLE)
        return total

    def retry(self) -> int:
        """Take up again the records that were given up; returns how many."""
        revived: int = self.backend.drive(self._revived())
        return revived

    def given_up(self) -> Iterator[SyncMark]:
        """The marks of records that the search side refused too often, with its last error."""
        yield from self.backend.drive(self.backend.lag.rows(self.backend.lag.query(DEAD)))

    # -- one round ---------------------------------------------------------------------------------------------------

    def _round(self) -> Steps:
        applying, done = self.backend.applying, (yield from self._followed())
        shards = list(range(SHARDS))
        random.shuffle(shards)  # so that several relays begin at different ends
        for shard in shards:
            done = done.and_((yield from self._shard(applying, shard)))
        yield from self._forget(applying)
        return done

    def _followed(self) -> Steps:
        """What the storage's change feed tells, where no marks do."""
        done: list[Relayed] = []

        def note(applied: int, failed: int) -> None:
            done.append(Relayed(applied, failed))
            self.note(done[-1])

        if self.following is not None:
            yield from self.following.round(self.batch, note)
        return Relayed(sum(one.applied for one in done), sum(one.failed for one in done))

    def _shard(self, applying: Applying, shard: int) -> Steps:
        """What is due in a shard when this begins."""
        done, until = Relayed(), self.backend.clock()
        while True:
            marks = yield from self._due(shard, until)
            if not marks:
                return done
            told = yield from applying.apply(marks, self.backend.clock())
            failed = sum(one.error is not None for one in told)
            batch = Relayed(len(told) - failed, failed)
            self.note(batch)
            done = done.and_(batch)
            if len(marks) < self.batch or failed == len(told):
                return done

    def _due(self, shard: int, until: datetime) -> Steps:
        query = self.backend.lag.query(shard, due__lte=until).replace(limit=self.batch)
        return (yield from self.backend.lag.rows(query))

    def _forget(self, applying: Applying) -> Steps:
        """Remove the marks of records that were deleted long ago, and the versions of their copies."""
        while True:
            marks = yield from self._due(GONE, self.backend.clock())
            yield from applying.say([(mark, None) for mark in marks])
            kept, search = self.backend.kept, self.backend.search
            if kept is not None:
                for mark in marks:
                    yield On(search, search.compile_writes(kept, (Write("delete", kept, (mark.place,)),)))
            if len(marks) < self.batch:
                return

    def _revived(self) -> Steps:
        applying, now, revived = self.backend.applying, self.backend.clock(), 0
        while True:
            marks = yield from self._due(DEAD, now)
            fresh: Any = [(mark, again(mark, now)) for mark in marks]
            outcomes = yield from applying.say(fresh)
            revived += sum(outcome.status == "ok" for outcome in outcomes)
            if len(marks) < self.batch:
                return revived


def again(mark: SyncMark, now: datetime) -> SyncMark:
    """A mark that waits once more."""
    from mixstore_backends.composite.marks import new_mark

    fresh = new_mark(mark.entity, mark.key, now)
    return fresh.model_copy(update={"number": mark.number, "since": mark.since})


async def _awaited(step: Any) -> Any:
    return await step.backend.aexecute(step.plan)
