"""`InMemoryBackend`: dicts under one lock, filtered and sorted by the reference evaluator itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from mixstore.adapter import ModelAdapter
from mixstore.backend import Capability
from mixstore.errors import ConfigurationError
from mixstore.expressions import TRUE, matcher, sort_key
from mixstore.planned import Plan, PlannedBackend, QueryPlan, Rows
from mixstore.write import OK, REMOVE, SKIPPED, Add, Outcome, Write
from mixstore_backends.memory.access import Access, choose
from mixstore_backends.memory.adapter import InMemoryAdapter
from mixstore_backends.memory.table import Record, Table
from mixstore_backends.memory.text import words

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.query import Query, Search
    from mixstore.write import KeyValue

Undo = list[tuple[Table, "KeyValue", Record | None]]


class _Get(Plan):
    __slots__ = ("keys", "table")

    def __init__(self, table: Table, keys: Sequence[KeyValue]) -> None:
        self.table = table
        self.keys = keys

    def run(self) -> list[Record | None]:
        rows = self.table.rows
        return [rows.get(key) for key in self.keys]


class _Find(QueryPlan):
    __slots__ = ("access", "counts", "matches", "query", "table")

    def __init__(
        self, table: Table, access: Access, query: Query, matches: Callable[[Any], bool] | None, counts: bool
    ) -> None:
        super().__init__(
            access.operation,
            request=repr(query.where),
            pushed=query.where,
            index=access.by,
            scan=access.by is None,
        )
        self.table = table
        self.access = access
        self.query = query
        self.matches = matches
        self.counts = counts

    def run(self) -> Rows | int:
        query = self.query
        found: Iterable[Record] = self.access.rows(self.table)
        if self.matches is not None:
            found = filter(self.matches, found)
        if self.counts:
            return sum(1 for _ in found)
        if query.order and not self.access.ordered:
            found = sorted(found, key=sort_key(query.order))
        end = None if query.limit is None else query.offset + query.limit
        return Rows(list(islice(found, query.offset, end)))


class _Store(Plan):
    """Writes; `together` makes them one atomic unit, otherwise each stands for itself."""

    __slots__ = ("together", "writes")

    def __init__(self, writes: Sequence[Write], together: bool) -> None:
        self.writes = writes
        self.together = together

    def run(self) -> list[Outcome]:
        if len(self.writes) == 1:
            return [_alone(self.writes[0])]
        if not self.together:
            return [_alone(write) for write in self.writes]
        undo: Undo = []
        outcomes: list[Outcome] = []
        for write in self.writes:
            outcome = _apply(write, undo)
            outcomes.append(outcome)
            if outcome.status != "ok" and not (write.op == "delete" and outcome.status == "missing"):
                _roll_back(undo)
                skipped = [SKIPPED] * len(self.writes)
                skipped[len(outcomes) - 1] = outcome
                return skipped
        return outcomes


class InMemoryBackend(PlannedBackend):
    """All rows in this process. Values are copied in and out; writes are atomic under threads.

    Nothing is kept on disk.
    """

    backend_name = "memory"
    capabilities = (
        Capability.CONDITIONS
        | Capability.ATOMIC_WRITES
        | Capability.UNIQUE
        | Capability.INDEXES
        | Capability.ORDERED
        | Capability.FULL_TEXT
    )

    def __init__(self, adapter: ModelAdapter | None = None) -> None:
        super().__init__(adapter or InMemoryAdapter())
        self._tables: dict[str, Table] = {}
        self._lock = threading.RLock()

    @classmethod
    def from_url(cls, url: str) -> InMemoryBackend:
        """A new, empty store for `memory://`."""
        if url != "memory://":
            raise ConfigurationError(f"{url!r}: nothing can follow memory://, which has no place and no options")
        return cls()

    def clear(self, model_class: type[Any] | None = None) -> None:
        """Forget the rows of a model, or of all."""
        with self._lock:
            tables = self._tables.values() if model_class is None else [self.bound(model_class).native]
            for table in tables:
                table.clear()

    def prepare(self, bound: Bound) -> Table:
        with self._lock:
            entity = self.adapter.get_entity_type(bound.model)
            old = self._tables.get(entity)
            table = Table(bound.schema, old.rows.items() if old is not None else ())
            self._tables[entity] = table
            return table

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        return _Get(bound.native, keys)

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        return self._find(bound, query, counts=False)

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        return self._find(bound, query, counts=True)

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        return _Store(writes, together=True)

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        return _Store(writes, together=False)

    def execute(self, plan: Any) -> Any:
        with self._lock:
            return plan.run()

    async def aexecute(self, plan: Any) -> Any:
        return self.execute(plan)

    def _find(self, bound: Bound, query: Query, *, counts: bool) -> QueryPlan:
        matches = None if query.where == TRUE else matcher(query.where)
        if query.search is not None:
            matches = _both(matches, _hits(query.search, bound.schema.searchable))
        return _Find(bound.native, choose(bound.schema, query.where, query.order), query, matches, counts)


def _both(first: Callable[[Any], bool] | None, second: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return second if first is None else lambda record: first(record) and second(record)


def _hits(search: Search, searchable: tuple[str, ...]) -> Callable[[Record], bool]:
    wanted = set(words(search.text))
    fields = search.fields or searchable

    def hit(record: Record) -> bool:
        there = {word for name in fields if record.get(name) is not None for word in words(str(record[name]))}
        return wanted <= there

    return hit if wanted else lambda record: False


def _alone(write: Write) -> Outcome:
    if write.evict is None and not write.side_writes:
        return _simple(write)
    undo: Undo = []
    outcome = _apply(write, undo)
    if outcome.status != "ok":
        _roll_back(undo)
    return outcome


def _simple(write: Write) -> Outcome:
    """A write that touches one row: everything is checked before anything changes, so there is nothing to undo."""
    table: Table = write.bound.native
    key = write.key
    stored = table.rows.get(key)
    if stored is not None or write.op == "update" or write.op == "delete":
        refused = _refused(write, stored)
        if refused is not None:
            return refused
    record = _record(write, stored)
    if record is not None:
        for name, held in table.unique.items():
            holder = held.get(record.get(name))
            if holder is not None and holder != key:
                return Outcome("unique", table.rows[holder], name)
    table.put(key, record)
    return OK


def _record(write: Write, stored: Record | None) -> Record | None:
    if write.op == "update":
        return _changed(stored, write.changes)
    return None if write.op == "delete" else write.record


def _roll_back(undo: Undo) -> None:
    for table, key, record in reversed(undo):
        table.put(key, record)


def _apply(write: Write, undo: Undo) -> Outcome:
    table: Table = write.bound.native
    key = write.key
    stored = table.rows.get(key)
    absent = None if write.evict is None else matcher(write.evict)
    if stored is not None and absent is not None and write.op != "update" and absent(stored):
        undo.append((table, key, table.put(key, None)))
        stored = None
    refused = _refused(write, stored)
    if refused is not None:
        return refused
    record = _record(write, stored)
    if record is not None:
        for name, held in table.unique.items():
            holder = held.get(record.get(name))
            if holder is None or holder == key or record[name] is None:
                continue
            if absent is None or not absent(table.rows[holder]):
                return Outcome("unique", table.rows[holder], name)
            undo.append((table, holder, table.put(holder, None)))
    undo.append((table, key, table.put(key, record)))
    for side in write.side_writes:
        outcome = _apply(side, undo)
        if outcome.status != "ok" and not (side.op == "delete" and outcome.status == "missing"):
            return outcome
    return OK


def _refused(write: Write, stored: Record | None) -> Outcome | None:
    if stored is None:
        return Outcome("missing") if write.op in ("update", "delete") else None
    if write.op == "create" or (write.op == "upsert" and write.absent):
        return Outcome("exists", stored)
    if write.condition is not None and not matcher(write.condition)(stored):
        return Outcome("condition", stored)
    return None


def _changed(stored: Record | None, changes: dict[str, Any] | None) -> Record:
    record = dict(stored or {})
    for name, value in (changes or {}).items():
        if value is REMOVE:
            record.pop(name, None)
        elif isinstance(value, Add):
            record[name] = (record.get(name) or 0) + value.by
        else:
            record[name] = value
    return record
