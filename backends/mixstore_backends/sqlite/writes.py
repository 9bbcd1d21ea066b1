"""Writes: from `Write` to the statements that do it. Pure; `units` runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mixstore.errors import ValidationError
from mixstore.expressions import matcher
from mixstore.unicode import text
from mixstore.write import REMOVE, Add, Write
from mixstore_backends.sqlite.compiler import Compiler, Where
from mixstore_backends.sqlite.layout import EXTRA, Column, Table
from mixstore_backends.sqlite.lookups import Sql
from mixstore_backends.sqlite.values import to_text

Matches = Callable[[Mapping[str, Any]], bool]


class Eviction:
    """Which rows are in the way of a write and count as absent.

    `candidates` selects rows that are in the way; `delete` removes those of them that the SQL part of the filter finds.
    With a residual part (`matches`), the candidates are looked at one by one instead.
    """

    __slots__ = ("candidates", "delete", "matches")

    def __init__(self, table: Table, in_the_way: Sql, where: Where) -> None:
        filtered = f"{in_the_way.text} AND {where.sql.text}"
        parameters = in_the_way.parameters + where.sql.parameters
        self.candidates = Sql(f"{table.select_sql} WHERE {filtered}", parameters)
        self.delete = Sql(f"DELETE FROM {table.sql} WHERE {filtered}", parameters)
        self.matches: Matches | None = None if where.residual is None else matcher(where.residual)


class Step:
    """One write, ready to run inside a transaction.

    `main` does it; it changes no row if there is none or the condition does not hold. `look` gives the stored row and
    whether the condition (its SQL part) holds on it; `matches` is the residual part.
    """

    __slots__ = ("evict", "look", "main", "matches", "table", "write")

    def __init__(self, write: Write) -> None:
        table: Table = write.bound.native
        compiler = table.compiler
        where = compiler.where(write.condition) if write.condition is not None and write.op != "create" else None
        self.table = table
        self.write = write
        self.main = main_statement(table, write, where)
        self.matches: Matches | None = None
        if where is not None and where.residual is not None:
            self.matches = matcher(where.residual)
        holds = "1" if where is None else where.sql.text
        parameters = () if where is None else where.sql.parameters
        self.look = Sql(
            f"SELECT {table.names_sql}, {holds} FROM {table.sql} WHERE {table.where_key}",
            parameters + table.key_of(write.key),
        )
        self.evict = _eviction(table, compiler, write)


def main_statement(table: Table, write: Write, where: Where | None) -> Sql:
    """The statement of one write, with its condition."""
    condition = None if where is None or where.sql.text == "1" else where.sql
    match write.op:
        case "create":
            return Sql(table.insert_sql, table.row_of(write.record or {}))
        case "upsert":
            base = Sql(table.insert_sql if write.absent else table.upsert_sql, table.row_of(write.record or {}))
            if write.changes is not None:
                base = _merged(table, write)
            return base if write.absent else _with(base, " WHERE ", condition)
        case "update":
            return _with(_update(table, write), " AND ", condition)
        case "delete":
            return _with(Sql(table.delete_sql, table.key_of(write.key)), " AND ", condition)
        case _:
            raise TypeError(f"SQLite knows no write {write.op!r}")


def _merged(table: Table, write: Write) -> Sql:
    """An upsert that changes a row which is there."""
    changed = _assignments(table, write.changes or {})
    keys = ", ".join(column.sql for column in table.keys)
    inserted = f"{table.insert_sql} ON CONFLICT ({keys}) DO UPDATE SET {', '.join(part.text for part in changed)}"
    return Sql(inserted, (*table.row_of(write.record or {}), *_parameters(changed)))


def _with(base: Sql, word: str, condition: Sql | None) -> Sql:
    if condition is None:
        return base
    return Sql(f"{base.text}{word}{condition.text}", base.parameters + condition.parameters)


def _update(table: Table, write: Write) -> Sql:
    changes = write.changes or {}
    plain = not table.has_extra and all(type(value) is not Add and value is not REMOVE for value in changes.values())
    if plain and changes:
        names = tuple(changes)
        sql = table.update_sql.get(names)
        if sql is None:
            sql = table.update_sql[names] = _update_sql(table, [f"{_column(table, name).sql} = ?" for name in names])
        values = tuple([table.stored(name, value) for name, value in changes.items()])
        return Sql(sql, values + table.key_of(write.key))
    parts = _assignments(table, changes)
    return Sql(_update_sql(table, [part.text for part in parts]), _parameters(parts) + table.key_of(write.key))


def _assignments(table: Table, changes: Mapping[str, Any]) -> list[Sql]:
    """What stands after SET; it is never empty."""
    parts: list[Sql] = []
    extra: dict[str, Any] = {}
    for name, value in changes.items():
        if name in table.columns:
            parts.append(_assigned(table, table.columns[name], value))
        else:
            extra[name] = value
    if extra:
        parts.append(_patched(table, extra))
    if not parts:
        key = table.keys[0].sql
        parts.append(Sql(f"{key} = {key}"))
    return parts


def _update_sql(table: Table, assignments: list[str]) -> str:
    return f"UPDATE {table.sql} SET {', '.join(assignments)} WHERE {table.where_key}"


def _column(table: Table, name: str) -> Column:
    column = table.columns.get(name)
    if column is None:
        raise _no_place(table, name)
    return column


def _no_place(table: Table, name: str) -> ValidationError:
    return ValidationError(
        f"{table.schema.name} has no column for the attribute {name!r}",
        field=name,
        model=table.schema.model,
        hint="only an extension's `serialize` adds attributes",
    )


def _assigned(table: Table, column: Column, value: Any) -> Sql:
    if value is REMOVE:
        return Sql(f"{column.sql} = NULL")
    if not isinstance(value, Add):
        return Sql(f"{column.sql} = ?", (table.stored(column.name, value),))
    by = value.by if isinstance(value.by, (int, float, str)) or column.codec.encode is None else _by(column, value.by)
    if column.form == "decimal":
        return Sql(f"{column.sql} = mixstore_decimal_sum({column.sql}, ?)", (str(by),))
    if column.form not in ("int", "float"):
        raise ValidationError(
            f"{table.schema.name}.{column.name} is no number to add to", field=column.name, model=table.schema.model
        )
    return Sql(f"{column.sql} = coalesce({column.sql}, 0) + ?", (by,))


def _by(column: Column, value: Any) -> Any:
    return value if column.codec.encode is None else column.codec.encode(value)


def _patched(table: Table, extra: Mapping[str, Any]) -> Sql:
    """Attributes that extensions added, changed inside of their JSON without a read."""
    if not table.has_extra:
        raise _no_place(table, next(iter(extra)))
    kept = {name: value for name, value in extra.items() if value is not REMOVE}
    table.extra_text(kept)
    patch = {"set": kept, "remove": [name for name, value in extra.items() if value is REMOVE]}
    column = table.columns[EXTRA].sql
    return Sql(f"{column} = mixstore_patched({column}, ?)", (text(to_text(patch)),))


# -- rows in the way -----------------------------------------------------------------------------------------------


def _eviction(table: Table, compiler: Compiler, write: Write) -> Eviction | None:
    if write.evict is None or write.op == "delete":
        return None
    own = Sql(table.where_key, table.key_of(write.key))
    source: Mapping[str, Any] = (write.changes if write.op == "update" else write.record) or {}
    unique = [_holder(table, name, source[name]) for name in table.unique if _is_value(source.get(name))]
    if write.op == "update":
        if not unique:
            return None
        in_the_way = Sql(f"({_any(unique)}) AND NOT ({own.text})", _parameters(unique) + own.parameters)
    else:
        in_the_way = Sql(f"({_any([own, *unique])})", own.parameters + _parameters(unique))
    return Eviction(table, in_the_way, compiler.where(write.evict))


def _is_value(value: Any) -> bool:
    return value is not None and value is not REMOVE and not isinstance(value, Add)


def _holder(table: Table, name: str, value: Any) -> Sql:
    return Sql(f"{table.columns[name].sql} = ?", (value,))


def _any(pieces: list[Sql]) -> str:
    return " OR ".join(f"({piece.text})" for piece in pieces)


def _parameters(pieces: list[Sql]) -> tuple[Any, ...]:
    return tuple([value for piece in pieces for value in piece.parameters])
