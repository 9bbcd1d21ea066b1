"""How near the vectors of rows are: a function of this process over what is stored, row by row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mixstore_backends.sqlite.lookups import Sql
from mixstore_backends.sqlite.operands import FOUND_ROW, FOUND_SCORE

if TYPE_CHECKING:
    from mixstore.nearness import Similar
    from mixstore_backends.sqlite.layout import Table


def scores(table: Table, asked: Similar) -> Sql:
    """The rows that have a vector, with their score; NULL for one of other dimensions, which sorts last."""
    column = table.columns[asked.field].sql
    question = json.dumps({"similarity": asked.similarity, "vector": asked.vector})
    return Sql(
        f"SELECT {table.rowid_sql} AS {FOUND_ROW}, mixstore_score({column}, ?) AS {FOUND_SCORE} "
        f"FROM {table.sql} WHERE {column} IS NOT NULL",
        (question,),
    )
