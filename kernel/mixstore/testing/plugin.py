"""The pytest plugin, loaded by its entry point: no conftest is needed."""

from __future__ import annotations

from mixstore.testing.fixtures import mixstore_backend, mixstore_clock

__all__ = ["mixstore_backend", "mixstore_clock"]
