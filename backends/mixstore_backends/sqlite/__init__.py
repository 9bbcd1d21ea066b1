"""The SQLite backend: the embedded default, with nothing to install and nothing to run."""

from __future__ import annotations

from mixstore_backends.sqlite.adapter import SQLiteAdapter
from mixstore_backends.sqlite.backend import SQLiteBackend

__all__ = ["SQLiteAdapter", "SQLiteBackend"]
