"""Gaps: cases that a backend or an extension fails, as data with a reason, so that a mended one shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import pytest

from mixstore import ConfigurationError
from mixstore.errors import nearest

REASONS = ("ours to do", "the engine's limit", "never, because")
BY_CHANCE = "for some values"
"""How a reason ends if the case may pass: its examples differ from run to run, and not all have such a value."""
USELESS = pytest.StashKey[str]()
"""Of the item of a case: why its gap excuses nothing."""


def check_gaps(where: str, gaps: Mapping[str, str], cases: Iterable[str]) -> None:
    """Refuse a gap of no case, and one without a reason. ConfigurationError names the nearest case.

    where: the class that has the gaps, as its user knows it. cases: the names of all of its cases.
    """
    names = sorted(cases)
    for case, reason in gaps.items():
        name = case.partition("[")[0]
        if not any(fnmatchcase(known, name) for known in names):
            raise ConfigurationError(f"{where}.gaps: there is no case {name!r}", hint=nearest(name, names))
        if not any(reason.startswith(kind) for kind in REASONS):
            told = ", ".join(map(repr, REASONS))
            raise ConfigurationError(f"{where}.gaps[{case!r}]: a reason begins with one of {told}, not {reason!r}")


def gap_of(gaps: Mapping[str, str], name: str, item: str) -> str | None:
    """The gap that a case is; None if it is none. name: of the function; item: with its parameters in brackets."""
    for case in gaps:
        base, bracket, parameters = case.partition("[")
        if fnmatchcase(name, base) and (not bracket or item == f"{name}[{parameters}"):
            return case
    return None


def skip(item: pytest.Item, gaps: Mapping[str, str], why: str) -> None:
    """Skip a case for what the backend lacks or has. A gap that names it is an error, since it is not needed."""
    gap = gap_of(gaps, getattr(item, "originalname", item.name), item.name)
    if gap is not None and "*" not in gap:  # a pattern may be of several cases
        item.stash[USELESS] = f"the gap {gap!r} is of no use, since the case is skipped: {why}; remove it"
    pytest.skip(why)


def unmatched(gaps: Mapping[str, str], name: str, items: Iterable[str]) -> str | None:
    """The gap of parameters that this case does not have, if there is one."""
    known = set(items)
    return next((case for case in gaps if case.partition("[")[0] == name and "[" in case and case not in known), None)
