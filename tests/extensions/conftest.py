"""The tests of mixins run on the same backends as those of backends."""

from __future__ import annotations

from tests.backends.conftest import backend, clock, dynamodb_client, registry, use

__all__ = ["backend", "clock", "dynamodb_client", "registry", "use"]
