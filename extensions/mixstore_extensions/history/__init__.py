"""`History`: every revision of a row, stored in the same atomic unit as the row itself."""

from __future__ import annotations

from mixstore_extensions.history.mixin import History
from mixstore_extensions.history.stored import Revision, StoredRevision

__all__ = ["History", "Revision", "StoredRevision"]
