"""`SQLiteBackend`: the embedded default. It compiles to SQL, and `execute()` is its only I/O."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mixstore.adapter import decode_one, straight_line
from mixstore.backend import Capability
from mixstore.errors import ConfigurationError, nearest
from mixstore.planned import Plan, PlannedBackend, QueryPlan
from mixstore.search import Hit
from mixstore_backends.sqlite import ddl, drift, errors, queries, removals, units
from mixstore_backends.sqlite.adapter import SQLiteAdapter
from mixstore_backends.sqlite.connections import MEMORY, Connections
from mixstore_backends.sqlite.layout import Table, adapts_by_itself

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.drift import Drift
    from mixstore.query import Query
    from mixstore.write import KeyValue, Operation, Write

OPTIONS = ("synchronous", "timeout")
SYNCHRONOUS = ("full", "normal", "off", "extra")


class SQLiteBackend(PlannedBackend):
    """Rows in a file (in WAL mode, one connection a thread) or in memory (one connection for all).

    path: of the file, or ":memory:". timeout: how many seconds to wait for a lock before BackendUnavailableError.
    synchronous: "full" loses nothing that was acknowledged, even if the power fails; "normal" may then lose the last
    writes, never the order of them, and waits for the disk less.
    """

    backend_name = errors.NAME
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
        | Capability.VECTORS
        | Capability.SECONDARY_INDEXES
    )
    adapter: SQLiteAdapter

    def __init__(
        self,
        path: str | os.PathLike[str],
        adapter: SQLiteAdapter | None = None,
        *,
        timeout: float = 5.0,
        synchronous: str = "full",
    ) -> None:
        if adapter is not None and not isinstance(adapter, SQLiteAdapter):
            raise ConfigurationError(f"the adapter of SQLite is an SQLiteAdapter, not a {type(adapter).__name__}")
        super().__init__(adapter or SQLiteAdapter())
        self.path = _checked_path(path)
        _check_options(timeout, synchronous)
        self._connections = Connections(self.path, timeout, synchronous)
        self._shared = self._connections.in_memory
        self._tables: dict[str, Table] = {}

    @classmethod
    def from_url(cls, url: str) -> SQLiteBackend:
        """`sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` (in memory).

        Options: `?timeout=30`, `?synchronous=normal`.
        """
        parts = urlsplit(url)
        if parts.netloc or parts.fragment:
            raise ConfigurationError(
                f"{url!r}: a file needs three slashes, an absolute path four",
                hint="sqlite:///relative.db, sqlite:////absolute.db, or sqlite:// for a database in memory",
            )
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in options:
            if name not in OPTIONS:
                raise ConfigurationError(f"{url!r}: there is no option {name!r}", hint=nearest(name, OPTIONS))
        path = unquote(parts.path[1:])
        timeout = options.get("timeout", "5")
        try:
            seconds = float(timeout)
        except ValueError:
            raise ConfigurationError(f"{url!r}: timeout is a number of seconds, not {timeout!r}") from None
        return cls(path or MEMORY, timeout=seconds, synchronous=options.get("synchronous", "full").lower())

    def close(self) -> None:
        """Close all connections, those of other threads too. A closed backend stays closed."""
        self._connections.close()

    # -- binding ---------------------------------------------------------------------------------------------------

    def prepare(self, bound: Bound) -> Table:
        entity = self.adapter.get_entity_type(bound.model)
        other = self._tables.get(entity.lower())
        if other is not None and other.name != entity:
            raise ConfigurationError(
                f"{bound.schema.name} and {other.schema.name} would share a table: "
                f"{entity!r} and {other.name!r} differ in case only",
                model=bound.model,
                hint='give one of them another name: class Meta: entity = "..."',
            )
        writes_itself, _ = adapts_by_itself(self.adapter)
        table = Table(bound, entity, bool(bound.chain.serialize) or writes_itself)
        self._tables[entity.lower()] = table
        ddl.holding(table)
        return table

    def row_record(self, bound: Bound) -> Callable[[Any], dict[str, Any]]:
        table: Table = bound.native
        return table.record_maker()

    def row_values(self, bound: Bound) -> Callable[[Any], dict[str, Any]] | None:
        table: Table = bound.native
        _, reads_itself = adapts_by_itself(self.adapter)
        if reads_itself or table.has_extra or bound.chain.opaque:
            return None
        return _row_reader(table)

    def row_hit(self, row: Any) -> Hit | None:
        return Hit(row.score) if type(row) is queries.Found else None

    def row_with_hit(self, row: Any, hit: Hit) -> queries.Found:
        return queries.Found.of(row, hit.score or 0.0)

    def initialize_bound(self, bounds: Sequence[Bound]) -> None:
        """Create or extend the table of each model, each in a transaction of its own."""
        for bound in bounds:
            self.execute(_Initialize(bound.native))

    def drift_bound(self, bounds: Sequence[Bound]) -> list[Drift]:
        """What of the tables of these models is not as declared, over a connection that can't write."""
        tables = [bound.native for bound in bounds]
        try:
            if not self._shared:
                return drift.of_file(self.path, self._connections.timeout, tables)
            with self._connections.lock:
                return drift.found(self._connections.get(), tables)
        except sqlite3.Error as error:
            raise errors.translated(error, self.path) from error

    # -- compiling -------------------------------------------------------------------------------------------------

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        return queries.point_read(bound.native, keys)

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        return queries.select(bound.native, bound.native.compiler, query)

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        return queries.count(bound.native, bound.native.compiler, query)

    def compile_delete_all(self, bound: Bound, query: Query) -> QueryPlan | None:
        return removals.removal(bound.native, query)

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        return units.plan_of(writes)

    def compile_plain(
        self,
        bound: Bound,
        operation: Operation,
        key: KeyValue,
        record: dict[str, Any] | None,
        changes: dict[str, Any] | None,
    ) -> Plan:
        return units.plain_plan(bound, operation, key, record, changes)

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Plan | None:
        return units.batch_of(bound.native, writes)

    # -- executing -------------------------------------------------------------------------------------------------

    def execute(self, plan: Any) -> Any:
        try:
            if not self._shared:
                return self._in_turn(plan) if isinstance(plan, units.Writing) else plan.run(self._connections.get())
            with self._connections.lock:
                return plan.run(self._connections.get())
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise errors.translated(error, self.path) from error

    def _in_turn(self, plan: units.Writing) -> Any:
        """Threads of one process queue for their turn. SQLite would let each sleep and try again, and some starve."""
        turn = self._connections.turn
        mine = turn.acquire(timeout=self._connections.timeout)
        try:
            return plan.run(self._connections.get())
        finally:
            if mine:
                turn.release()


