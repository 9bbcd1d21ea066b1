"""The analysis of an index: what of a value is compared, and how a text becomes words.

`mixstore_clip` keeps the first characters of a text that is longer than a term. `mixstore_bytes` does so with base64,
whose signs it replaces by others that sort as the bytes do. `mixstore_rank` is the place of a
number: "0" for minus infinity, "2" for infinity, which are no numbers to the engine, "1" for all others.
`mixstore_words` cuts a text into the words of `mixstore.words`, so that a search finds what it finds everywhere.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mixstore.words import folded

CLIP = "mixstore_clip"
BYTES = "mixstore_bytes"
RANK = "mixstore_rank"
WORDS = "mixstore_words"
LOWEST, FINITE, HIGHEST = "-inf", "1", "inf"
"""What to ask for to find a rank: the engine ranks what it is asked for, too."""
KEPT = 8000
"""How many characters of a long text are compared; with UTF-8 of up to four bytes they fit in a term."""
MORE = "\U0010ffff"
"""Stands for the rest of a text that was cut: it sorts after every shorter text."""
_BASE64 = "=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SORTED = "!0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz{|"
_FOLDED_BELOW = 0x20000
_LONGEST_WORD = 8000


def clipped(value: str) -> str:
    """The term of a long text, as `mixstore_clip` makes it."""
    return value if len(value) <= KEPT else value[:KEPT] + MORE


def settings(searchable: bool) -> dict[str, Any]:
    """The `analysis` section; the rules for words are long, so only where there is something to search."""
    filters: dict[str, Any] = {
        BYTES: {"type": "mapping", "mappings": [_rule(*pair) for pair in zip(_BASE64, _SORTED, strict=True)]},
        CLIP: _replacing(f"(?s)^(.{{{KEPT}}}).+$", f"$1{MORE}"),
        f"{RANK}_number": _replacing("(?s)^(?!-?inf$).*$", "1"),
        f"{RANK}_lowest": _replacing("^-inf$", "0"),
        f"{RANK}_highest": _replacing("^inf$", "2"),
    }
    ranks = [f"{RANK}_number", f"{RANK}_lowest", f"{RANK}_highest"]
    made: dict[str, Any] = {
        "char_filter": filters,
        "normalizer": {
            CLIP: {"type": "custom", "char_filter": [CLIP]},
            BYTES: {"type": "custom", "char_filter": [BYTES, CLIP]},
            RANK: {"type": "custom", "char_filter": ranks},
        },
    }
    if searchable:
        filters[WORDS] = {"type": "mapping", "mappings": list(_foldings())}
        made["tokenizer"] = {WORDS: {"type": "pattern", "pattern": r"[^\p{L}\p{N}\p{Co}]+"}}
        made["filter"] = {WORDS: {"type": "truncate", "length": _LONGEST_WORD}}
        made["analyzer"] = {
            WORDS: {"type": "custom", "char_filter": [WORDS], "tokenizer": WORDS, "filter": [WORDS]},
        }
    return made


def _replacing(pattern: str, replacement: str) -> dict[str, str]:
    return {"type": "pattern_replace", "pattern": pattern, "replacement": replacement}


@lru_cache(maxsize=1)
def _foldings() -> tuple[str, ...]:
    """The rules "\\u00e9 => e" for every character that counts as another, or as nothing."""
    found = []
    for code in range(_FOLDED_BELOW):
        if 0xD800 <= code < 0xE000:
            continue
        one = chr(code)
        counts = folded(one)
        if counts not in (one, " "):
            found.append(_rule(one, counts))
    return tuple(found)


def _rule(one: str, to: str) -> str:
    return f"{_escaped(one)} => {_escaped(to)}"


def _escaped(found: str) -> str:
    """Characters as the rules take them: UTF-16 units of four digits."""
    units = found.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
