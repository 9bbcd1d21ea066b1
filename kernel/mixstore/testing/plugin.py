"""The pytest plugin: the fixtures for users, and what the conformance classes need of a run.

It is loaded by `_mixstore_pytest` as soon as a test module has imported mixstore.
It may import that, but nothing that is slower.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

import mixstore
from mixstore.testing.conformance import Conformance
from mixstore.testing.fixtures import mixstore_backend, mixstore_clock
from mixstore.testing.gaps import BY_CHANCE, USELESS, gap_of, unmatched

__all__ = ["mixstore_backend", "mixstore_clock"]


@pytest.fixture(scope="class")
def _mixstore_registry() -> Iterator[None]:
    """One registry a class, since finding plugins and settings takes longer than most cases."""
    with mixstore.registry():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: Any, name: str) -> Generator[None, Any, Any]:
    """Expect the gaps of a conformance class to fail, and to fail the run if they don't."""
    made = yield
    owner = getattr(collector, "cls", None)
    if not isinstance(made, list) or owner is None or not issubclass(owner, Conformance) or not owner.gaps:
        return made
    unknown = unmatched(owner.gaps, name, [item.name for item in made])
    if unknown is not None:
        told = ", ".join(item.name for item in made)
        raise collector.CollectError(f"{owner.__name__}.gaps: there is no case {unknown!r}, but {told}")
    for item in made:
        gap = gap_of(owner.gaps, name, item.name)
        if gap is not None:
            strict = f"{owner.gaps[gap]} [if it passes it is mended: remove it from {owner.__name__}.gaps]"
            always = not owner.gaps[gap].endswith(BY_CHANCE)
            item.add_marker(pytest.mark.xfail(reason=strict, strict=always))
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a case that is skipped although a gap excuses it."""
    report = yield
    useless = item.stash.get(USELESS, None)
    if useless is not None and report.skipped:
        report.outcome, report.longrepr = "failed", useless
    return report
