"""What every extension keeps true, and each of those with a kit of its own, at a real engine."""

from __future__ import annotations

from tests.engines.test_dynoxide import OnDynoxide
from tests.extensions import test_conformance as kits


class TestTTL(OnDynoxide, kits.TestTTL): ...


class TestVersioned(OnDynoxide, kits.TestVersioned): ...


class TestTimestamps(OnDynoxide, kits.TestTimestamps): ...


class TestSoftDelete(OnDynoxide, kits.TestSoftDelete): ...


class TestTenant(OnDynoxide, kits.TestTenant): ...


class TestHistory(OnDynoxide, kits.TestHistory): ...


class TestCounters(OnDynoxide, kits.TestCounters): ...


class TestUnique(OnDynoxide, kits.TestUnique): ...


class TestEncrypted(OnDynoxide, kits.TestEncrypted): ...


class TestGeo(OnDynoxide, kits.TestGeo): ...


class TestCompressed(OnDynoxide, kits.TestCompressed): ...


class TestGraph(OnDynoxide, kits.TestGraph): ...
