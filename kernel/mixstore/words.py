"""Words of a text as full-text search compares them: the reference for what a plain search finds."""

from __future__ import annotations

import unicodedata

_MARKS = frozenset(
    0x300 + bit for bit in range(50) if (0x0802_9FDF if bit < 32 else 0x0003_61F8) >> (bit % 32) & 1
)  # fmt: skip
"""The combining marks that are no part of a word and don't end it either: accents and the like."""


class _Folded(dict[int, str]):
    """What becomes of each character; found out when it first occurs."""

    def __missing__(self, code: int) -> str:
        self[code] = found = folded(chr(code))
        return found


def folded(one: str) -> str:
    """What a character counts as: a letter or number, a space where it divides words, nothing where it is a mark."""
    if ord(one) in _MARKS:
        return ""
    category = unicodedata.category(one)
    if category[0] not in "LN" and category != "Co":
        return " "
    small = one.casefold()
    plain = small if len(small) == 1 else one.lower()[0]
    base = unicodedata.normalize("NFD", plain)[0]
    return base if base.isascii() else plain


_FOLDED = _Folded()


def words(text: str) -> list[str]:
    """The words of a text: runs of letters, numbers and private-use characters, in whatever case.

    Latin letters count without their accents; the letters of other alphabets count as they are written.
    """
    return text.translate(_FOLDED).split()
