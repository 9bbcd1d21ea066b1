"""A row and the guards of values that only it may have, without a transaction: each step is about one document.

    look at the row -> reserve its place, if there is none -> claim the guards -> write the row -> release old guards

The row is written on condition that it is as it was looked at *before* the guards were claimed. Who takes a guard over
changes the row of its holder first (and looks whether that has the value): from then on a holder that is still on its
way to writing it can't. So a row that is there has its guard, and no two rows have one value; a crash leaves a guard
that nobody needs, or a place that is reserved, which nobody sees. See decision 0029.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.claims import asked
from mixstore.errors import BackendError, ConflictError
from mixstore.write import OK, Outcome, Write
from mixstore_backends.opensearch import errors
from mixstore_backends.opensearch.layout import BESIDE, PENDING
from mixstore_backends.opensearch.points import Stored, look
from mixstore_backends.opensearch.putting import as_stored, on_it, put
from mixstore_backends.opensearch.requests import LAZY, Pause, Steps, Stepwise
from mixstore_backends.opensearch.settling import brought_along, finish_own, owned_by, settled, taken
from mixstore_backends.opensearch.units import ATTEMPTS
from mixstore_backends.opensearch.values import dumps
from mixstore_backends.opensearch.writes import Task, alone

if TYPE_CHECKING:
    from mixstore.write import KeyValue
    from mixstore_backends.opensearch.layout import Index

GRACE = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Seconds in which somebody who holds a guard, and has not written the row yet, is left in peace."""


class Done(NamedTuple):
    """A document that was written, as one that was looked at."""

    task: Task
    stored: Stored


