"""Every two mixins on one model, and all of them, at a real engine."""

from __future__ import annotations

import pytest

from tests.extensions import test_pairs
from tests.extensions.paired import COMBINATIONS
from tests.extensions.test_pairs import *  # noqa: F403  (the tests are the same, the backend is not)
from tests.extensions.test_pairs_unique import *  # noqa: F403


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    test_pairs.on_backends(metafunc, {"dynoxide": COMBINATIONS})


@pytest.fixture
def dynoxide_backend(tables):
    return tables()
