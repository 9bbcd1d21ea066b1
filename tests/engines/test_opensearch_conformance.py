"""The conformance kit on OpenSearch: the backend, and each mixin that it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mixstore.testing import BackendConformance, Limits
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_backends.opensearch.values import TERM_BYTES
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance
from tests.engines.engines import Server
from tests.engines.opensearch_store import SETTINGS, ReusedIndexes, store
from tests.extensions import test_conformance as extensions


class OnOpenSearch:
    limits = Limits(value_bytes=TERM_BYTES)

    @pytest.fixture
    def backend(self, opensearch: Server) -> Iterator[OpenSearchBackend]:
        """An empty backend; what a case leaves behind is deleted."""
        with ReusedIndexes(hosts=[opensearch.url], refresh="lazy", settings=SETTINGS) as made:
            yield made
            made.empty()


class TestOpenSearchBackend(OnOpenSearch, BackendConformance): ...


class TestTTL(OnOpenSearch, TTLConformance): ...


class TestVersioned(OnOpenSearch, VersionedConformance): ...


class TestTimestamps(OnOpenSearch, TimestampsConformance): ...


class TestSoftDelete(OnOpenSearch, extensions.TestSoftDelete): ...


class TestTenant(OnOpenSearch, extensions.TestTenant): ...


class TestHistory(OnOpenSearch, extensions.TestHistory):
    @pytest.fixture
    def backend(self, opensearch: Server) -> Iterator[OpenSearchBackend]:
        """One whose indexes have the same name with the mixin and without."""
        with store(opensearch, prefix="revised-") as made:
            yield made
            made.client.transport.perform_request("DELETE", "/revised-*")


class TestCounters(OnOpenSearch, extensions.TestCounters): ...


class TestEncrypted(OnOpenSearch, extensions.TestEncrypted): ...


class TestCompressed(OnOpenSearch, extensions.TestCompressed): ...


class TestGeo(OnOpenSearch, extensions.TestGeo): ...


class TestUnique(OnOpenSearch, extensions.TestUnique): ...
