"""What pytest loads in every run of everybody who has mixstore installed: nothing of mixstore, until a test uses it.

A module of its own, since importing anything inside `mixstore` imports all of it, and pydantic.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

PLUGIN = "mixstore.testing.plugin"


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any) -> None:
    """The first thing that happens after a test module was imported."""
    if "mixstore" in sys.modules:
        collector.config.pluginmanager.import_plugin(PLUGIN)
