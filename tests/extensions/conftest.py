"""The fixtures of the backends' tests: an empty backend of each kind, and models bound to it."""

from __future__ import annotations

from tests.backends.conftest import backend, clock, registry, use

__all__ = ["backend", "clock", "registry", "use"]
