"""What every extension keeps true, and each of those with a kit of its own, on DynamoDB in this process."""

from __future__ import annotations

from tests.backends.dynamodb.test_conformance import OnDynamoDB
from tests.extensions import test_conformance as kits


class TestTTL(OnDynamoDB, kits.TestTTL): ...


class TestVersioned(OnDynamoDB, kits.TestVersioned): ...


class TestTimestamps(OnDynamoDB, kits.TestTimestamps): ...


class TestSoftDelete(OnDynamoDB, kits.TestSoftDelete): ...


class TestTenant(OnDynamoDB, kits.TestTenant): ...


class TestHistory(OnDynamoDB, kits.TestHistory): ...


class TestCounters(OnDynamoDB, kits.TestCounters): ...


class TestUnique(OnDynamoDB, kits.TestUnique): ...


class TestEncrypted(OnDynamoDB, kits.TestEncrypted): ...


class TestGeo(OnDynamoDB, kits.TestGeo): ...


class TestCompressed(OnDynamoDB, kits.TestCompressed): ...


class TestGraph(OnDynamoDB, kits.TestGraph): ...
