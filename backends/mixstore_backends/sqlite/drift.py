"""What of the tables is not as their models declare it: columns, keys, indexes, full-text search. Never writes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from urllib.parse import quote

from mixstore.drift import Drift
from mixstore_backends.sqlite import ddl, fts
from mixstore_backends.sqlite.layout import EXTRA, ROWID, Column, Table, quoted

NOTHING = "-"
ANEW = "export the rows, drop the table, initialize() and import them; or give the model another Meta.entity"
COPY = "a changed type needs a new field; copy the values, then drop the old one"


def of_file(path: str, timeout: float, tables: Sequence[Table]) -> list[Drift]:
    """As `found`, over a connection that can't write; a file that is not there is not made."""
    if not os.path.exists(path):
        return [_missing(table) for table in tables]
    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", timeout=timeout, uri=True)) as connection:
        return found(connection, tables)


def found(connection: sqlite3.Connection, tables: Sequence[Table]) -> list[Drift]:
    """All differences, table by table."""
    return [one for table in tables for one in _of_table(connection, table)]


def _of_table(connection: sqlite3.Connection, table: Table) -> Iterator[Drift]:
    there = ddl.columns_there(connection, table)
    if not there:
        yield _missing(table)
        return
    key = ddl.other_key(connection, table, there)
    if key is not None:
        declared = ", ".join(column.name for column in table.keys)
        yield Drift((table.schema.model,), f"key of table {table.name}", declared, ", ".join(key), ANEW)
    for column in table.columns.values():
        one = there.get(column.name)
        yield from _lacking(connection, table, column) if one is None else _column(connection, table, column, one)
    own = {ROWID, EXTRA, *table.columns}
    yield from (_leftover(table, one) for one in there.values() if one.name not in own and not one.key)
    yield from _indexes(connection, table)
    yield from _search(connection, table)


def _missing(table: Table) -> Drift:
    columns = ", ".join(f"{column.name} {column.sql_type}" for column in table.columns.values())
    return Drift((table.schema.model,), f"table {table.name}", columns, NOTHING, "initialize() makes it")


def _drift(table: Table, what: str, declared: str, real: str, plan: str) -> Drift:
    return Drift((table.schema.model,), f"{what} of table {table.name}", declared, real, plan)


def _lacking(connection: sqlite3.Connection, table: Table, column: Column) -> Iterator[Drift]:
    addable = column.nullable or ddl.default_of(table, column) is not None or _is_empty(connection, table)
    plan = (
        "initialize() adds it"
        if addable
        else "give the field a constant default, or make it Optional: there are rows that have no value for it"
    )
    yield _drift(table, f"column {column.name}", _told(column.sql_type, not column.nullable), NOTHING, plan)


def _column(connection: sqlite3.Connection, table: Table, column: Column, there: ddl.Found) -> Iterator[Drift]:
    declared, real = _told(column.sql_type, not column.nullable), _told(there.sql_type, there.not_null)
    what = f"column {column.name}"
    if there.sql_type != column.sql_type:
        yield _drift(table, what, declared, real, COPY)
    elif there.not_null and column.nullable:
        yield _drift(table, what, declared, real, f"{ANEW}; or keep the field required")
    elif not there.not_null and not column.nullable and not there.key and _has_null(connection, table, column):
        fill = f"UPDATE {table.sql} SET {column.sql} = ... WHERE {column.sql} IS NULL"
        yield _drift(table, what, declared, f"{real}, and NULL in some rows", fill)


def _leftover(table: Table, there: ddl.Found) -> Drift:
    drop = f"ALTER TABLE {table.sql} DROP COLUMN {quoted(there.name)}"
    needed = there.not_null and not there.has_default
    plan = f"no row can be stored: {drop}, or give the field back" if needed else f"leave it, or {drop}"
    return _drift(table, f"column {there.name}", NOTHING, _told(there.sql_type, there.not_null), plan)


def _indexes(connection: sqlite3.Connection, table: Table) -> Iterator[Drift]:
    wanted, there = ddl.wanted_indexes(table), ddl.indexes_there(connection, table)
    for name in {**wanted, **there}:
        declared, real = wanted.get(name), there.get(name)
        if declared is None or real is None or ddl.differs(name, real, declared):
            plan = "adds it" if real is None else "drops it" if declared is None else "makes it anew"
            yield _drift(table, f"index {name}", declared or NOTHING, real or NOTHING, f"initialize() {plan}")


def _search(connection: sqlite3.Connection, table: Table) -> Iterator[Drift]:
    name = fts.name_of(table)
    kind = connection.execute("SELECT sql FROM sqlite_master WHERE name = ? COLLATE NOCASE", (name,)).fetchone()
    ours = kind is not None and str(kind[0]).startswith("CREATE VIRTUAL TABLE")
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({quoted(name)})")] if ours else []
    declared = [fts.column_of(table, field) for field in table.searchable]
    if columns != declared:
        plan = "initialize() makes it anew, of all rows" if declared else "initialize() drops it"
        yield _drift(table, "search", ", ".join(declared) or NOTHING, ", ".join(columns) or NOTHING, plan)


def _told(sql_type: str, not_null: bool) -> str:
    return f"{sql_type} NOT NULL" if not_null else sql_type


def _is_empty(connection: sqlite3.Connection, table: Table) -> bool:
    return connection.execute(f"SELECT 1 FROM {table.sql} LIMIT 1").fetchone() is None


def _has_null(connection: sqlite3.Connection, table: Table, column: Column) -> bool:
    sql = f"SELECT 1 FROM {table.sql} WHERE {column.sql} IS NULL LIMIT 1"
    return connection.execute(sql).fetchone() is not None
