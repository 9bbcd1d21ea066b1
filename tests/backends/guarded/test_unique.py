"""`tests.backends.shared.test_unique`, with guards."""

from __future__ import annotations

from tests.backends.shared.test_unique import *  # noqa: F403  (the tests are the same, the backend is not)

pytestmark = []  # the engine does not declare UNIQUE
