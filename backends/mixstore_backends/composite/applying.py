"""How the search side is brought up to date with marks: by a relay, or by the write that made them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore import REMOVE, Add, BackendError, BackendUnavailableError, MixstoreError, Outcome, PlannedBackend, Write
from mixstore.checking import differs
from mixstore.expressions import Compare
from mixstore_backends.composite.copies import Copies
from mixstore_backends.composite.marks import DEAD, GONE, SyncMark, shard_of
from mixstore_backends.composite.plans import On, Steps

if TYPE_CHECKING:
    from mixstore import Bound

KEPT = timedelta(days=1)
"""How long the mark of a deleted record stays: a copy that was on its way for so long would come back."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=10)

Change = tuple[SyncMark, "SyncMark | None"]
"""A mark as it was read, and as it is to be (None: it goes)."""


class AheadError(MixstoreError):
    """The search side has a higher version than the storage knows of: the storage was put back, by a backup say."""


class Told(NamedTuple):
    """What became of a mark. `error` None: the search side has the record as it was read; `gone`: there is none."""

    mark: SyncMark
    error: Exception | None
    gone: bool = False


class Applying:
    """Both sides, and how often a record is tried before it is given up."""

    def __init__(
        self, storage: PlannedBackend, marks: Bound, copies: Callable[[str], Copies | None], tries: int
    ) -> None:
        self.storage = storage
        self.marks = marks
        self.copies = copies
        self.tries = tries

    def marks_at(self, places: Sequence[str]) -> Steps:
        """The marks that are stored there."""
        plan = self.storage.compile_get(self.marks, [(place,) for place in places])
        rows = yield On(self.storage, plan)
        return [self.marks.load(row) for row in rows if row is not None]

    def apply(self, marks: Sequence[SyncMark], now: datetime, visible: bool = False) -> Steps:
        """Copy the records of these marks, and say on each what became of it. BackendError if a side is not there."""
        told: dict[str, Told] = {}
        left = list(marks)
        while left:
            found: list[Told] = []
            for entity in dict.fromkeys(mark.entity for mark in left):
                found += yield from self._one_model(entity, [mark for mark in left if mark.entity == entity], visible)
            told.update({one.mark.place: one for one in found})
            left = yield from self._settle(found, told, now)
        return list(told.values())

    def _settle(self, found: Sequence[Told], told: dict[str, Told], now: datetime) -> Steps:
        """Say on the marks what became of them; those to apply again, since the storage counts on from higher up."""
        changes = [(one, change) for one in found if (change := self._after(one, now)) and change[0] != change[1]]
        outcomes = yield from self.say([change for _, change in changes])
        again: list[SyncMark] = []
        for (one, (_, after)), outcome in zip(changes, outcomes, strict=True):
            if not isinstance(one.error, AheadError):
                continue
            if outcome.status == "ok" and after is not None:
                again.append(after)
            else:  # a later write has been here, which is what the search side has
                told[one.mark.place] = one._replace(error=None)
        return again

    def _one_model(self, entity: str, marks: list[SyncMark], visible: bool) -> Steps:
        copies = self.copies(entity)
        if copies is None:
            unknown = LookupError(f"no model of this program is the entity {entity!r}")
            return [Told(mark, unknown) for mark in marks]
        keys, told = {}, dict[str, Told]()
        for mark in marks:
            try:
                keys[mark.place] = copies.texts.key(mark.key)
            except (ValueError, TypeError, KeyError) as error:
                told[mark.place] = Told(mark, error)
        rows = yield On(self.storage, self.storage.compile_get(copies.bound, list(keys.values())))
        found = dict(zip(keys, rows, strict=True))
        writes: list[tuple[SyncMark, Write]] = []
        for mark in marks:
            if mark.place in found:
                try:
                    writes.append((mark, copies.write(mark, keys[mark.place], found[mark.place])))
                except MixstoreError as error:
                    told[mark.place] = Told(mark, error)
        outcomes: list[Outcome] = []
        for plan in copies.plans([write for _, write in writes], visible) if writes else ():
            outcomes += yield On(copies.search, plan)
        for (mark, write), outcome in zip(writes, outcomes, strict=True):
            problem = _problem(outcome) if write.fails(outcome) else None
            told[mark.place] = Told(mark, problem, found[mark.place] is None)
        return list(told.values())

    # -- what is said on marks --------------------------------------------------------------------------------------

    def say(self, changes: Iterable[Change]) -> Steps:
        """Store marks in place of those that were read (None: remove them), as far as these are still so."""
        return (yield from self.write([self._said(before, after) for before, after in changes]))

    def write(self, writes: Sequence[Write]) -> Steps:
        """The outcomes of writes of marks."""
        if not writes:
            return []
        plan = self.storage.compile_batch(self.marks, writes)
        if plan is not None:
            return (yield On(self.storage, plan))
        outcomes: list[Outcome] = []
        for write in writes:
            outcomes += yield On(self.storage, self.storage.compile_writes(self.marks, (write,)))
        return outcomes

    def number(self, marks: Sequence[SyncMark]) -> Steps:
        """Let the numbers of marks go up, as writes of their records do; the marks as they are then.

        BackendError if one of them could not be written.
        """
        outcomes = yield from self.write([self._counted(mark) for mark in marks])
        for outcome in outcomes:
            if outcome.status != "ok":
                raise outcome.error or BackendError(f"a mark is not stored: {outcome.status}")
        return (yield from self.marks_at([mark.place for mark in marks]))

    def _counted(self, mark: SyncMark) -> Write:
        record = self.marks.encode(mark)
        changes = {name: record.get(name, REMOVE) for name in self.marks.schema.fields if name != "place"}
        changes.update({name: REMOVE for name, value in changes.items() if value is None})
        return Write("upsert", self.marks, (mark.place,), record, {**changes, "number": Add(1)})

    def _said(self, before: SyncMark, after: SyncMark | None) -> Write:
        same = Compare(("number",), "eq", before.number)
        key = (before.place,)
        if after is None:
            return Write("delete", self.marks, key, condition=same)
        old, new = self.marks.encode(before), self.marks.encode(after)
        changes: dict[str, Any] = {name: value for name, value in new.items() if differs(value, old.get(name))}
        changes.update({name: REMOVE for name in old if name not in new})
        return Write("update", self.marks, key, new, changes, condition=same)

    def _after(self, told: Told, now: datetime) -> Change | None:
        """The mark as it is to be now; None to leave it as it is."""
        mark, error, gone = told
        if error is None:
            done = {"shard": GONE, "due": now + KEPT} if gone else {"shard": None}
            return mark, mark.model_copy(update={**done, "tries": 0, "error": ""})
        if isinstance(error, BackendUnavailableError):
            return None
        if isinstance(error, AheadError):
            number = max(mark.number + 1, int(now.timestamp() * 1_000_000))
            return mark, mark.model_copy(update={"number": number})
        problem = f"{type(error).__name__}: {error}"[:500]
        again = {"shard": shard_of(mark.place)}
        if isinstance(error, LookupError):
            return mark, mark.model_copy(update={**again, "due": now + LONGEST_WAIT, "error": problem})
        tries = mark.tries + 1
        where = {"shard": DEAD} if tries >= self.tries else {**again, "due": now + waiting(tries)}
        return mark, mark.model_copy(update={**where, "tries": tries, "error": problem})


def waiting(tries: int) -> timedelta:
    """How long a record waits that was not taken so many times."""
    return min(FIRST_WAIT * (1 << min(tries - 1, 20)), LONGEST_WAIT)


def _problem(outcome: Outcome) -> Exception:
    if outcome.status == "condition":
        return AheadError("the search side has a later version than the storage")
    return outcome.error or BackendError(f"the search side answers {outcome.status}")
