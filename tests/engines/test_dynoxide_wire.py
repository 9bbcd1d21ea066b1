"""Faults between mixstore and a real engine, over HTTP: the tests are those on moto, the engine knows tokens."""

from __future__ import annotations

import pytest

from tests.backends.dynamodb.proxy import FaultyProxy, to
from tests.backends.dynamodb.test_wire import *  # noqa: F403  (the tests are the same, the engine is not)
from tests.engines.engines import Server


@pytest.fixture
def proxy(dynoxide: Server) -> FaultyProxy:
    return FaultyProxy(to(dynoxide.url))
