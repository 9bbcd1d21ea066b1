"""A secondary index in memory: rows by the key that templates render, partitions by hash, sort texts in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mixstore.errors import ValidationError
from mixstore_backends.memory.ordered import Index

if TYPE_CHECKING:
    from mixstore.indexes import IndexSpec
    from mixstore.keyranges import KeyCondition
    from mixstore.write import KeyValue

Record = dict[str, Any]


class Partitions:
    """The primary keys of the rows of one index. Rows without a key in it are not there.

    `unfit` are rows that were written for another class, with a value that the index can't hold or without one that
    the class of today always has: who looks must look at them too.
    """

    __slots__ = ("_always", "_found", "spec", "unfit")

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        nullable = () if spec.shape is None else spec.shape.nullable
        self._always = tuple(name for name in spec.fields if name not in nullable)
        self.unfit: dict[KeyValue, None] = {}
        self._found: dict[str, Index] = {}

    def add(self, record: Record, key: KeyValue) -> None:
        """A row is there."""
        try:
            place = self.spec.key_from(record)
        except ValidationError:
            self.unfit[key] = None
            return
        if place is None:
            if any(record.get(name) is None for name in self._always):
                self.unfit[key] = None
            return
        index = self._found.get(place[0])
        if index is None:
            index = self._found[place[0]] = Index()
        index.add(place[-1], key)

    def discard(self, record: Record, key: KeyValue) -> None:
        """It no longer is."""
        if self.unfit.pop(key, self) is None:
            return
        place = self.spec.key_from(record)
        index = None if place is None else self._found.get(place[0])
        if place is not None and index is not None:
            index.discard(place[-1], key)
            if not index.buckets:
                del self._found[place[0]]

    def replace(self, old: Record, record: Record, key: KeyValue) -> None:
        """A row has become another; nothing is done if what the index is made of is the same."""
        if any(old.get(name) != record.get(name) for name in self.spec.fields):
            self.discard(old, key)
            self.add(record, key)

    def groups(self, condition: KeyCondition, *, descending: bool = False) -> Iterator[Iterable[KeyValue]]:
        """The primary keys in a condition: together those that share a sort text, in the order of these."""
        index = self._found.get(condition.partition)
        if index is None:
            return
        if condition.exact or not self.spec.has_sort:
            text = condition.low if condition.exact else condition.partition
            yield index.buckets.get(text, ())
            return
        forms = index.range(condition.low, condition.high)
        for _, text in reversed(forms) if descending else forms:
            yield index.buckets.get(text, ())

    def everything(self) -> Iterator[KeyValue]:
        """The primary keys of all rows in the index."""
        for index in self._found.values():
            for bucket in index.buckets.values():
                yield from bucket
