"""The shared tests of unique values, once more where guards keep them: on the engines without their unique indexes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mixstore import Backend
from tests.backends.conftest import clock, registry, use
from tests.backends.guarded.engines import GUARDED

__all__ = ["clock", "registry", "use"]


@pytest.fixture(params=GUARDED)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """An empty backend of each kind; closed at the end."""
    with GUARDED[request.param](request.getfixturevalue("tmp_path")) as made:
        yield made
