"""`Drift`: one difference between what models declare and what is in their store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing in a store that is not as its models declare it, or that they lack or do not declare.

    models: those that it concerns. what: the thing, such as "index by_owner of table app". declared, real: what it
    should be and what it is, "-" for nothing. plan: what would make them agree; nothing of it has been done.
    """

    models: tuple[type[Any], ...]
    what: str
    declared: str
    real: str
    plan: str
