"""Every two mixins on one model, and all of them, at a real engine."""

from __future__ import annotations

import pytest

from tests.extensions.paired import COMBINATIONS, on_backends
from tests.extensions.test_pairs import *  # noqa: F403  (the tests are the same, the backend is not)
from tests.extensions.test_pairs_each import *  # noqa: F403
from tests.extensions.test_pairs_unique import *  # noqa: F403


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_backends(metafunc, {"dynoxide": COMBINATIONS})


@pytest.fixture
def dynoxide_backend(tables):
    return tables()
