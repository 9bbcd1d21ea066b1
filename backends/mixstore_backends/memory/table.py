"""One entity's rows in memory, with its indexes. Rows are never changed in place: a write replaces them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixstore.expressions import comparable, matcher
from mixstore_backends.memory.ordered import Index, SortedForms
from mixstore_backends.memory.partitions import Partitions

if TYPE_CHECKING:
    from mixstore.expressions import Expr, Matcher
    from mixstore.schema import ModelSchema
    from mixstore.write import KeyValue

Record = dict[str, Any]


class Table:
    """The rows of one entity by key; unique values and indexed fields are kept beside them."""

    def __init__(self, schema: ModelSchema, unique: tuple[str, ...], freed: Expr | None = None) -> None:
        self.reshaped = False
        """Whether rows may lack fields, or have more, since they were written for another class."""
        self.rows: dict[KeyValue, Record] = {}
        self._shape(schema, unique, freed)

    def reshape(self, schema: ModelSchema, unique: tuple[str, ...], freed: Expr | None = None) -> None:
        """Keep the rows for a class that is defined anew."""
        rows = list(self.rows.items())
        self.reshaped = True
        self.rows.clear()
        self._shape(schema, unique, freed)
        for key, record in rows:
            self.put(key, record, None)

    def _shape(self, schema: ModelSchema, unique: tuple[str, ...], freed: Expr | None) -> None:
        self.freed: Matcher | None = None if freed is None else matcher(freed)
        self.unique: dict[str, dict[Any, KeyValue]] = {name: {} for name in unique}
        # rows that don't hold their unique values here are found by an index instead
        others = [name for name in schema.unique if freed is not None or name not in unique]
        self.indexed = tuple(dict.fromkeys((*schema.indexed, *others)))
        self.indexes: dict[str, Index] = {name: Index() for name in self.indexed}
        self.partitions = {spec.name: Partitions(spec) for spec in schema.indexes.values() if spec.shape is not None}
        self._partitions = tuple(self.partitions.values())
        self._keys = SortedForms(key_form)
        self._add_key = self._keys.add
        self._unique = tuple(self.unique.items())
        self._indexes = tuple(self.indexes.items())

    def taken(self, key: KeyValue, record: Record) -> tuple[str, KeyValue] | None:
        """The unique field whose value another row holds, and that row's key."""
        if self.freed is not None and self.freed(record):
            return None
        for name, held in self.unique.items():
            holder = held.get(record.get(name))
            if holder is not None and holder != key:
                return name, holder
        return None

    def put(self, key: KeyValue, record: Record | None, old: Record | None) -> None:
        """Store, replace or (None) remove the row that is `old` now, keeping the indexes. No check is made."""
        if record is None:
            if old is not None:
                del self.rows[key]
                self._forget(key, old)
            return
        self.rows[key] = record
        if old is None:
            self._add_key(key)
            for name, index in self._indexes:
                index.add(record.get(name), key)
            for partitions in self._partitions:
                partitions.add(record, key)
            if self.freed is None or not self.freed(record):
                self._hold(key, record)
        elif self._indexes or self._unique or self._partitions:
            self._replace(key, old, record)

    def _forget(self, key: KeyValue, old: Record) -> None:
        for name, index in self._indexes:
            index.discard(old.get(name), key)
        for partitions in self._partitions:
            partitions.discard(old, key)
        if self.freed is None or not self.freed(old):
            self._let_go(key, old)

    def _hold(self, key: KeyValue, record: Record) -> None:
        for name, held in self._unique:
            if record.get(name) is not None:
                held[record[name]] = key

    def _let_go(self, key: KeyValue, old: Record) -> None:
        for name, held in self._unique:
            if old.get(name) is not None and held[old[name]] == key:
                del held[old[name]]

    def _replace(self, key: KeyValue, old: Record, record: Record) -> None:
        for name, index in self._indexes:
            was, now = old.get(name), record.get(name)
            if was is not now and was != now:
                index.discard(was, key)
                index.add(now, key)
        for partitions in self._partitions:
            partitions.replace(old, record, key)
        if self.freed is not None:
            if not self.freed(old):
                self._let_go(key, old)
            if not self.freed(record):
                self._hold(key, record)
            return
        for name, held in self._unique:
            was, now = old.get(name), record.get(name)
            if was is not now and was != now:
                if was is not None:
                    del held[was]
                if now is not None:
                    held[now] = key

    def clear(self) -> None:
        """Forget everything."""
        for key, record in list(self.rows.items()):
            self.put(key, None, record)

    def ordered_keys(self) -> list[tuple[Any, KeyValue]]:
        """(comparable form, key) of all rows by key; keys that are gone may be among them."""
        if len(self._keys) > 2 * len(self.rows) + 100:
            self._keys.rebuild(self.rows)
        return self._keys.forms()


def key_form(key: KeyValue) -> tuple[Any, ...]:
    """What keys are sorted by."""
    return tuple([comparable(part) for part in key])
