"""The search side of one model: how its copies are written, and read.

A copy has the version of its mark. An engine that keeps versions is told it; beside rows in others stands a row that
has the version, and both are written in one unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixstore import Capability, Field, Model, PlannedBackend, Write
from mixstore.binding import bind_copies
from mixstore.expressions import Compare
from mixstore.keytexts import KeyTexts
from mixstore.recording import serialized
from mixstore_backends.composite.marks import SyncMark

if TYPE_CHECKING:
    from mixstore import Bound
    from mixstore.search import Hit
    from mixstore.write import KeyValue


class SyncedCopy(Model):
    """The version of a copy, also of one that is deleted."""

    class Meta:
        entity = "mixstore_synced"
        internal = True
        scan = "allow"

    place: str = Field(primary_key=True)
    number: int


class Copy:
    """A row as the search side has it, in place of a row of the storage."""

    __slots__ = ("hit", "values")

    def __init__(self, values: dict[str, Any], hit: Hit | None) -> None:
        self.values = values
        self.hit = hit


class Copies:
    """One model, on both sides: `bound` is what the rows are written by, `there` their copies."""

    def __init__(self, bound: Bound, search: PlannedBackend) -> None:
        self.bound = bound
        self.search = search
        self.texts = KeyTexts(bound.schema)
        self.there = bind_copies(bound.model, search)
        self.kept = None if Capability.EXTERNAL_VERSIONS in search.capabilities else search.bound(SyncedCopy)

    def record_of(self, bound: Bound, values: Mapping[str, Any]) -> dict[str, Any]:
        """The record of these values, as a side stores it."""
        instance = bound.construct(dict(values), (bound, None, None, None))
        return serialized(bound, bound.encode(instance), bound.key_from(values) or ())

    def write(self, mark: SyncMark, key: KeyValue, row: Any) -> Write:
        """What makes the copy as the storage's row is (None: there is none), unless a later one is there."""
        if row is None:
            write = Write("delete", self.there, key)
        else:
            record = self.record_of(self.there, self.bound.stored_values(row))
            write = Write("upsert", self.there, key, record)
        if self.kept is None:
            write.version = mark.number
            return write
        kept = SyncedCopy(place=mark.place, number=mark.number)
        older = Compare(("number",), "lte", mark.number)
        return Write("upsert", self.kept, (mark.place,), self.kept.encode(kept), condition=older, side_writes=(write,))

    def plans(self, writes: Sequence[Write], visible: bool) -> list[Any]:
        """The plans of such writes, in their order; each answers a list of outcomes."""
        if self.kept is None:
            return [self.search.compile_copies(self.there, writes, visible)]
        plan = self.search.compile_batch(self.kept, writes)
        return [self.search.compile_writes(self.kept, (one,)) for one in writes] if plan is None else [plan]
