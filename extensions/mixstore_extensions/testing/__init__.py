"""What each mixin promises, to be run on any backend: `class TestTTL(TTLConformance): ...` with a fixture `backend`."""

from __future__ import annotations

import mixstore.testing  # noqa: F401  (first, since it has pytest rewrite the assertions of the modules below)
from mixstore_extensions.testing.timestamps import TimestampsConformance
from mixstore_extensions.testing.ttl import TTLConformance
from mixstore_extensions.testing.versioned import VersionedConformance

__all__ = ["TTLConformance", "TimestampsConformance", "VersionedConformance"]
