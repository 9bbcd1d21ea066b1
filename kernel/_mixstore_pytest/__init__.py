"""What pytest loads in every run of everybody who has mixstore installed: nothing of mixstore, until a test uses it.

A package of its own, since importing anything inside `mixstore` imports all of it, and pydantic.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

PLUGIN = "mixstore.testing.plugin"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks of the kit known (`mixstore.testing.tags`), before a module that has them is imported."""
    config.addinivalue_line("markers", "mixstore_needs(capability, ...): a case of what a backend can do")
    config.addinivalue_line("markers", "mixstore_missing(capability, ...): a case of what a backend can't do")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any) -> None:
    """The first thing that happens after a test module was imported."""
    if "mixstore" in sys.modules:
        collector.config.pluginmanager.import_plugin(PLUGIN)
