"""Backends with a bug each, and the same without; a script has to be able to import them."""

from __future__ import annotations

from typing import Any

from mixstore import TRUE
from mixstore_backends.memory import InMemoryBackend


class Sound(InMemoryBackend):
    """No bug."""


class FiltersAfterTheLimit(InMemoryBackend):
    """Rows that do not match count towards a limit."""

    def compile_query(self, bound: Any, query: Any) -> Any:
        if query.limit is None:
            return super().compile_query(bound, query)
        plan = super().compile_query(bound, query.replace(where=TRUE))
        plan.residual = query.where
        return plan


class ForgetsConditions(InMemoryBackend):
    """Locks, tenants and whatever else guards a row are not looked at."""

    def compile_writes(self, bound: Any, writes: Any) -> Any:
        for write in writes:
            write.condition = None
        return super().compile_writes(bound, writes)


class Crashes(InMemoryBackend):
    """A batch of three is too much."""

    def compile_batch(self, bound: Any, writes: Any) -> Any:
        if len(writes) > 2:
            raise LookupError("too many")
        return super().compile_batch(bound, writes)


class KeepsTheExpired(InMemoryBackend):
    """A row that counts as absent stays in the way of a new one."""

    def compile_writes(self, bound: Any, writes: Any) -> Any:
        for write in writes:
            write.evict = None
        return super().compile_writes(bound, writes)

    def compile_batch(self, bound: Any, writes: Any) -> Any:
        for write in writes:
            write.evict = None
        return super().compile_batch(bound, writes)


class AddsTwice(InMemoryBackend):
    """What is added is delivered twice."""

    def compile_writes(self, bound: Any, writes: Any) -> Any:
        plan = super().compile_writes(bound, writes)
        return (lambda: plan() and plan()) if any(write.adds for write in writes) else plan
