"""The fixtures that the pytest plugin brings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mixstore.backend import Backend
from mixstore.config import connect
from mixstore.registry import registry
from mixstore.testing.clock import Clock


class _Names(dict[str, Backend]):
    """Backends by name and URL; whatever is not there is one and the same."""

    def __init__(self, everything_else: Backend) -> None:
        super().__init__(default=everything_else)
        self._everything_else = everything_else

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Backend:
        return self._everything_else


@pytest.fixture
def mixstore_clock() -> Clock:
    """The time of `mixstore_backend`, which stands still until the test moves it: `mixstore_clock.forward(hours=1)`."""
    return Clock()


@pytest.fixture
def mixstore_backend(mixstore_clock: Clock) -> Iterator[Backend]:
    """An empty store in memory, for this test only, which all models use.

    Whatever name or URL a model, its Meta or the config gives, it is this store, unless the test connects another one
    by that name. Only a model that is bound to a Backend object, by `bind()` or in its Meta, stays with that.
    """
    with registry() as fresh:
        backend = connect("memory://", name="default")
        backend.clock = mixstore_clock
        fresh.named = _Names(backend)
        yield backend
