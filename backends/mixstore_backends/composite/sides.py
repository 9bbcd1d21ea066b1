"""What the two sides of a composite must be able to do."""

from __future__ import annotations

from typing import Any

from mixstore import Capability, ConfigurationError, PlannedBackend

NEEDED = Capability.CONDITIONS, Capability.ATOMIC_WRITES, Capability.CONSISTENT_READS, Capability.ADD


def check_sides(storage: Any, search: Any) -> None:
    """ConfigurationError for sides that lack what is needed."""
    for side, backend in (("storage", storage), ("search", search)):
        if not isinstance(backend, PlannedBackend):
            raise ConfigurationError(
                f"the {side} of a composite must be a PlannedBackend, and {type(backend).__name__} is none"
            )
    if storage is search:
        raise ConfigurationError("the two sides of a composite are two backends, and this is one")
    lacking = [one.name for one in NEEDED if one not in storage.capabilities]
    if lacking:
        raise ConfigurationError(
            f"{storage.backend_name} can't be the storage of a composite: it lacks {', '.join(map(str, lacking))}"
        )
    able = Capability.EXTERNAL_VERSIONS, Capability.ATOMIC_WRITES | Capability.CONDITIONS
    if not any(one in search.capabilities for one in able):
        raise ConfigurationError(
            f"{search.backend_name} can't be the search side of a composite: it lacks EXTERNAL_VERSIONS, "
            "and ATOMIC_WRITES and CONDITIONS instead of them"
        )
