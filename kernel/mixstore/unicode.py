"""Text that an engine can hold."""

from __future__ import annotations

from typing import Any


def text(value: Any) -> str:
    """The text itself; ValueError for a lone surrogate, which has no UTF-8 (The Unicode Standard, 3.9, D92)."""
    if not isinstance(value, str):
        raise ValueError(f"expected text, found {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("a lone surrogate is no character, and can't be stored") from None
    return value
