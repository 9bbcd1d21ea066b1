"""`InMemoryBackend`: dicts under one lock, filtered and sorted by the reference evaluator itself."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from mixstore.adapter import ModelAdapter
from mixstore.backend import Capability
from mixstore.errors import ConfigurationError
from mixstore.expressions import TRUE, evaluate, matcher, sort_key
from mixstore.nearness import scorer_of
from mixstore.planned import PlannedBackend, QueryPlan, Rows
from mixstore.search import SCORE, Hit, by_score
from mixstore.write import OK, SKIPPED, Operation, Outcome, Write, changed
from mixstore_backends.memory.access import Access, choose
from mixstore_backends.memory.adapter import InMemoryAdapter
from mixstore_backends.memory.table import Record, Table

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.query import Query
    from mixstore.search import Scorer
    from mixstore.write import KeyValue

Plan = Callable[[], Any]
Lock = AbstractContextManager[Any]
DONE = [OK]
UNLOCKED = nullcontext()
Undo = list[tuple[Table, "KeyValue", Record | None]]


class Found(dict[str, Any]):
    """A copy of a row that a search found."""

    __slots__ = ("score",)
    score: float


class _Find(QueryPlan):
    __slots__ = ("access", "counts", "lock", "matches", "query", "score", "table")

    def __init__(
        self,
        lock: Lock,
        table: Table,
        access: Access,
        query: Query,
        matches: Callable[[Any], bool] | None,
        counts: bool,
        score: Scorer | None,
    ) -> None:
        super().__init__(
            access.operation,
            request=repr(query.where) if query.similar is None else f"{query.where!r}, {query.similar!r}",
            pushed=query.where,
            index=access.by,
            scan=access.scan,
        )
        self.lock = lock
        self.table = table
        self.access = access
        self.query = query
        self.matches = matches
        self.counts = counts
        self.score = score

    def __call__(self) -> Rows | int:
        with self.lock:
            return self._run()

    def _run(self) -> Rows | int:
        query = self.query
        found: Iterable[Record] = self.access.rows(self.table)
        if self.score is not None and by_score(query):
            found = _scored(self.score, found)
        if self.matches is not None:
            found = filter(self.matches, found)
        if self.score is not None and not by_score(query):
            found = _scored(self.score, found)
        if self.counts:
            return sum(1 for _ in found)
        if query.order and not self.access.ordered:
            found = sorted(found, key=sort_key(query.order))
        start = min(query.offset, sys.maxsize)  # islice() takes no more
        end = None if query.limit is None else min(query.offset + query.limit, sys.maxsize)
        rows = list(islice(found, start, end))
        if self.score is not None:
            for row in rows:
                del row[SCORE[0]]
        return Rows(rows)


def _scored(score: Scorer, rows: Iterable[Record]) -> Iterator[Found]:
    """The rows that a search finds, with their score as a value, to sort by."""
    for row in rows:
        told = score(row)
        if told is not None:
            found = Found(row)
            found.score = found[SCORE[0]] = told
            yield found


class InMemoryBackend(PlannedBackend):
    """All rows in this process. Values are copied in and out; writes are atomic under threads.

    Nothing is kept on disk.
    """

    backend_name = "memory"
    capabilities = (
        Capability.CONDITIONS
        | Capability.CONSISTENT_READS
        | Capability.ATOMIC_WRITES
        | Capability.UNIQUE
        | Capability.PARTIAL_UNIQUE
        | Capability.INDEXES
        | Capability.ORDERED
        | Capability.ADD
        | Capability.FULL_TEXT
        | Capability.FUZZY_SEARCH
        | Capability.VECTORS
        | Capability.SECONDARY_INDEXES
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
            table = self._tables.get(entity)
            if table is None:
                table = self._tables[entity] = Table(bound.schema, bound.chain.unique, bound.chain.freed)
            else:  # a class that was defined anew; instances of the old one may still write here
                table.reshape(bound.schema, bound.chain.unique, bound.chain.freed)
            return table

    def row_values(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        if type(self.adapter) is not InMemoryAdapter:
            return None
        if bound.native.reshaped:
            return self.adapter.patient_decoder(bound.model)
        if bound.schema.hidden_key:
            return None
        return self.adapter.whole_decoder(bound.model)

    def row_hit(self, row: Any) -> Hit | None:
        return Hit(row.score) if type(row) is Found else None

    def row_with_hit(self, row: Any, hit: Hit) -> Found:
        found = Found(row)
        found.score = hit.score or 0.0
        return found

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        if len(keys) == 1:
            return partial(_get_one, bound.native.rows, keys[0])
        return partial(_locked, self._lock, partial(_get, bound.native.rows, keys))

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        return self._find(bound, query, counts=False)

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        return self._find(bound, query, counts=True)

    def compile_plain(
        self, bound: Bound, operation: Operation, key: KeyValue, record: Record | None, changes: Record | None
    ) -> Plan:
        if operation == "delete":
            return partial(_drop, self._lock, bound.native, key)
        return partial(_plain, self._lock, bound.native, operation, key, record, changes)

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        return partial(_locked, self._lock, partial(_together, writes))

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        return partial(_locked, self._lock, partial(_each, writes))

    def execute(self, plan: Plan) -> Any:
        return plan()

    async def aexecute(self, plan: Any) -> Any:
        return self.execute(plan)

    def _find(self, bound: Bound, query: Query, *, counts: bool) -> QueryPlan:
        matches = None if query.where == TRUE else matcher(query.where)
        score = scorer_of(query, bound.schema.searchable)
        access = choose(bound.schema, bound.native, query)
        return _Find(self._lock, bound.native, access, query, matches, counts, score)


def _locked(lock: Lock, plan: Plan) -> Any:
    with lock:
        return plan()


def _get_one(rows: dict[KeyValue, Record], key: KeyValue) -> list[Record | None]:
    return [rows.get(key)]  # one look-up in a dict is atomic, and rows are never changed in place


def _get(rows: dict[KeyValue, Record], keys: Sequence[KeyValue]) -> list[Record | None]:
    return [rows.get(key) for key in keys]


def _drop(lock: Lock, table: Table, key: KeyValue) -> list[Outcome]:
    with lock:
        stored = table.rows.get(key)
        if stored is None:
            return [Outcome("missing")]
        table.put(key, None, stored)
        return DONE


def _plain(
    lock: Lock, table: Table, operation: Operation, key: KeyValue, record: Record | None, changes: Record | None
) -> list[Outcome]:
    """One row with no condition: everything is checked before anything changes, so there is nothing to undo."""
    with lock:
        stored = table.rows.get(key)
        if operation == "create":
            if stored is not None:
                return [Outcome("exists", stored)]
        elif operation == "update":
            if stored is None:
                return [Outcome("missing")]
            record = changed(stored, changes)
        elif stored is not None and changes is not None:
            record = changed(stored, changes)
        if table.unique and record is not None:
            taken = table.taken(key, record)
            if taken is not None:
                return [Outcome("unique", table.rows[taken[1]], taken[0])]
        table.put(key, record, stored)
        return DONE


def _each(writes: Sequence[Write]) -> list[Outcome]:
    return [_alone(write) for write in writes]


def _together(writes: Sequence[Write]) -> list[Outcome]:
    """All or nothing; a delete of what is not there fails nothing."""
    if len(writes) == 1:
        return [_alone(writes[0])]
    undo: Undo = []
    for position, write in enumerate(writes):
        outcome = _apply(write, undo)
        if write.fails(outcome):
            _roll_back(undo)
            return [outcome if n == position else SKIPPED for n in range(len(writes))]
    return [_done(write, write.bound.native.rows.get(write.key)) for write in writes]


def _done(write: Write, record: Record | None) -> Outcome:
    """Success; an addition tells the row as it is now."""
    return Outcome("ok", record) if write.adds else OK


def _alone(write: Write) -> Outcome:
    if write.evict is None and write.condition is None and not write.side_writes and not (write.absent or write.adds):
        if write.op == "delete":
            return _drop(UNLOCKED, write.bound.native, write.key)[0]
        return _plain(UNLOCKED, write.bound.native, write.op, write.key, write.record, write.changes)[0]
    undo: Undo = []
    outcome = _apply(write, undo)
    if outcome.status != "ok":
        _roll_back(undo)
    return outcome


def _roll_back(undo: Undo) -> None:
    for table, key, record in reversed(undo):
        table.put(key, record, table.rows.get(key))


def _apply(write: Write, undo: Undo) -> Outcome:
    table: Table = write.bound.native
    key = write.key
    stored = table.rows.get(key)
    absent = write.evict
    if stored is not None and absent is not None and write.op != "update" and evaluate(absent, stored):
        table.put(key, None, stored)
        undo.append((table, key, stored))
        stored = None
    refused = write.refused(stored)
    if refused is not None:
        return refused
    record = write.applied_to(stored)
    while record is not None and (taken := table.taken(key, record)) is not None:
        name, holder = taken
        held = table.rows[holder]
        if absent is None or not evaluate(absent, held):
            return Outcome("unique", held, name)
        table.put(holder, None, held)
        undo.append((table, holder, held))
    table.put(key, record, stored)
    undo.append((table, key, stored))
    for side in write.side_writes:
        outcome = _apply(side, undo)
        if side.fails(outcome):
            return Outcome(outcome.status, None, outcome.field, side)
    return _done(write, record)
