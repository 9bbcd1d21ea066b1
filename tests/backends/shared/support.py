"""What the tests of backends and extensions share is in the conformance kit now; here are the names they know it by."""

from __future__ import annotations

import pytest

from mixstore.testing.support import LONGER, NOON, UTC, Clock, examples, ids, paged, refusal, same, together
from mixstore.testing.tags import atomic, conditions, full_text, unique

__all__ = [
    "LONGER",
    "NOON",
    "UTC",
    "Clock",
    "atomic",
    "conditions",
    "each_engine",
    "examples",
    "full_text",
    "ids",
    "paged",
    "refusal",
    "same",
    "together",
    "unique",
]

each_engine = pytest.mark.parametrize("backend", ["memory", "sqlite-file"], indirect=True)
"""For what can't depend on where an engine keeps its rows: many cases, once an engine."""
