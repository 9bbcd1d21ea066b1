"""The one place where sqlite3's errors become mixstore's. They are always chained."""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

from mixstore.errors import (
    BackendError,
    BackendUnavailableError,
    CorruptRecordError,
    MixstoreError,
    ValidationError,
)

NAME = "sqlite"
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _TOOBIG, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 18, 26
_BY_TEXT = {
    "database is locked": _BUSY,
    "table is locked": _LOCKED,
    "readonly database": _READONLY,
    "disk I/O error": _IOERR,
    "malformed": _CORRUPT,
    "is full": _FULL,
    "unable to open": _CANTOPEN,
    "too big": _TOOBIG,
    "not a database": _NOTADB,
}
"""For Python 3.10, whose errors have no code."""

_MISSING = re.compile(r"no such (table|column|index)|has no column named")
_NOT_UTF8 = re.compile(r"Could not decode to UTF-8 column '(.*?)'")
_REFUSED = re.compile(r"(?:NOT NULL|CHECK) constraint failed: (.*)|cannot store \w+ value in \w+ column (.*)", re.S)


class _Meaning(NamedTuple):
    error: type[BackendError]
    told: str
    hint: str | None = None


_MEANINGS = {
    _BUSY: _Meaning(
        BackendUnavailableError,
        "the database stayed locked by another writer for the whole timeout",
        "do it again, keep transactions short, or wait longer: sqlite:///app.db?timeout=30",
    ),
    _LOCKED: _Meaning(BackendUnavailableError, "the table is locked by another connection", "do it again"),
    _READONLY: _Meaning(BackendError, "the database can't be written", "look at the rights of the file and its folder"),
    _IOERR: _Meaning(BackendUnavailableError, "the disk did not do what it was told"),
    _CORRUPT: _Meaning(BackendError, "the database file is damaged", "restore it, or try `sqlite3 FILE .recover`"),
    _FULL: _Meaning(BackendUnavailableError, "there is no space left for the database", "free some and do it again"),
    _CANTOPEN: _Meaning(BackendError, "the database can't be opened", "does its folder exist, and may it be written?"),
    _TOOBIG: _Meaning(ValidationError, "a value or the whole row is larger than SQLite takes"),
    _NOTADB: _Meaning(BackendError, "the file is not an SQLite database", "give another path"),
}


def code_of(error: BaseException) -> int | None:
    """SQLite's primary result code."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF
    text = str(error)
    return next((known for part, known in _BY_TEXT.items() if part in text), None)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock."""
    return code_of(error) in (_BUSY, _LOCKED)


def taken(error: sqlite3.IntegrityError) -> str | None:
    """What of `UNIQUE constraint failed: table.column` comes after the colon; None for another failure."""
    text = str(error)
    return text.partition("UNIQUE constraint failed: ")[2] or None


def translated(error: BaseException, place: str) -> MixstoreError:
    """The error to raise for one of sqlite3's (or for a parameter that it refuses); `place` is the database."""
    text = str(error)
    meaning = _MEANINGS.get(code_of(error) or 0)
    if meaning is not None:
        return meaning.error(f"{meaning.told} ({text}) at {place}", backend=NAME, hint=meaning.hint)
    if isinstance(error, (OverflowError, UnicodeEncodeError)):
        return ValidationError(f"SQLite can't hold a value: {text}", backend=NAME)
    if _MISSING.search(text):
        hint = "backend.initialize() makes what the models need"
        return BackendError(f"{place} does not fit the model: {text}", backend=NAME, hint=hint)
    if found := _NOT_UTF8.search(text):
        return CorruptRecordError(f"the column {found[1]!r} holds text that is not UTF-8", field=found[1], backend=NAME)
    if found := _REFUSED.search(text):
        return ValidationError(f"SQLite refuses a value: {text}", field=_field(found[1] or found[2]), backend=NAME)
    if "closed database" in text:
        return BackendError("the backend is closed", backend=NAME, hint="make a new one")
    return BackendError(f"SQLite failed: {text} at {place}", backend=NAME)


def _field(column: str) -> str | None:
    name = column.rpartition(".")[2]
    return name if name.isidentifier() else None
