"""Plans, told as they are executed to whoever watches: how tests count requests and find scans."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.drivers import driver

if TYPE_CHECKING:
    from mixstore.backend import Backend
    from mixstore.bound import Bound

Steps = Generator[Any, Any, Any]


class Executed(NamedTuple):
    """One plan that was executed: the verb that it served (as in `Event.operation`), for which model, on what.

    `plan` is the backend's own, a `QueryPlan` if it is a query; `seconds` is wall time; `error` is what it raised.
    """

    operation: str
    model: type
    backend: Backend
    plan: Any
    seconds: float
    error: BaseException | None = None


Watcher = Callable[[Executed], object]

_watchers: tuple[Watcher, ...] = ()
_bounds: weakref.WeakSet[Bound] = weakref.WeakSet()
# Not of a registry: what is bound while one is current may be used under another, and must not go unseen.
_lock = threading.Lock()


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Call `watcher(executed)` after every plan of any model, in all threads, until the block ends.

    It is for looking: what it raises reaches whoever made the request. Nothing is paid for it outside of the block.
    """
    entry = partial(watcher)  # an object of its own, should one function watch twice
    _change((*_watchers, entry))
    try:
        yield
    finally:
        _change(tuple(one for one in _watchers if one is not entry))


def _change(watchers: tuple[Watcher, ...]) -> None:
    global _watchers
    with _lock:
        _watchers = watchers
        for bound in list(_bounds):
            bound.watch(bool(watchers))


def follow(bound: Bound) -> None:
    """From now on tell watchers of this pair's plans; called at bind."""
    with _lock:
        _bounds.add(bound)
        bound.watch(bool(_watchers))


def drive(bound: Bound, operation: str, steps: Steps) -> Any:
    """Run a lifecycle and tell of each of its plans."""
    return driver(partial(_executed, bound, operation))(operation, steps)


def _executed(bound: Bound, operation: str, plan: Any) -> Any:
    started = perf_counter()
    try:
        answer = bound.engine.execute(plan)
    except BaseException as error:
        _tell(bound, operation, plan, started, error)
        raise
    _tell(bound, operation, plan, started, None)
    return answer


async def aexecuted(bound: Bound, operation: str, plan: Any) -> Any:
    """Execute a plan of a lifecycle that is awaited, and tell of it."""
    started = perf_counter()
    try:
        answer = await bound.engine.aexecute(plan)
    except BaseException as error:
        _tell(bound, operation, plan, started, error)
        raise
    _tell(bound, operation, plan, started, None)
    return answer


def _tell(bound: Bound, operation: str, plan: Any, started: float, error: BaseException | None) -> None:
    told = Executed(operation, bound.model, bound.backend, plan, perf_counter() - started, error)
    for watcher in _watchers:
        watcher(told)
