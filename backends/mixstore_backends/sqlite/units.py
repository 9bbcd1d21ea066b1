"""Plans of writes, and how they run: one statement by itself, several in a transaction, many of one kind in a batch.

A write that fails by itself is tried again inside a transaction, so that its outcome and the row it tells of belong
together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mixstore.planned import Plan
from mixstore.write import OK, SKIPPED, Outcome, Write
from mixstore_backends.sqlite import errors
from mixstore_backends.sqlite.layout import Table
from mixstore_backends.sqlite.writes import Step, main_statement

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.write import KeyValue, Operation

MISSING = Outcome("missing")


class Writing(Plan):
    """A plan that writes."""

    __slots__ = ()

    def run(self, connection: sqlite3.Connection) -> Any:
        """Do it; the outcome of each write, or whatever the plan answers."""
        raise NotImplementedError


class Single(Writing):
    """One write as one statement, which SQLite makes atomic; `write()` makes what a second look at it takes."""

    __slots__ = ("may_miss", "parameters", "sql", "write")

    def __init__(self, sql: str, parameters: tuple[Any, ...], may_miss: bool, write: Callable[[], Write]) -> None:
        self.sql = sql
        self.parameters = parameters
        self.may_miss = may_miss
        self.write = write

    def run(self, connection: sqlite3.Connection) -> list[Outcome]:
        try:
            if connection.execute(self.sql, self.parameters).rowcount:
                return [OK]
        except sqlite3.IntegrityError as error:
            if errors.taken(error) is None:
                raise
        else:
            if self.may_miss:
                return [MISSING]
        return Unit((self.write(),)).run(connection)


class Unit(Writing):
    """Writes that happen all or not at all, with their side writes."""

    __slots__ = ("units",)

    def __init__(self, writes: Sequence[Write]) -> None:
        self.units = [tuple(_steps(write)) for write in writes]

    def run(self, connection: sqlite3.Connection) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with transaction(connection):
            for steps in self.units:
                outcome = _unit(connection, steps)
                if steps[0].write.fails(outcome):
                    connection.execute("ROLLBACK")
                    return [outcome if one is steps else SKIPPED for one in self.units]
                outcomes.append(outcome)
        return outcomes


def _steps(write: Write) -> Iterator[Step]:
    yield Step(write)
    for side in write.side_writes:
        yield from _steps(side)


class Batch(Writing):
    """Creates or upserts of one model, each by itself; one transaction, so that the disk is waited for once."""

    __slots__ = ("sql", "table", "writes")

    def __init__(self, table: Table, sql: str, writes: Sequence[Write]) -> None:
        self.table = table
        self.sql = sql
        self.writes = writes

    def run(self, connection: sqlite3.Connection) -> list[Outcome]:
        row_of = self.table.row_of
        try:
            with transaction(connection):
                connection.executemany(self.sql, map(row_of, [write.record or {} for write in self.writes]))
        except sqlite3.IntegrityError as error:
            if errors.taken(error) is None:
                raise
        else:
            return [OK] * len(self.writes)
        return Each(self.writes).run(connection)


class Each(Writing):
    """Writes of any kind, each atomic by itself, in one transaction, so that the disk is waited for once."""

    __slots__ = ("units",)

    def __init__(self, writes: Sequence[Write]) -> None:
        self.units = [tuple(_steps(write)) for write in writes]

    def run(self, connection: sqlite3.Connection) -> list[Outcome]:
        with transaction(connection):
            return [_saved(connection, steps) for steps in self.units]


def _saved(connection: sqlite3.Connection, steps: tuple[Step, ...]) -> Outcome:
    """One write of many, with its side writes; a savepoint takes back what it did if it fails."""
    connection.execute("SAVEPOINT one")
    told = _unit(connection, steps)
    if told.status != "ok":
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
    return told


def _unit(connection: sqlite3.Connection, steps: tuple[Step, ...]) -> Outcome:
    """A write and its side writes, inside a transaction; the outcome of the write, or of a side write that fails."""
    first = OK
    for step in steps:
        outcome = run(connection, step)
        if step is steps[0]:
            if outcome.status != "ok":
                return outcome
            first = outcome
        elif step.write.fails(outcome):
            # The row of a side write is of another model, which its owner could not read.
            return Outcome(outcome.status, None, outcome.field, step.write)
    return first


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: committed at the end, unless it is rolled back in between or an exception leaves it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        if connection.in_transaction:
            connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def run(connection: sqlite3.Connection, step: Step) -> Outcome:
    """One write inside a transaction."""
    outcome = _attempt(connection, step)
    if outcome is not OK and step.evict is not None and _evicted(connection, step):
        outcome = _attempt(connection, step)
    if outcome is OK and step.write.adds:
        *stored, _ = connection.execute(*step.look).fetchone()
        return Outcome("ok", tuple(stored))
    return outcome


def _attempt(connection: sqlite3.Connection, step: Step) -> Outcome:
    if step.matches is not None:
        refused = _looked(connection, step)
        if refused is not None:
            return refused
    try:
        if connection.execute(*step.main).rowcount:
            return OK
    except sqlite3.IntegrityError as error:
        return _told(connection, step, error)
    return _looked(connection, step) or MISSING


def _looked(connection: sqlite3.Connection, step: Step) -> Outcome | None:
    """Why the row that is stored refuses the write, or None if it does not."""
    write = step.write
    row = connection.execute(*step.look).fetchone()
    if row is None:
        return MISSING if write.op in ("update", "delete") else None
    *stored, holds = row
    if write.op == "create" or write.absent:
        return Outcome("exists", tuple(stored))
    values = None if step.matches is None or not holds else write.bound.values_from_row(tuple(stored))
    if holds and (step.matches is None or values is None or step.matches(values)):
        return None
    return Outcome("condition", tuple(stored))


def _told(connection: sqlite3.Connection, step: Step, error: sqlite3.IntegrityError) -> Outcome:
    """The outcome of a write that met a value which is taken; the key comes before the other fields."""
    taken = errors.taken(error)
    if taken is None:
        raise error
    refused = _looked(connection, step)
    if refused is not None:
        return refused
    field = step.table.taken.get(taken)
    return Outcome("exists" if taken in step.table.taken and field is None else "unique", None, field)


def _evicted(connection: sqlite3.Connection, step: Step) -> bool:
    """Whether rows that count as absent were in the way and have been removed."""
    eviction = step.evict
    if eviction is None:
        return False
    if eviction.matches is None:
        return connection.execute(*eviction.delete).rowcount > 0
    removed = False
    table = step.table
    for row in connection.execute(*eviction.candidates).fetchall():
        if eviction.matches(step.write.bound.values_from_row(row)):
            key = [row[position] for position in table.key_positions]
            removed = connection.execute(table.delete_sql, key).rowcount > 0 or removed
    return removed


def plan_of(writes: Sequence[Write]) -> Plan:
    """The plan of writes that belong together."""
    write = writes[0]
    if len(writes) > 1 or write.side_writes or write.adds:
        return Unit(writes)
    table: Table = write.bound.native
    where = None
    if write.condition is not None and write.op != "create":
        where = table.compiler.where(write.condition)
        if where.residual is not None:
            return Unit(writes)
    may_miss = where is None and write.op in ("update", "delete")
    return Single(*main_statement(table, write, where), may_miss, lambda: write)


def plain_plan(bound: Bound, op: Operation, key: KeyValue, record: Any, changes: Any) -> Plan:
    """The plan of one write with no condition and no side write."""
    table: Table = bound.native
    if op == "create":
        return Single(table.insert_sql, table.row_of(record), False, lambda: Write(op, bound, key, record, changes))
    return plan_of((Write(op, bound, key, record, changes),))


def batch_of(table: Table, writes: Sequence[Write]) -> Plan:
    """The plan of writes that each stand for themselves; creates and plain upserts of one kind are one statement."""
    op = writes[0].op
    if op not in ("create", "upsert") or any(write.op != op or not _whole(write) for write in writes):
        return Each(writes)
    return Batch(table, table.insert_sql if op == "create" else table.upsert_sql, writes)


def _whole(write: Write) -> bool:
    """Whether the bare statement is right as long as nothing is in the way of it."""
    if write.side_writes or write.absent:
        return False
    return write.op == "create" or (write.changes is None and write.condition is None and write.evict is None)