class _Initialize(Plan):
    """The DDL of one table, in one transaction."""

    __slots__ = ("table",)

    def __init__(self, table: Table) -> None:
        self.table = table

    def run(self, connection: sqlite3.Connection) -> None:
        with units.transaction(connection):
            ddl.initialize(connection, self.table)


def _row_reader(table: Table) -> Callable[[Any], dict[str, Any]]:
    """row -> python values, by position; what does not decode is looked at again, so that the error can name it."""
    schema, to_record = table.schema, table.record_maker()
    decoders = {name: column.codec.decode for name, column in table.fields.items()}
    places = {name: f"d[{position}]" for position, name in enumerate(table.columns) if name in table.fields}

    def patiently(row: Any, error: Exception) -> dict[str, Any]:
        record = to_record(row)
        return {name: decode_one(schema, spec, record, decoders[name]) for name, spec in schema.fields.items()}

    return straight_line("decode_row", places, decoders, patiently)  # type: ignore[no-any-return]


def _checked_path(path: str | os.PathLike[str]) -> str:
    told = os.fspath(path)
    if not isinstance(told, str) or not told or "\0" in told:
        raise ConfigurationError(f"{told!r} is no path of a database", hint='a file, or ":memory:"')
    # Threads open the file later, when the working folder may be another one.
    return told if told == MEMORY else os.path.abspath(told)


def _check_options(timeout: Any, synchronous: Any) -> None:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout < 2**31 / 1000:
        raise ConfigurationError(f"timeout is a number of seconds from 0 on, not {timeout!r}")
    if synchronous not in SYNCHRONOUS:
        raise ConfigurationError(
            f"synchronous is one of {', '.join(SYNCHRONOUS)}, not {synchronous!r}",
            hint=nearest(str(synchronous), SYNCHRONOUS),
        )
