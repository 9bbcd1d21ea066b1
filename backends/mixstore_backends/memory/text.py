"""Words of a text, as full-text search compares them."""

from __future__ import annotations

import unicodedata


def words(text: str) -> list[str]:
    """The words of a text: runs of letters, numbers and private-use characters, lower-case, without diacritics."""
    if text.isascii():
        plain = text.lower()
    else:
        decomposed = unicodedata.normalize("NFKD", text)
        plain = "".join(one for one in decomposed if not unicodedata.combining(one)).lower()
    spaced = "".join(
        one if one.isalnum() or unicodedata.category(one)[0] in "LN" or unicodedata.category(one) == "Co" else " "
        for one in plain
    )
    return spaced.split()
