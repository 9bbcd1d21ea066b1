"""`tests.extensions.test_soft_delete`, with guards."""

from __future__ import annotations

from tests.extensions.test_soft_delete import *  # noqa: F403  (the tests are the same, the backend is not)
