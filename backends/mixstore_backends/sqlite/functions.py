"""What SQLite can't do exactly by itself, as functions and collations of each connection.

All are deterministic, answer NULL with 0 (or NULL where they give a value), and treat text as python does: code points,
casefolding, NUL characters included. Names start with `mixstore_`.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_interface
from typing import Any

from mixstore.comparing import TESTS
from mixstore.vectors import scores_of
from mixstore_backends.sqlite.values import from_text, to_text

DECIMAL = "mixstore_decimal"
ADDRESS = "mixstore_ip"


def icontains(found: Any, folded: str) -> int:
    """Whether the casefolded text contains the (casefolded) operand."""
    return int(isinstance(found, str) and folded in found.casefold())


def istartswith(found: Any, folded: str) -> int:
    """Whether the casefolded text starts with the (casefolded) operand."""
    return int(isinstance(found, str) and found.casefold().startswith(folded))


def iendswith(found: Any, folded: str) -> int:
    """Whether the casefolded text ends with the (casefolded) operand."""
    return int(isinstance(found, str) and found.casefold().endswith(folded))


def regex(found: Any, pattern: str) -> int:
    """Whether `re.search` finds the pattern."""
    return int(isinstance(found, str) and _pattern(pattern)(found) is not None)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> Callable[[str], Any]:
    return re.compile(pattern).search


def size(found: Any) -> int | None:
    """The number of characters of a text, NUL included."""
    return None if found is None else len(found)


def json_size(found: Any) -> int | None:
    """The number of elements of a list or an object."""
    return None if found is None else len(from_text(found))


def has(found: Any, operand: str) -> int:
    """Whether a JSON list contains a JSON value; 1, 1.0 and true are three."""
    if found is None:
        return 0
    wanted = _parsed(operand)
    kind = type(wanted)
    return int(any(type(element) is kind and element == wanted for element in from_text(found)))


def at(found: Any, path: str, default: Any) -> Any:
    """The plain value at a path (a JSON list of names) into a JSON object; `default` if the last name is missing."""
    value = None if found is None else from_text(found)
    steps = _parsed(path)
    for position, step in enumerate(steps):
        if not isinstance(value, dict):
            return None
        if step not in value:
            return default if position == len(steps) - 1 else None
        value = value[step]
    return int(value) if value.__class__ is bool else value


def real_at(found: Any, path: str, default: Any) -> Any:
    """As `at`, for floats, whose infinities are text in JSON."""
    value = at(found, path, default)
    return None if value is None else float(value)


def test(found: Any, question: str) -> int:
    """Whether a JSON value passes [path, lookup, operand], by the reference itself."""
    path, passes = _question(question)
    value = None if found is None else from_text(found)
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return int(passes(value))


def score(found: Any, question: str) -> float | None:
    """How near a JSON list of numbers is to the vector in {"similarity", "vector"}; NULL for what has no score."""
    return None if found is None else _score(question)(from_text(found))


@lru_cache(maxsize=16)
def _score(question: str) -> Callable[[Any], float | None]:
    told = json.loads(question)
    return scores_of(told["vector"], told["similarity"])


@lru_cache(maxsize=256)
def _question(question: str) -> tuple[list[str], Callable[[Any], bool]]:
    path, lookup, operand = json.loads(question)
    return path, TESTS[lookup](operand)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    return json.loads(text)


def from_hex(digits: str) -> bytes:
    """Bytes, from the text that JSON can carry."""
    return bytes.fromhex(digits)


def real(text: str) -> float:
    """A float, from text that python itself wrote."""
    return float(text)


def decimal_sum(found: Any, by: str) -> str:
    """The canonical text of the sum of two decimals; NULL counts as 0."""
    from mixstore.codecs import decimal_text

    first, second = Decimal(found or "0"), Decimal(by)
    digits = max(first.adjusted(), second.adjusted()) - min(_exponent(first), _exponent(second)) + 2
    return decimal_text(_context(digits).add(first, second))


def _exponent(number: Decimal) -> int:
    return int(number.as_tuple().exponent)


def _context(digits: int) -> Any:
    from decimal import Context

    return Context(prec=max(digits, 1))


def patched(found: Any, patch: str) -> str | None:
    """`_extra` with {"set": {name: value}, "remove": [name]} applied."""
    extra = {} if found is None else from_text(found)
    changes = json.loads(patch)
    for name in changes["remove"]:
        extra.pop(name, None)
    extra.update(changes["set"])
    return to_text(extra) if extra else None


@lru_cache(maxsize=4096)
def _decimal(text: str) -> Decimal:
    return Decimal(text)


@lru_cache(maxsize=4096)
def _address(text: str) -> tuple[Any, ...]:
    found: Any = ip_interface(text)
    return (found.version, int(found.ip), found.network.prefixlen, getattr(found, "scope_id", None) or "")


def _collation(form: Callable[[str], Any]) -> Callable[[str, str], int]:
    def compare(first: str, second: str) -> int:
        one, other = form(first), form(second)
        return int(one > other) - int(one < other)

    return compare


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "mixstore_icontains": (2, icontains),
    "mixstore_istartswith": (2, istartswith),
    "mixstore_iendswith": (2, iendswith),
    "mixstore_regex": (2, regex),
    "mixstore_size": (1, size),
    "mixstore_json_size": (1, json_size),
    "mixstore_has": (2, has),
    "mixstore_at": (3, at),
    "mixstore_real_at": (3, real_at),
    "mixstore_score": (2, score),
    "mixstore_test": (2, test),
    "mixstore_from_hex": (1, from_hex),
    "mixstore_real": (1, real),
    "mixstore_decimal_sum": (2, decimal_sum),
    "mixstore_patched": (2, patched),
}
COLLATIONS: dict[str, Callable[[str, str], int]] = {DECIMAL: _collation(_decimal), ADDRESS: _collation(_address)}


def register(connection: sqlite3.Connection) -> None:
    """Give a connection all functions and collations."""
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)
    for name, compare in COLLATIONS.items():
        connection.create_collation(name, compare)
