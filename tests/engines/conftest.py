"""Engines for a whole run, one process each; where one can't run, its tests are skipped and say why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.engines import DYNOXIDE, Server, running


@pytest.fixture(scope="session")
def dynoxide() -> Iterator[Server]:
    """A server that speaks DynamoDB's protocol."""
    reason = DYNOXIDE.missing()
    if reason is not None:
        pytest.skip(reason)
    DYNOXIDE.install()
    with running(DYNOXIDE) as server:
        yield server
