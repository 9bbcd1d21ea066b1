"""Deletes of all rows that a query finds, by statements of their own."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from mixstore.planned import QueryPlan, Removed
from mixstore_backends.sqlite.access import access
from mixstore_backends.sqlite.compiler import Where
from mixstore_backends.sqlite.layout import Table
from mixstore_backends.sqlite.lookups import Sql
from mixstore_backends.sqlite.queries import condition_of, source_of
from mixstore_backends.sqlite.units import Writing

if TYPE_CHECKING:
    from mixstore.query import Query

AT_ONCE = 5000
"""Rows of one statement: as long as it takes, nobody else writes."""


class Removal(QueryPlan, Writing):
    """One statement, which SQLite makes atomic; there is more to do as long as it deletes as many as it may."""

    __slots__ = ("parameters", "sql")

    def __init__(self, sql: Sql, where: Where, **told: Any) -> None:
        request = {"sql": sql.text, "parameters": list(sql.parameters)}
        super().__init__("delete", request=request, pushed=where.pushed, **told)
        self.sql = sql.text
        self.parameters = sql.parameters

    def run(self, connection: sqlite3.Connection) -> Removed:
        """Delete so many."""
        count = connection.execute(self.sql, self.parameters).rowcount
        return Removed(count, self if count == AT_ONCE else None)


def removal(table: Table, query: Query) -> Removal | None:
    """The plan that deletes what a query finds; None if SQLite can't answer the filter exactly."""
    where = table.compiler.where(query.where)
    if where.residual is not None:
        return None
    rows, condition = source_of(table, query, False).sql, condition_of(table, where, query, False)
    found = f"SELECT {table.rowid_sql} FROM {rows.text}{condition.text} LIMIT {AT_ONCE}"
    text = f"DELETE FROM {table.sql} WHERE {table.rowid_sql} IN ({found})"
    sql = Sql(text, (*rows.parameters, *condition.parameters))
    return Removal(sql, where, **access(table.compiler, where, query, None))
