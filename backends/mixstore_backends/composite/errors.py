"""What a composite says that its sides don't."""

from __future__ import annotations

from mixstore import BackendUnavailableError


class NotSearchableError(BackendUnavailableError):
    """The write is stored, and searches don't see it yet: raised by the guarantee `sync` alone.

    The cause is what the search side said. A relay will bring it up to date: the write must not be repeated.
    """
