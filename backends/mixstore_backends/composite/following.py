"""Following a storage by its change feed: what it tells of is copied as it is then, whatever the order it is told in.

Whoever is told of a change lets the number of the record's mark go up, reads the record, and copies it with that
number. So the copy with the highest number was read last, and after the change: the argument is that of marks, though
writers write none. A position in the feed is kept when all before it is copied.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mixstore import BackendUnavailableError, ConfigurationError, Write
from mixstore.binding import models_of
from mixstore.errors import nearest
from mixstore.feeds import Change, ChangeFeed, Changes, Shard
from mixstore_backends.composite.applying import Applying, Told
from mixstore_backends.composite.marks import Checkpoint, Lost, SyncMark, new_mark
from mixstore_backends.composite.plans import On, Steps, on

if TYPE_CHECKING:
    from mixstore import Bound, PlannedBackend
    from mixstore_backends.composite.backend import CompositeBackend

FOLLOWS = ("marks", "stream")
LOOK_AGAIN = 30.0
"""Seconds after which somebody asks for new parts of the feed, if none has ended before."""
KEEP_ANEW = timedelta(minutes=10)
"""After which a position is kept though nothing was copied: keeping it is a change that the feed tells of, too."""
READS, EMPTY = 100, 3
"""How often a part is read in one round, at most, and how often in vain at first: empty answers may stand before
others."""
_log = logging.getLogger("mixstore")


def feed_of(storage: PlannedBackend, follow: str) -> ChangeFeed | None:
    """What a composite follows, None for marks. ConfigurationError if that is not to be had."""
    if follow not in FOLLOWS:
        raise ConfigurationError(f"a composite can't follow {follow!r}", hint=nearest(follow, FOLLOWS))
    if follow == "marks":
        return None
    feed = storage.change_feed()
    if feed is None:
        raise ConfigurationError(f"{storage.backend_name} has no change feed to follow", hint='follow="marks"')
    return feed


def passing_mark(entity: str, key: str, now: datetime) -> SyncMark:
    """The mark of a record that is copied now: it waits for nobody, since the feed tells again if that fails."""
    return new_mark(entity, key, now).model_copy(update={"shard": None})


def bring(backend: CompositeBackend, changes: Iterable[Change]) -> Steps:
    """Copy the records of these changes as they are now; {change: what became of it}, each once.

    A record that the search side refuses gets a mark that waits, for a relay. BackendError if a side is not there:
    then nobody may say that these changes are done.
    """
    applying, now = backend.applying, backend.clock()
    places: dict[str, Change] = {}
    marks: dict[str, SyncMark] = {}
    for change in changes:
        copies = backend.copies_of(change.entity)
        if copies is not None:
            mark = passing_mark(change.entity, copies.texts.text(change.key), now)
            places[mark.place], marks[mark.place] = change, mark
    told: list[Told] = []
    if marks:
        numbered = yield from applying.number(list(marks.values()))
        told = yield from applying.apply(numbered, now)
    for one in told:
        if isinstance(one.error, BackendUnavailableError):
            raise one.error
    return {places[one.mark.place]: one.error for one in told}


@dataclass(slots=True)
class Reached:
    """Where this program is in a part of the feed; `kept` is when the storage was told."""

    shard: Shard
    position: str
    kept: datetime
    cursor: Any = None


class Following:
    """What one relay knows of the feed."""

    def __init__(self, backend: CompositeBackend, feed: ChangeFeed) -> None:
        self.backend = backend
        self.feed = feed
        self.storage = backend.storage
        self.reached: dict[str, Reached] = {}
        self.looked: float | None = None

    def round(self, batch: int, note: Callable[[int, int], object]) -> Steps:
        """What the feed tells now. `note` is told of each batch: how many records were copied, how many refused."""
        if self.looked is None or time.monotonic() - self.looked > LOOK_AGAIN:
            yield from self._look()
        for reached in list(self.reached.values()):
            yield from self._part(reached, batch, note)

    # -- one part ----------------------------------------------------------------------------------------------------

    def _part(self, reached: Reached, batch: int, note: Callable[[int, int], object]) -> Steps:
        empty, most = 0, EMPTY if reached.cursor is None else 1
        for _ in range(READS):
            plan = self.feed.compile_changes(reached.shard, reached.position, reached.cursor)
            found: Changes = yield On(self.storage, plan)
            if found.lost:
                yield from self._lose(reached.shard, f"what came after {reached.position or 'the beginning'}")
                yield from self._restart(reached)
                return
            for start in range(0, len(found.changes), batch):
                told = yield from bring(self.backend, found.changes[start : start + batch])
                failed = sum(error is not None for error in told.values())
                note(len(told) - failed, failed)
            empty = empty + 1 if found.position == reached.position else 0
            reached.position, reached.cursor = found.position, found.cursor
            late = self.backend.clock() - reached.kept > KEEP_ANEW and not empty
            if found.changes or found.ended or late:
                yield from self._keep(reached, found.ended)
            if found.ended:
                del self.reached[reached.shard.name]
                self.looked = None
                return
            if empty >= most:
                return

    def _keep(self, reached: Reached, ended: bool = False) -> Steps:
        reached.kept = self.backend.clock()
        shard = reached.shard
        yield from self._store(
            Checkpoint(
                feed=shard.feed,
                shard=shard.name,
                stream=shard.stream,
                position=reached.position,
                ended=ended,
                at=reached.kept,
            )
        )

    def _restart(self, reached: Reached) -> Steps:
        """Go on with the oldest that is kept, or with whatever parts there are now."""
        del self.reached[reached.shard.name]
        self.looked = None
        bound = self.backend.bound(Checkpoint)
        yield from self._remove(bound, Checkpoint.model_construct(feed=reached.shard.feed, shard=reached.shard.name))

    # -- the parts there are -----------------------------------------------------------------------------------------

    def _look(self) -> Steps:
        """Take up new parts of the feed; and find out whether there were others, which nobody has followed."""
        compile_all(self.backend)
        shards: list[Shard] = yield On(self.storage, self.feed.compile_shards())
        for feed in dict.fromkeys(shard.feed for shard in shards):
            listed = {shard.name: shard for shard in shards if shard.feed == feed}
            kept = {one.shard: one for one in (yield from self._kept(feed))}
            gap = gap_between(kept, listed)
            if gap:
                yield from self._lose(next(iter(listed.values())), gap)
            for name, shard in listed.items():
                one = kept.get(name)
                if name in self.reached or (one is not None and one.ended):
                    continue
                self.reached[name] = Reached(shard, "" if one is None else one.position, self.backend.clock())
                if one is None:
                    yield from self._keep(self.reached[name])
            for name, one in kept.items():
                if name not in listed:
                    self.reached.pop(name, None)
                    yield from self._remove(self.backend.bound(Checkpoint), one)
        self.looked = time.monotonic()

    def _kept(self, feed: str) -> Steps:
        from mixstore.reads import fetch

        query = self.backend.query(Checkpoint).filter(feed=feed).query
        return (yield from on(self.storage, fetch(self.backend.bound(Checkpoint), query)))

    def _lose(self, shard: Shard, why: str) -> Steps:
        """Say, and keep, that the search side may lack changes of all models of this feed."""
        entities = ", ".join(shard.entities)
        _log.error(
            "the change feed of %s no longer has %s: changes of %s may be lost, `mixstore reindex` mends that",
            shard.feed,
            why,
            entities,
        )
        for entity in shard.entities:
            yield from self._store(Lost(of=entity, at=self.backend.clock(), why=f"the feed no longer has {why}"))

    def _store(self, row: Any) -> Steps:
        bound = self.backend.bound(type(row))
        write = Write("upsert", bound, bound.key_from(row.__dict__) or (), bound.encode(row))
        yield from _written(self.storage, bound, write)

    def _remove(self, bound: Bound, row: Any) -> Steps:
        yield from _written(self.storage, bound, Write("delete", bound, bound.key_from(row.__dict__) or ()))


def _written(storage: PlannedBackend, bound: Bound, write: Write) -> Steps:
    (outcome,) = yield On(storage, storage.compile_writes(bound, (write,)))
    if outcome.error is not None:
        raise outcome.error


def compile_all(backend: CompositeBackend) -> list[Bound]:
    """All models of this program, on this backend: what was not compiled, a feed would not know of."""
    return [backend.bound(model) for model in models_of(backend)]


def lost_by(backend: CompositeBackend) -> list[Lost]:
    """What is kept of gaps, for the models of this program."""
    bounds = compile_all(backend)
    entities = [bound.schema.entity for bound in bounds if not bound.schema.definition.internal]
    return [Lost(**one) for one in backend.batch_get(Lost, entities) if one is not None]


def found_again(backend: CompositeBackend, entity: str, begun: datetime) -> None:
    """Say that the search side lacks no change of a model that was made before this."""
    if backend.feed is not None:
        backend.query(Lost).filter(of=entity, at__lte=begun).delete()


def gap_between(kept: Mapping[str, Checkpoint], listed: Mapping[str, Shard]) -> str:
    """What of a feed has gone before it was followed, "" if nothing has, or nobody followed it before."""
    if not kept:
        return ""
    gone = next((one for one in kept.values() if not one.ended and one.shard not in listed), None)
    if gone is not None:
        return f"the end of its part {gone.shard}"
    streams = {one.stream for one in kept.values()}
    for shard in listed.values():
        if shard.stream not in streams:
            return "what came before it was switched on again"
        if shard.name not in kept and shard.after is not None and shard.after not in kept and shard.after not in listed:
            return f"its part {shard.after}"
    return ""


class Numbering:
    """Writes of a composite that follows a feed, whose writers copy at once what they have written."""

    def __init__(self, backend: CompositeBackend) -> None:
        self.backend = backend

    def places(self, write: Write) -> Sequence[str]:
        """The place of the mark of its record."""
        mark = self._mark(write)
        return () if mark is None else (mark.place,)

    def marks(self, applying: Applying, writes: Sequence[Write]) -> Steps:
        """Marks of these, with numbers above all before."""
        marks = {mark.place: mark for write in writes if (mark := self._mark(write)) is not None}
        return (yield from applying.number(list(marks.values())))

    def _mark(self, write: Write) -> SyncMark | None:
        copies = self.backend.copies(write.bound)
        if copies is None:
            return None
        return passing_mark(write.bound.schema.entity, copies.texts.text(write.key), self.backend.clock())
