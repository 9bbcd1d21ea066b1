"""What of the kits is awaited, by aiobotocore, at a real engine."""

from __future__ import annotations

import pytest

from mixstore.testing import BackendConformance
from mixstore_extensions.testing import TTLConformance, VersionedConformance
from tests.backends.dynamodb.gaps import EMPTY
from tests.backends.dynamodb.servers import keys
from tests.backends.dynamodb.test_conformance import OverHTTP, only_awaited

__all__ = ["keys"]


@pytest.fixture
def dynamodb_server(dynoxide):
    """Where the engine answers."""
    return dynoxide.url


@only_awaited
class TestAwaited(OverHTTP, BackendConformance):
    gaps = {"test_an_index_is_awaited_like_others": EMPTY}


@only_awaited
class TestAwaitedTTL(OverHTTP, TTLConformance): ...


@only_awaited
class TestAwaitedVersioned(OverHTTP, VersionedConformance): ...
