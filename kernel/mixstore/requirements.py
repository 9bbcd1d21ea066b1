"""`plugins.required`: names with ranges of versions, such as `acme-geo>=1.2,<2`, on release numbers only."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(.*)")
_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)*)\s*")
_RELEASE = re.compile(r"v?(\d+(?:\.\d+)*)[-_.]?(a|b|c|rc|alpha|beta|pre|preview|dev)?.*", re.I)
_Version = tuple[tuple[int, ...], int]


class Requirement(NamedTuple):
    """A plugin (by its own name or its distribution's) and what its version must fulfil: (operator, version)."""

    name: str
    clauses: tuple[tuple[str, _Version], ...]

    def admits(self, version: str | None) -> bool:
        """Whether this version is in the range. One that can't be read is in no range but the open one."""
        found = _version(version or "")
        if found is None:
            return not self.clauses
        return all(_passes(found, operator, wanted) for operator, wanted in self.clauses)


def parse(text: str) -> Requirement:
    """The requirement that a text states. ValueError says what can't be read in it."""
    named = _NAME.fullmatch(text)
    if named is None:
        raise ValueError(f"{text!r} does not begin with the name of a plugin")
    name, range_ = named.groups()
    clauses: list[tuple[str, _Version]] = []
    for part in range_.split(",") if range_ else ():
        found = _CLAUSE.fullmatch(part)
        if found is None:
            raise ValueError(f"{text!r}: {part.strip()!r} is no range, write {name}>=1.2,<2 (with >= > <= < == !=)")
        clauses.append((found[1], (_numbers(found[2]), 0)))
    return Requirement(name, tuple(clauses))


def canonical(name: str) -> str:
    """A name as it is compared: case and the kind of separator don't count."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(text: str) -> _Version | None:
    """Release numbers without zeros at the end, and -1 for what comes before that release (1.2rc1, 1.2.dev3)."""
    found = _RELEASE.fullmatch(text)
    if found is None or "!" in text:
        return None
    return _numbers(found[1]), -1 if found[2] else 0


def _numbers(release: str) -> tuple[int, ...]:
    numbers = [int(part) for part in release.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _passes(found: _Version, operator: str, wanted: _Version) -> bool:
    match operator:
        case ">=":
            return found >= wanted
        case ">":
            return found > wanted
        case "<=":
            return found <= wanted
        case "<":
            return found < wanted and (found[1] == 0 or found[0] != wanted[0])  # 2rc1 is no version before 2
        case "==":
            return found == wanted
    return found != wanted
