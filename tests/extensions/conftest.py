"""The tests of mixins run on the same backends as those of backends."""

from __future__ import annotations

from tests.backends.conftest import backend, clock, registry, use

__all__ = ["backend", "clock", "registry", "use"]
