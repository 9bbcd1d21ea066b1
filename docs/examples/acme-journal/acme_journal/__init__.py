"""A backend for mixstore: an append-only file of JSON lines."""

from __future__ import annotations

from acme_journal.backend import JournalBackend

__all__ = ["JournalBackend"]
