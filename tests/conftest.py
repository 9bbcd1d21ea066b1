"""What all tests need."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """moto keeps whatever it ever made of a table's items, copies included: gigabytes in the course of a run."""
    yield
    tracked = sys.modules.get("moto.core.model_instances")
    if tracked is not None:
        tracked.reset_model_data()
