"""The in-memory backend: the reference semantics, for tests and for data that may die with the process."""

from __future__ import annotations

from mixstore_backends.memory.adapter import InMemoryAdapter
from mixstore_backends.memory.backend import InMemoryBackend

__all__ = ["InMemoryAdapter", "InMemoryBackend"]