class Guarded(Stepwise):
    """One write, with guards or rows of its own beside it. Answers one outcome, as an atomic unit does."""

    __slots__ = ("claims", "made", "owned", "refresh", "releases", "removals", "row")

    def __init__(self, write: Write, refresh: str) -> None:
        self.row = Task(write, beside=True)
        self.refresh = refresh
        self.owned = owned_by(write)
        sides = [side for side in write.side_writes if not side.owned]
        self.claims = [side for side in sides if side.claim is not None]
        self.removals = [side for side in sides if side.claim is None and side.bound is write.bound]
        self.releases = [side for side in sides if side.claim is None and side.bound is not write.bound]
        if any(side.op != "delete" for side in (*self.removals, *self.releases)):
            raise alone(write)
        self.made: list[Done] = []

    def steps(self) -> Steps:
        for attempt in range(ATTEMPTS):
            self.made = []
            outcome = yield from self._written()
            if outcome is not None and outcome.status == "ok":
                return [outcome]
            # an error leaves all of it: the row may be there, and what nobody needs is taken over
            for done in reversed(self.made):
                yield from put(done.task.index, _deletion(done), "false")
            if outcome is not None:
                return [outcome]
            # to be made anew by the kernel: with other marks, since somebody may know these, and of the row as it is
            anew = [*self.claims, *(task.write for task in self.owned if task.write.contested)]
            if anew:
                return [Outcome("exists", side=anew[0])]
            yield Pause(random.uniform(0, 0.004 * 2 ** min(attempt, 6)))
        problem = f"{self.row.write!r}: the document changed under {ATTEMPTS} attempts; it was not written"
        return [Outcome("failed", error=ConflictError(problem, backend=errors.NAME))]

    def _written(self) -> Any:
        """The outcome; None if the row changed after it was looked at, and was not written."""
        task = self.row
        stored = yield from self._settled()
        refused = task.refused(stored)
        if refused is not None:
            return refused
        guards = yield from self._guards_to_release()
        for side in self.removals:
            if not (yield from _removed(side)):
                return Outcome("condition", side=side)
        if (self.claims or self.owned) and (stored is None or task.counts_as_absent(stored)):
            stored = yield from self._reserved(stored)
            if stored is None:
                return None
        other = yield from taken(self.owned)
        if other is not None:
            return Outcome("exists", side=other.write)
        for side in self.claims:
            outcome = yield from self._claimed(side)
            if outcome is not None:
                return outcome
        beside = brought_along(self.owned)
        refresh = "false" if self.refresh == LAZY or beside else self.refresh
        item = yield from put(task.index, task.lines(stored, beside), refresh)
        if item is None:
            return None
        if beside:
            left = {BESIDE: beside, **({PENDING: True} if task.write.op == "delete" else {})}
            yield from finish_own(task.index, task.id, as_stored(item, left), self.refresh)
        if self.refresh == LAZY:
            task.index.wrote()
        yield from _released(guards)
        return Outcome("ok", item["get"]["_source"]) if task.write.adds else OK

    def _settled(self) -> Any:
        """The row as it is stored; who has reserved its place is given time to write it."""
        task = self.row
        stored = yield from _finished(task.index, task.id)
        for seconds in GRACE:
            if stored is None or PENDING not in stored.source:
                break
            yield Pause(seconds)
            before, stored = stored, (yield from _finished(task.index, task.id))
            if stored is not None and stored.seq_no != before.seq_no:
                break
        return stored

    def _guards_to_release(self) -> Any:
        """The guards to release, as they are before the row is written: one that is claimed anew after that stays."""
        found: list[Done] = []
        for side in self.releases:
            task = Task(side)
            stored = (yield from look(task.index, [task.id]))[task.id]
            if stored is not None and task.refused(stored) is None:
                found.append(Done(task, stored))
        return found

    def _reserved(self, there: Stored | None) -> Any:
        """A place for a row that is not there yet, on which its write will depend; None if somebody was faster."""
        task = self.row
        on = {"create": {"_id": task.id}} if there is None else {"index": on_it(task.id, there)}
        item = yield from put(task.index, f"{dumps(on)}\n{dumps({PENDING: True})}\n", "false")
        if item is None:
            return None
        self.made.append(Done(task, as_stored(item, {PENDING: True})))
        return self.made[-1].stored

    # -- claims ----------------------------------------------------------------------------------------------------

    def _claimed(self, side: Write) -> Any:
        """None once the value is this row's, or the outcome of one that is somebody else's."""
        task = Task(side)
        guard: Stored | None = None
        for seconds in (*GRACE, 0.0):
            guard = (yield from look(task.index, [task.id]))[task.id]
            mine = True
            if guard is not None:
                key = self._holder(side, guard)
                mine = key == self.row.write.key
                if task.refused(guard) is not None:
                    if seconds and (yield from self._may_be_under_way(side, key)):
                        yield Pause(seconds)
                        continue
                    break
                if not mine and not (yield from self._stopped(side, key)):
                    break
            item = yield from put(task.index, task.lines(guard), "false")
            if item is not None:
                if guard is None or not mine:
                    self.made.append(Done(task, as_stored(item, {})))
                return None
        return Outcome("condition", None if guard is None else guard.source, side=side)

    def _holder(self, side: Write, guard: Stored) -> KeyValue:
        """The key of the row that a guard was written for."""
        assert side.claim is not None
        values = side.bound.values_from_row(guard.source)
        found: KeyValue = asked(self.row.write.bound, self.row.write.key, side.claim.extension, "holder", values)
        return found

    def _has(self, side: Write, row: Stored) -> bool:
        """Whether a row has the value that is claimed."""
        assert side.claim is not None
        bound = self.row.write.bound
        values = bound.values_from_row(row.source)
        found = asked(bound, self.row.write.key, side.claim.extension, "claims", values)
        return any(side.bound.key_from(one.__dict__) == side.key for one in found)

    def _may_be_under_way(self, side: Write, key: KeyValue) -> Any:
        """Whether the holder of a guard may be about to write the row that has the value."""
        index = self.row.index
        id = index.id_of(key)
        row = (yield from look(index, [id]))[id]
        return row is not None and (PENDING in row.source or not self._has(side, row))

    def _stopped(self, side: Write, key: KeyValue) -> Any:
        """Whether the holder of a guard does not have the value, and can't write it any more with what it has read."""
        index = self.row.index
        id = index.id_of(key)
        row = yield from _finished(index, id)
        if row is None:
            return True
        if PENDING in row.source:
            line = f"{dumps({'delete': on_it(id, row)})}\n"
        elif self._has(side, row):
            return False
        else:  # written as it is, and changed all the same
            line = f"{dumps({'update': on_it(id, row)})}\n{dumps({'doc': {}, 'detect_noop': False})}\n"
        return (yield from put(index, line, "false")) is not None


def _finished(index: Index, id: str) -> Any:
    """A document as it is stored, once what it has brought along is written."""
    return (yield from settled(index, id, (yield from look(index, [id]))[id]))


def _removed(side: Write) -> Any:
    """Whether a row that is dead is gone; not if it lives."""
    task = Task(side)
    row = yield from _finished(task.index, task.id)
    if row is None or PENDING in row.source:
        return True
    if task.refused(row) is not None:
        return False
    return (yield from put(task.index, task.lines(row), "false")) is not None


def _released(guards: Sequence[Done]) -> Steps:
    """The row is written, and that is what counts: a guard that stays is taken over by whoever wants the value."""
    try:
        for done in guards:
            yield from put(done.task.index, _deletion(done), "false")
    except BackendError as error:
        logging.getLogger("mixstore").warning("a guard of a unique value was left behind: %s", error)


def _deletion(done: Done) -> str:
    return f"{dumps({'delete': on_it(done.task.id, done.stored)})}\n"
