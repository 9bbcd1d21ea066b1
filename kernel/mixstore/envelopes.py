"""`Envelope`: what an extension stores in place of a value, with its name on it, since data outlives configuration."""

from __future__ import annotations

from typing import Any

MARK = b"\0mixstore:"
_END = b"\0"
_LONGEST_NAME = 100


class Envelope(bytes):
    """`MARK`, the name of the extension that can open it, NUL, and the content.

    A store may give it back as plain bytes; `Envelope.read()` knows it again. An extension that replaces a value and
    finds an `Envelope` in its place is not the first to do so, and wraps it as it is.
    """

    __slots__ = ()

    @classmethod
    def of(cls, owner: str, content: bytes) -> Envelope:
        """The envelope of the extension of this name."""
        return cls(b"".join((MARK, owner.encode(), _END, content)))

    @classmethod
    def read(cls, value: Any) -> Envelope | None:
        """The envelope that a stored value is; None if it is a plain value."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, bytes) or not value.startswith(MARK):
            return None
        return cls(value) if value.find(_END, len(MARK), len(MARK) + _LONGEST_NAME) > 0 else None

    @property
    def owner(self) -> str:
        """The name of the extension that made it."""
        return self[len(MARK) : self._end].decode(errors="replace")

    @property
    def content(self) -> bytes:
        """What it made."""
        return self[self._end + 1 :]

    @property
    def _end(self) -> int:
        return self.index(_END, len(MARK))

    def __repr__(self) -> str:
        return f"<Envelope of {self.owner!r}, {len(self)} bytes>"

    __str__ = __repr__
