"""`tests.backends.shared.test_ttl`, with guards."""

from __future__ import annotations

from tests.backends.shared.test_ttl import *  # noqa: F403  (the tests are the same, the backend is not)

pytestmark = []  # the engine does not declare UNIQUE
