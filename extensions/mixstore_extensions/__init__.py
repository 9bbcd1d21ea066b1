"""The mixins that come with mixstore, one concern a file."""

from __future__ import annotations

from mixstore_extensions.acting import acting_as
from mixstore_extensions.audited import Audited, AuditEntry
from mixstore_extensions.history import History, Revision
from mixstore_extensions.timestamps import Timestamps
from mixstore_extensions.ttl import TTL
from mixstore_extensions.versioned import Versioned, retry_on_conflict

__all__ = [
    "AuditEntry",
    "Audited",
    "History",
    "Revision",
    "TTL",
    "Timestamps",
    "Versioned",
    "acting_as",
    "retry_on_conflict",
]
