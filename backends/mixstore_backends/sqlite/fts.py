"""Full-text search by FTS5: an external-content table beside the model's own, kept in step by triggers."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from mixstore_backends.sqlite.layout import Table, quoted

if TYPE_CHECKING:
    from mixstore.search import Search

TOKENIZE = "unicode61 remove_diacritics 2"
_RESERVED = ("rank", "rowid")
_MARKS = frozenset(
    chr(0x300 + bit) for bit in range(50) if (0x0802_9FDF if bit < 32 else 0x0003_61F8) >> (bit % 32) & 1
)  # fmt: skip
"""The combining marks that its tokenizer takes for accents; others divide words."""


def name_of(table: Table) -> str:
    """The full-text table of a table."""
    return f"{table.name}_fts"


def column_of(table: Table, field: str) -> str:
    """What a field is called there; FTS5 keeps some names for itself."""
    taken = (*_RESERVED, name_of(table).lower())
    return f"{field} (field)" if field.lower() in taken else field


def create(table: Table) -> list[str]:
    """The statements that make the full-text table, fill it from the rows that are there, and keep it in step."""
    fts, rowid = quoted(name_of(table)), table.rowid_sql
    names = [quoted(column_of(table, field)) for field in table.searchable]
    fields = [table.columns[field].sql for field in table.searchable]
    columns, sources = ", ".join(names), ", ".join(fields)
    new = ", ".join(f"new.{field}" for field in (rowid, *fields))
    old = ", ".join(f"old.{field}" for field in (rowid, *fields))
    add = f"INSERT INTO {fts} (rowid, {columns}) VALUES ({new});"
    remove = f"INSERT INTO {fts} ({fts}, rowid, {columns}) VALUES ('delete', {old});"
    content = f"content={quoted(table.name)}, content_rowid={rowid}"
    on = f"ON {table.sql} BEGIN"
    return [
        f"CREATE VIRTUAL TABLE {fts} USING fts5({columns}, {content}, tokenize={quoted(TOKENIZE)})",
        f"CREATE TRIGGER {_trigger(table, 'insert')} AFTER INSERT {on} {add} END",
        f"CREATE TRIGGER {_trigger(table, 'delete')} AFTER DELETE {on} {remove} END",
        f"CREATE TRIGGER {_trigger(table, 'update')} AFTER UPDATE OF {sources} {on} {remove} {add} END",
        f"INSERT INTO {fts} (rowid, {columns}) SELECT {rowid}, {sources} FROM {table.sql}",
    ]


def drop(table: Table) -> list[str]:
    """The statements that take it all away again."""
    triggers = [f"DROP TRIGGER IF EXISTS {_trigger(table, event)}" for event in ("insert", "delete", "update")]
    return [*triggers, f"DROP TABLE IF EXISTS {quoted(name_of(table))}"]


def _trigger(table: Table, event: str) -> str:
    return quoted(f"{name_of(table)}_{event}")


def words(text: str) -> list[str]:
    """The words of a search, whole: each character that FTS5 would make part of one, and the marks that it passes over.

    How a word is folded is left to FTS5, as it is for the text that was stored.
    """
    found: list[str] = []
    word = ""
    for one in text:
        category = unicodedata.category(one)
        if category[0] in "LN" or category == "Co" or (word and one in _MARKS):
            word += one
        elif word:
            found.append(word)
            word = ""
    return [*found, word] if word else found


def has_words(search: Search) -> bool:
    """Whether there is anything to search for."""
    return bool(words(search.text))


def match(table: Table, search: Search) -> str | None:
    """The FTS5 query for rows in whose fields every word occurs; None if there is no word.

    Each word is a quoted string, so that nothing in it is syntax.
    """
    sought = [f'"{word}"' for word in words(search.text)]
    if not sought:
        return None
    every = (" + " if search.mode == "phrase" else " AND ").join(sought)
    if search.mode == "prefix":
        every += "*"
    if not search.fields:
        return every
    names = " ".join(quoted(column_of(table, field)) for field in search.fields)
    return f"{{{names}}} : ({every})"


def score(table: Table, search: Search) -> str:
    """The SQL of the score: that of BM25, with how much a word counts in each column."""
    boosts = dict(search.boosts)
    weights = [f", {float(boosts.get(name, 1.0))!r}" for name in table.searchable] if boosts else []
    return f"-bm25({quoted(name_of(table))}{''.join(weights)})"
