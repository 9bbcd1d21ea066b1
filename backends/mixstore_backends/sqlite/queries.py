"""Reads: from keys and queries to plans. Compiling is pure; a plan's `run` is what `execute()` does with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.errors import UnsupportedOperationError, ValidationError
from mixstore.planned import Plan, QueryPlan, Rows
from mixstore.search import by_score
from mixstore_backends.sqlite import fts, vectors
from mixstore_backends.sqlite.access import access, by_rendered_key, by_rendered_order, forced_index
from mixstore_backends.sqlite.compiler import Compiler, Place, Where, after
from mixstore_backends.sqlite.layout import Table, quoted
from mixstore_backends.sqlite.lookups import NOTHING, Sql, joined
from mixstore_backends.sqlite.operands import FOUND_ROW, FOUND_SCORE

if TYPE_CHECKING:
    from mixstore.query import Query
    from mixstore.search import Search
    from mixstore.write import KeyValue

KEYS_AT_ONCE = 500
FIRST_PAGE = 500
LARGEST_LIMIT = 2**63 - 1


# -- by key --------------------------------------------------------------------------------------------------------


class PointRead(Plan):
    """One row by its key: a list of the row or None."""

    __slots__ = ("parameters", "sql")

    def __init__(self, sql: str, parameters: tuple[Any, ...]) -> None:
        self.sql = sql
        self.parameters = parameters

    def run(self, connection: sqlite3.Connection) -> list[Any]:
        try:
            return [connection.execute(self.sql, self.parameters).fetchone()]
        except UnicodeEncodeError:
            return [None]  # a lone surrogate: no row can have such a key


class KeysRead(Plan):
    """Several rows by their keys, of one moment: a list of rows or None, in the order of the keys."""

    __slots__ = ("keys", "table")

    def __init__(self, table: Table, keys: list[tuple[Any, ...] | None]) -> None:
        self.table = table
        self.keys = keys

    def run(self, connection: sqlite3.Connection) -> list[Any]:
        wanted = [key for key in dict.fromkeys(self.keys) if key is not None and all(map(_is_text, key))]
        connection.execute("BEGIN")
        try:
            found = self._by_one(connection, wanted) if len(self.table.keys) > 1 else self._many(connection, wanted)
        finally:
            connection.execute("COMMIT")
        return [None if key is None else found.get(key) for key in self.keys]

    def _by_one(self, connection: sqlite3.Connection, wanted: list[tuple[Any, ...]]) -> dict[Any, Any]:
        sql = self.table.get_sql
        return {key: connection.execute(sql, key).fetchone() for key in wanted}

    def _many(self, connection: sqlite3.Connection, wanted: list[tuple[Any, ...]]) -> dict[Any, Any]:
        table = self.table
        position = list(table.columns).index(table.keys[0].name)
        found: dict[Any, Any] = {}
        for start in range(0, len(wanted), KEYS_AT_ONCE):
            some = [key[0] for key in wanted[start : start + KEYS_AT_ONCE]]
            sql = f"{table.select_sql} WHERE {table.keys[0].sql} IN ({', '.join('?' * len(some))})"
            found.update({(row[position],): row for row in connection.execute(sql, some)})
        return found


def _is_text(part: Any) -> bool:
    """False for text with a lone surrogate, which no row has in its key."""
    if isinstance(part, str) and not part.isascii():
        try:
            part.encode()
        except UnicodeEncodeError:
            return False
    return True


def point_read(table: Table, keys: Sequence[KeyValue]) -> Plan:
    """The plan that reads these keys. A key that no row can hold is not there."""
    if len(keys) == 1 and table.encode_key is None:
        return PointRead(table.get_sql, keys[0])
    encoded: list[tuple[Any, ...] | None] = []
    for key in keys:
        try:
            encoded.append(table.key_of(key))
        except ValidationError:
            encoded.append(None)
    if len(encoded) == 1 and encoded[0] is not None:
        return PointRead(table.get_sql, encoded[0])
    return KeysRead(table, encoded)


# -- queries -------------------------------------------------------------------------------------------------------


class Found(tuple[Any, ...]):
    """A row that a search found."""

    score: float

    @classmethod
    def of(cls, row: Any, score: float) -> Found:
        """A row with its score."""
        found = cls(row)
        found.score = score
        return found


class Select(QueryPlan):
    """Rows of a query; with a `size` they come page by page. scored: where rows have their score."""

    __slots__ = ("following", "parameters", "scored", "size", "sql")

    def __init__(
        self,
        sql: Sql,
        where: Where,
        *,
        ordered: bool = True,
        size: int | None = None,
        following: Callable[[Any], Select] | None = None,
        scored: int | None = None,
        **told: Any,
    ) -> None:
        super().__init__(
            "select",
            request={"sql": sql.text, "parameters": list(sql.parameters)},
            pushed=where.terms[0] if len(where.terms) == 1 else where.pushed,
            residual=where.residual,
            ordered=ordered,
            sliced=ordered and where.residual is None,
            **told,
        )
        self.sql = sql.text
        self.parameters = sql.parameters
        self.size = size
        self.following = following
        self.scored = scored

    def run(self, connection: sqlite3.Connection) -> Rows:
        rows = connection.execute(self.sql, self.parameters).fetchall()
        more = None if self.following is None or len(rows) != self.size else self.following(rows[-1])
        if self.scored is not None:
            at = self.scored
            rows = [Found.of(row, row[at]) for row in rows if row[at] is not None]
        return Rows(rows, more)


class Count(QueryPlan):
    """How many rows match."""

    __slots__ = ("parameters", "sql")

    def __init__(self, sql: Sql, where: Where, **told: Any) -> None:
        request = {"sql": sql.text, "parameters": list(sql.parameters)}
        super().__init__("count", request=request, pushed=where.pushed, **told)
        self.sql = sql.text
        self.parameters = sql.parameters

    def run(self, connection: sqlite3.Connection) -> int:
        return int(connection.execute(self.sql, self.parameters).fetchone()[0])


def select(table: Table, compiler: Compiler, query: Query) -> Select:
    """The plan of a query."""
    where = compiler.where(query.where)
    wanted = query.search is not None and query.fields is None and fts.has_words(query.search)
    scored = wanted or query.similar is not None or by_score(query)
    source = source_of(table, query, scored)
    condition = condition_of(table, where, query, scored)
    columns = compiler.order(query.order)
    told = access(compiler, where, query, columns)
    if where.residual is not None or columns is None:
        pages = Pages(table, source, where, condition, columns, told)
        return pages.plan(None if columns is None or query.limit is None else FIRST_PAGE)
    text = f"SELECT {source.names} FROM {source.sql.text}{condition.text}"
    parameters = source.sql.parameters + condition.parameters
    if columns:
        turned = by_rendered_order(table, query, where.terms)
        text += _order_by(columns if turned is None else [Place(table.keys[-1].sql, False, turned)])
    if query.limit is not None or query.offset:
        text += " LIMIT ? OFFSET ?" if query.offset else " LIMIT ?"
        limit = -1 if query.limit is None else min(query.limit, LARGEST_LIMIT)
        parameters += (limit, min(query.offset, LARGEST_LIMIT)) if query.offset else (limit,)
    return Select(Sql(text, parameters), where, scored=source.scored, **told)


def count(table: Table, compiler: Compiler, query: Query) -> QueryPlan:
    """The plan that counts; if something is residual, the rows to count."""
    where = compiler.where(query.where)
    if where.residual is not None:
        return select(table, compiler, query)
    scored = by_score(query)
    rows, condition = source_of(table, query, scored).sql, condition_of(table, where, query, scored)
    sql = Sql(f"SELECT COUNT(*) FROM {rows.text}{condition.text}", rows.parameters + condition.parameters)
    return Count(sql, where, **access(compiler, where, query, None))


class _Source(NamedTuple):
    """What rows are selected from, and their columns; scored: where among these the score of a search is."""

    sql: Sql
    names: str
    scored: int | None


def source_of(table: Table, query: Query, scored: bool) -> _Source:
    """The table, by the index that is asked for; with the scores of a search if these are wanted."""
    if query.similar is not None:
        return _joined(table, vectors.scores(table, query.similar))
    if scored and query.search is not None:
        sought, name = _sought(table, query.search), quoted(fts.name_of(table))
        score = fts.score(table, query.search)
        found = f"SELECT rowid AS {FOUND_ROW}, {score} AS {FOUND_SCORE} FROM {name} WHERE {name} MATCH ?"
        if sought is None:
            found = f"SELECT 0 AS {FOUND_ROW}, 0.0 AS {FOUND_SCORE} WHERE 0"
        return _joined(table, Sql(found, () if sought is None else (sought,)))
    index = forced_index(table, query)
    text = table.sql if index is None else f"{table.sql} INDEXED BY {quoted(index)}"
    return _Source(Sql(text), table.names_sql, None)


def _joined(table: Table, found: Sql) -> _Source:
    """The table, beside what tells the scores of its rows."""
    joined_to = f"{table.sql} JOIN ({found.text}) ON {FOUND_ROW} = {table.sql}.{table.rowid_sql}"
    return _Source(Sql(joined_to, found.parameters), f"{table.names_sql}, {FOUND_SCORE}", len(table.columns))


def condition_of(table: Table, where: Where, query: Query, scored: bool) -> Sql:
    """` WHERE ...`, or nothing."""
    parts = [where.sql] if where.terms else []
    if table.schema.template is not None:
        parts += by_rendered_key(table, where.terms)
    if query.search is not None and not scored:
        parts.append(_search(table, query.search))
    if not parts:
        return Sql("")
    whole = joined(parts, " AND ")
    return Sql(f" WHERE {whole.text}", whole.parameters)


def _sought(table: Table, search: Search) -> str | None:
    """What FTS5 is asked; None if there is no word."""
    unknown = [name for name in search.fields or table.schema.searchable if name not in table.searchable]
    if unknown:
        raise UnsupportedOperationError(
            f"{table.schema.name}.{unknown[0]} is stored opaque and can't be searched", model=table.schema.model
        )
    return fts.match(table, search)


def _search(table: Table, search: Search) -> Sql:
    sought = _sought(table, search)
    if sought is None:
        return NOTHING
    name = quoted(fts.name_of(table))
    return Sql(f"{table.rowid_sql} IN (SELECT rowid FROM {name} WHERE {name} MATCH ?)", (sought,))


def _order_by(columns: Sequence[Place]) -> str:
    return " ORDER BY " + ", ".join([f"{one.sql} DESC" if one.descending else one.sql for one in columns])


class Pages:
    """A query of which something is left to the kernel: all rows at once, or growing pages, each after the last row."""

    def __init__(
        self, table: Table, source: _Source, where: Where, condition: Sql, columns: list[Place] | None, told: Any
    ) -> None:
        self.table = table
        self.source = source
        self.where = where
        self.condition = condition
        self.ordered = columns is not None
        self.columns = [*(columns or ()), Place(table.rowid_sql, False, False)]
        self.told = told

    def plan(self, size: int | None, place: Sequence[Place] = ()) -> Select:
        """The rows after a place; `size` is how many, None for all."""
        condition, where = self.condition, self.where
        extra = ", ".join(one.sql for one in self.columns)
        names, rows = self.source.names, self.source.sql
        text = f"SELECT {f'{names}, {extra}' if size else names} FROM {rows.text}{condition.text}"
        parameters = rows.parameters + condition.parameters
        if place:
            beyond = after(place)
            text += f"{' AND' if condition.text else ' WHERE'} {beyond.text}"
            parameters += beyond.parameters
        if size or len(self.columns) > 1:
            text += _order_by(self.columns)
        if size:
            text += " LIMIT ?"
            parameters += (size,)
        following = None if size is None else lambda row: self._after(size, row)
        told = {"ordered": self.ordered, "scored": self.source.scored, **self.told}
        return Select(Sql(text, parameters), where, size=size, following=following, **told)

    def _after(self, size: int, row: Any) -> Select:
        values = row[len(self.table.columns) + (self.source.scored is not None) :]
        places = [one._replace(value=value) for one, value in zip(self.columns, values, strict=True)]
        return self.plan(size * 4, places)
