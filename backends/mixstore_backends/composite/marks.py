"""Marks: one small row beside each record, which says how often it was written and whether the search side knows.

A mark holds no values of the record. Whoever brings the search side up to date reads the record as it is then, so that
many writes of one record are one piece of work, and the order in which they are heard of does not matter.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from zlib import crc32

from mixstore import GSI, Field, Key, Model

SHARDS = 8
"""Marks that wait are in as many partitions of the index, so that no one of them has to take all writes."""
GONE, DEAD = SHARDS, SHARDS + 1
"""Where the marks of records are that are deleted on both sides, and of those that were given up."""
LONGEST = 500


class SyncMark(Model):
    """`number` goes up with each write of the record; it is the version of what the search side is told.

    `shard` and `due` say where and when there is something to do; a mark with nothing to do has no shard. `key` is the
    record's as JSON text. `since` is when it was last written, `tries` how often the search side did not take it.
    """

    class Meta:
        entity = "mixstore_sync"
        internal = True
        scan = "allow"
        indexes = (GSI("mixstore_sync_due", partition="{shard:02d}", sort="{due}"),)

    place: str = Field(primary_key=True)
    entity: str
    key: str
    number: int = 1
    shard: int | None = None
    due: datetime
    since: datetime
    tries: int = 0
    error: str = ""

    @property
    def waits(self) -> bool:
        """Whether the search side may not know of the record as it is."""
        return self.shard is not None and self.shard != GONE


class Checkpoint(Model):
    """How far a part of the storage's change feed was followed; `ended`: to its end."""

    class Meta:
        entity = "mixstore_checkpoint"
        internal = True
        scan = "allow"
        key = Key(partition="mixstore_checkpoint#{feed}", sort="{shard}")

    feed: str
    shard: str
    stream: str
    position: str = ""
    ended: bool = False
    at: datetime


class Lost(Model):
    """A model of which the search side may lack changes, since the feed keeps them no longer."""

    class Meta:
        entity = "mixstore_lost"
        internal = True
        scan = "allow"

    of: str = Field(primary_key=True)
    at: datetime
    why: str


class Progress(Model):
    """How far a reindexing has come."""

    class Meta:
        entity = "mixstore_reindexing"
        internal = True
        scan = "allow"

    of: str = Field(primary_key=True)
    cursor: str
    at: datetime


def place_of(entity: str, key: str) -> str:
    """The key of the mark of a record."""
    if len(key) > LONGEST:
        key = "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    return f"{entity}:{key}"


def shard_of(place: str) -> int:
    """Where the mark of this place is while it waits."""
    return crc32(place.encode()) % SHARDS


def new_mark(entity: str, key: str, now: datetime) -> SyncMark:
    """The mark of a record that is written now."""
    place = place_of(entity, key)
    return SyncMark(place=place, entity=entity, key=key, shard=shard_of(place), due=now, since=now)
