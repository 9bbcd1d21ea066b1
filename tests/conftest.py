"""What all tests need."""

from __future__ import annotations

import sys
from typing import Any

import pytest


class Forgetting(list[Any]):
    """A list that keeps nothing."""

    def append(self, _: Any) -> None:
        """Not that either."""


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """moto keeps whatever it ever made of a table's items, copies included: gigabytes in the course of a run."""
    tracked = sys.modules.get("moto.core.model_instances")
    for models in tracked.model_data.values() if tracked is not None else ():
        for model in models.values():
            if type(model.instances_tracked) is not Forgetting:
                model.instances_tracked = Forgetting()
