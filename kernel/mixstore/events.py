"""Events, and who is told of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mixstore.bound import Bound


class Event(NamedTuple):
    """What `mixstore_observe` is told: one operation that ended, well or not.

    `operation` is the name of the verb, without the `a` of its twin: create, save, get, all, count, ..., `iterate` for
    a page of an iteration, `transaction` for a commit. `seconds` is wall time; `rows` how many were read or written;
    `error` what the caller gets to see, or None.
    """

    operation: str
    model: type
    backend: str
    seconds: float
    rows: int
    error: BaseException | None = None


Observer = Callable[[Event], object]


class Observers:
    """The observers of a registry. Those pairs of model and backend that it knows tell nobody while there are none."""

    def __init__(self) -> None:
        self.all: tuple[Observer, ...] = ()
        self._bounds: weakref.WeakSet[Bound] = weakref.WeakSet()

    def change(self, observers: tuple[Observer, ...]) -> None:
        """Tell these from now on, whatever is bound already."""
        self.all = observers
        for bound in list(self._bounds):
            bound.observe(bool(observers))

    def watch(self, bound: Bound) -> None:
        """Tell of this pair's operations, also those observers that come later."""
        self._bounds.add(bound)
        bound.observe(bool(self.all))
