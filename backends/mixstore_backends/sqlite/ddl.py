"""What a model needs in the database: its table, indexes and full-text search, made or extended by `initialize()`.

A table only ever grows here. What would lose data, or would need every row to be rewritten, is refused with a
SchemaError that names the table, the column and what to do.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from mixstore.envelopes import Envelope
from mixstore.errors import SchemaError, UnsupportedOperationError
from mixstore_backends.sqlite import fts
from mixstore_backends.sqlite.layout import ROWID, Column, KeyIndex, Table, quoted

SAMPLE = 50
"""So many rows are read to see whether stored values are what the model says now."""

_CONSTANT_FACTORIES = (list, dict, set, frozenset, tuple, str, int, float, bool, bytes)


class Found(NamedTuple):
    """A column as it is in the database."""

    name: str
    sql_type: str
    not_null: bool
    has_default: bool
    key: bool


# -- statements ----------------------------------------------------------------------------------------------------


def create_table(table: Table) -> str:
    """The statement that makes the table."""
    parts = [] if table.rowid is not None else [f"{quoted(ROWID)} INTEGER PRIMARY KEY"]
    parts += [definition(table, column) for column in table.columns.values()]
    if table.rowid is None:
        parts.append(f"UNIQUE ({', '.join(column.sql for column in table.keys)})")
    return f"CREATE TABLE {table.sql} ({', '.join(parts)}) STRICT"


def definition(table: Table, column: Column) -> str:
    """One column of it, with the constraints that follow from the type. Those of values are the model's.

    A default is there for programs that do not know the column (yet, or any more).
    """
    default = default_of(table, column)
    text = f"{column.sql} {column.sql_type}"
    if column is table.rowid:
        text += " PRIMARY KEY"
    if not column.nullable:
        text += " NOT NULL"
    if default is not None:
        text += f" DEFAULT {default}"
    if column.form == "bool":
        text += f" CHECK ({column.sql} IN (0, 1))"
    if column.form == "json":
        # Before SQLite 3.41, json_valid(NULL) is 0.
        null = f"{column.sql} IS NULL OR " if column.nullable else ""
        text += f" CHECK ({null}json_valid({column.sql}))"
    return text


def default_of(table: Table, column: Column) -> str | None:
    """The constant default of a field as SQL; None if it has none that SQL can say."""
    spec = table.schema.fields.get(column.name)
    if spec is None or not spec.has_default or column.form == "opaque":
        return None
    if spec.default_factory is not None and spec.default_factory not in _CONSTANT_FACTORIES:
        return None
    value = spec.make_default()
    if value is None:
        return None
    try:
        return _literal(value if column.codec.encode is None else column.codec.encode(value))
    except (ValueError, TypeError, AttributeError, KeyError):
        return None  # pydantic does not validate defaults


def _literal(value: Any) -> str | None:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float):
        return _float_literal(value)
    if isinstance(value, str):
        return None if "\0" in value else "'" + value.replace("'", "''") + "'"
    return str(value)


def _float_literal(value: float) -> str | None:
    if math.isinf(value):
        return "9e999" if value > 0 else "-9e999"
    # SQLite reads up to 15 digits exactly.
    return repr(value) if float(f"{value:.15g}") == value else None


def create_index(table: Table, field: str) -> str:
    """The statement that makes the index of a field."""
    name = table.index_names[field]
    on = f"{quoted(name)} ON {table.sql} ({table.columns[field].sql})"
    return f"CREATE UNIQUE INDEX {on}{holding(table)}" if field in table.unique else f"CREATE INDEX {on}"


def create_key_index(table: Table, index: KeyIndex) -> str:
    """The statement that makes a secondary index."""
    columns = ", ".join(quoted(column) for column in index.columns)
    return f"CREATE INDEX {quoted(index.name)} ON {table.sql} ({columns})"


def holding(table: Table) -> str:
    """The WHERE of unique indexes: which rows hold their unique values. An index takes no parameters."""
    freed = table.bound.chain.freed
    if freed is None or not table.unique:
        return ""
    where = table.compiler.where(~freed)
    literals = [_literal(value) for value in where.sql.parameters]
    if where.residual is not None or "mixstore_" in where.sql.text or None in literals:
        raise UnsupportedOperationError(
            f"{table.schema.name}: SQLite can't have an index of the rows where {~freed!r}, to free unique values",
            model=table.schema.model,
            backend="sqlite",
        )
    parts = where.sql.text.split("?")
    return " WHERE " + parts[0] + "".join(f"{text}{part}" for text, part in zip(literals, parts[1:], strict=True))


def wanted_indexes(table: Table) -> dict[str, str]:
    """The statements of all indexes, by name."""
    wanted = {name: create_index(table, field) for field, name in table.index_names.items()}
    return {**wanted, **{one.name: create_key_index(table, one) for one in table.key_indexes.values()}}


# -- in the database -----------------------------------------------------------------------------------------------


def columns_there(connection: sqlite3.Connection, table: Table) -> dict[str, Found]:
    """The columns that the table has, by name; none if it is not there."""
    rows = connection.execute(f"PRAGMA table_xinfo({table.sql})").fetchall()
    return {row[1]: Found(row[1], row[2], bool(row[3]), row[4] is not None, bool(row[5])) for row in rows}


def indexes_there(connection: sqlite3.Connection, table: Table) -> dict[str, str]:
    """The statements of the indexes that mixstore has made for the table, by name."""
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (table.name,)
    )
    ours = tuple(f"{kind}_{table.name}." for kind in ("ix", "ux", "gx"))
    wanted = wanted_indexes(table)
    return {name: sql for name, sql in rows.fetchall() if name.startswith(ours) or name in wanted}


def other_key(connection: sqlite3.Connection, table: Table, there: dict[str, Found]) -> list[str] | None:
    """The columns of the key of the table that is there, if they are not those of the model."""
    wanted = [column.name for column in table.keys]
    rowids = [found.name for found in there.values() if found.key]
    keys = [rowids]
    for name, unique, origin in connection.execute(
        'SELECT name, "unique", origin FROM pragma_index_list(?)', (table.name,)
    ).fetchall():
        if unique and origin in ("u", "pk"):
            keys.append([row[0] for row in connection.execute("SELECT name FROM pragma_index_info(?)", (name,))])
    own_rowid = table.rowid.name if table.rowid is not None else ROWID
    if wanted in keys and rowids == [own_rowid]:
        return None
    return next((key for key in keys if key and key != [ROWID]), rowids)


def initialize(connection: sqlite3.Connection, table: Table) -> None:
    """Make or extend one table, inside a transaction that is open."""
    there = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
        (table.name,),
    ).fetchone()
    if there is None:
        connection.execute(create_table(table))
    elif there != ("table", table.name):
        _refuse(table, f"there is a {there[0]} {there[1]!r} already", 'give the model another Meta.entity = "..."')
    _Migration(connection, table).run()


def _refuse(table: Table, problem: str, hint: str) -> NoReturn:
    raise SchemaError(f"table {table.name!r}: {problem}", model=table.schema.model, backend="sqlite", hint=hint)


class _Migration:
    """From the table that is there to the one that the model needs."""

    def __init__(self, connection: sqlite3.Connection, table: Table) -> None:
        self.connection = connection
        self.table = table
        self.there = columns_there(connection, table)
        self.empty = connection.execute(f"SELECT 1 FROM {table.sql} LIMIT 1").fetchone() is None

    def run(self) -> None:
        self._check_key()
        for column in self.table.columns.values():
            found = self.there.get(column.name)
            if found is None:
                self._add(column)
            else:
                self._check(column, found)
        self._check_leftovers()
        self._check_values()
        self._indexes()
        self._search()

    def _refuse(self, problem: str, hint: str) -> NoReturn:
        _refuse(self.table, problem, hint)

    def _check_key(self) -> None:
        told = other_key(self.connection, self.table, self.there)
        if told is not None:
            wanted = ", ".join(column.name for column in self.table.keys)
            self._refuse(
                f"its key is ({', '.join(told)}), the model's is ({wanted})",
                "export the rows, drop the table, initialize() and import them; or give the model another Meta.entity",
            )

    def _check(self, column: Column, found: Found) -> None:
        if found.sql_type != column.sql_type:
            self._check_owner(column)
            if found.sql_type == "ANY":
                self._refuse(
                    f"column {column.name!r} was made for an extension that replaces its values and is not active; the "
                    f"model needs {column.sql_type}",
                    "give the model its mixin back, and the field its option",
                )
            self._refuse(
                f"column {column.name!r} is {found.sql_type}, the model needs {column.sql_type}",
                "a changed type needs a new field; copy the values, then drop the old one",
            )
        if found.not_null and column.nullable:
            self._refuse(
                f"column {column.name!r} is NOT NULL, the model's field may be None",
                "export the rows, drop the table, initialize() and import them; or keep the field required",
            )
        if not found.not_null and not column.nullable and self._has_null(column):
            self._refuse(
                f"column {column.name!r} holds NULL in some rows, the model's field may not be None",
                f"UPDATE {self.table.sql} SET {column.sql} = ... WHERE {column.sql} IS NULL",
            )

    def _check_owner(self, column: Column) -> None:
        sql = f"SELECT {column.sql} FROM {self.table.sql} WHERE typeof({column.sql}) = 'blob' LIMIT {SAMPLE}"
        for envelope in (Envelope.read(value) for (value,) in self.connection.execute(sql)):
            if envelope is not None and column.form != "opaque":
                self._refuse(
                    f"column {column.name!r} was stored by the extension {envelope.owner!r}, which is not active",
                    "give the model its mixin back, and the field its option",
                )

    def _has_null(self, column: Column) -> bool:
        sql = f"SELECT 1 FROM {self.table.sql} WHERE {column.sql} IS NULL LIMIT 1"
        return self.connection.execute(sql).fetchone() is not None

    def _add(self, column: Column) -> None:
        text = definition(self.table, column)
        if not column.nullable and default_of(self.table, column) is None:
            if not self.empty:
                self._refuse(
                    f"column {column.name!r} is new and required, and there are rows that have no value for it",
                    "give the field a constant default, or make it Optional",
                )
            # SQLite adds a NOT NULL column only with a default; one that no row takes does no harm.
            text += " DEFAULT 'null'" if column.form == "json" else f" DEFAULT {_ZEROS[column.sql_type]}"
        self.connection.execute(f"ALTER TABLE {self.table.sql} ADD COLUMN {text}")

    def _check_leftovers(self) -> None:
        for found in self.there.values():
            needed = found.not_null and not found.has_default and not found.key
            if needed and found.name not in self.table.columns:
                self._refuse(
                    f"column {found.name!r} is NOT NULL and no field of the model any more, so no row could be stored",
                    f"ALTER TABLE {self.table.sql} DROP COLUMN {quoted(found.name)}, or give the field back",
                )

    def _check_values(self) -> None:
        """The first rows must decode: text that held strings may now be wanted as moments."""
        decoders: list[tuple[int, Column, Callable[[Any], Any]]] = [
            (position, column, column.codec.decode)
            for position, column in enumerate(self.table.columns.values())
            if column.codec.decode is not None and column.form != "opaque"
        ]
        for row in self.connection.execute(f"{self.table.select_sql} LIMIT {SAMPLE}"):
            for position, column, decode in decoders:
                try:
                    if row[position] is not None:
                        decode(row[position])
                except Exception as error:
                    self._refuse(
                        f"column {column.name!r} holds values that are no {column.field_type}: {error}",
                        "a changed type needs a new field; copy the values, then drop the old one",
                    )

    def _indexes(self) -> None:
        table = self.table
        wanted, there = wanted_indexes(table), indexes_there(self.connection, table)
        for name in list(there):
            if name not in wanted or differs(name, there[name], wanted[name]):
                self.connection.execute(f"DROP INDEX {quoted(name)}")
                del there[name]
        fields = {name: field for field, name in table.index_names.items()}
        for name, statement in wanted.items():
            if name not in there:
                self._index(statement, fields.get(name))

    def _index(self, statement: str, field: str | None) -> None:
        try:
            self.connection.execute(statement)
        except sqlite3.IntegrityError:
            if field is None:
                raise
            self._refuse(
                f"column {field!r} is to be unique, and several rows share a value",
                f"SELECT {quoted(field)}, count(*) FROM {self.table.sql} GROUP BY 1 HAVING count(*) > 1 finds them",
            )

    def _search(self) -> None:
        table = self.table
        name = fts.name_of(table)
        found = self.connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ? COLLATE NOCASE", (name,)
        ).fetchone()
        ours = found is not None and str(found[0]).startswith("CREATE VIRTUAL TABLE")
        if not ours and not table.searchable:
            return
        if found is not None and not ours:
            self._refuse(f"{name!r}, the place of its full-text index, is taken", "give the other model a Meta.entity")
        columns = [row[1] for row in self.connection.execute(f"PRAGMA table_info({quoted(name)})")]
        if columns == [fts.column_of(table, field) for field in table.searchable]:
            return
        for statement in [*fts.drop(table), *(fts.create(table) if table.searchable else [])]:
            self.connection.execute(statement)


def differs(name: str, there: str, wanted: str) -> bool:
    """Whether an index is of other columns or of other rows than it is to be."""
    return there.partition(quoted(name))[2] != wanted.partition(quoted(name))[2]


_ZEROS = {"TEXT": "''", "INTEGER": "0", "REAL": "0.0", "BLOB": "x''", "ANY": "0"}
