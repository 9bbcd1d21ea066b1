"""`FaultyBackend`: a backend in front of another one, where requests meet faults, by script or by seed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.backend import Backend
from mixstore.direct import engine_of
from mixstore.errors import BackendError, ConfigurationError, ThrottledError
from mixstore.planned import Plan, PlannedBackend, QueryPlan
from mixstore.testing.faults import (
    Disconnect,
    Duplicate,
    Fault,
    Kind,
    Partial,
    Request,
    Schedule,
    SlowPage,
    Throttle,
    TimeoutAfter,
    TimeoutBefore,
)
from mixstore.write import Operation, Outcome, Write

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.drift import Drift
    from mixstore.query import Query
    from mixstore.write import KeyValue

__all__ = [
    "Disconnect",
    "Duplicate",
    "Fault",
    "FaultyBackend",
    "Injected",
    "Partial",
    "Request",
    "Schedule",
    "SlowPage",
    "Throttle",
    "TimeoutAfter",
    "TimeoutBefore",
]


class Injected(NamedTuple):
    """A fault, and the request that it befell."""

    request: Request
    fault: Fault


class _Planned(Plan):
    """A plan of the wrapped backend, and what it is about."""

    __slots__ = ("bound", "kind", "plan", "writes")

    def __init__(self, kind: Kind, bound: Bound, plan: Any, writes: Sequence[Write] = ()) -> None:
        self.kind = kind
        self.bound = bound
        self.plan = plan
        self.writes = tuple(writes)


class FaultyBackend(PlannedBackend):
    """A backend with faults; models that are bound to it run the real chain, and the real backend does the work.

    schedule: a script `[(when, fault), ...]`, a function `(request) -> fault or None`, a `Schedule`, or None; another
    one may be assigned at any time. `injected` tells what befell which request; `requests` counts them, those that the
    faults add aside. DDL meets no faults.
    """

    def __init__(self, backend: Backend, schedule: Any = None) -> None:
        if not isinstance(backend, Backend):
            raise ConfigurationError(f"FaultyBackend wraps a backend, not a {type(backend).__name__}")
        self.wrapped = backend
        self._engine = engine_of(backend)
        clock = backend.clock
        super().__init__(self._engine.adapter)
        self.clock = clock
        self.capabilities = backend.capabilities
        self.scan_policy = backend.scan_policy
        self.runs_extensions = backend.runs_extensions
        self.config_name = backend.config_name
        self.schedule = schedule
        self.injected: list[Injected] = []
        self.requests = 0

    def __repr__(self) -> str:
        return f"FaultyBackend({self.wrapped!r})"

    @property
    def backend_name(self) -> str:
        """That of the wrapped backend, so that the same extensions run."""
        return self.wrapped.backend_name

    @property
    def clock(self) -> Callable[[], datetime]:
        """The clock of the wrapped backend; assign another one to both."""
        return self.wrapped.clock

    @clock.setter
    def clock(self, clock: Callable[[], datetime]) -> None:
        self.wrapped.clock = clock

    @property
    def schedule(self) -> Schedule:
        """When which fault comes."""
        return self._schedule

    @schedule.setter
    def schedule(self, told: Any) -> None:
        self._schedule = Schedule.of(told)

    def close(self) -> None:
        self.wrapped.close()

    async def aclose(self) -> None:
        await self.wrapped.aclose()

    def initialize_bound(self, bounds: Sequence[Bound]) -> None:
        if isinstance(self.wrapped, PlannedBackend):
            self.wrapped.initialize_bound(bounds)
        else:
            self.wrapped.initialize(*[bound.model for bound in bounds])

    def drift_bound(self, bounds: Sequence[Bound]) -> list[Drift]:
        return self.wrapped.drift(*[bound.model for bound in bounds])

    # -- binding and compiling: the wrapped backend's ------------------------------------------------------------------

    def prepare(self, bound: Bound) -> Any:
        return self._engine.prepare(bound)

    def row_record(self, bound: Bound) -> Any:
        return self._engine.row_record(bound)

    def row_values(self, bound: Bound) -> Any:
        return self._engine.row_values(bound)

    def compile_get(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        return _Planned("get", bound, self._engine.compile_get(bound, keys))

    def compile_read(self, bound: Bound, keys: Sequence[KeyValue]) -> Plan:
        return _Planned("get", bound, self._engine.compile_read(bound, keys))

    def compile_query(self, bound: Bound, query: Query) -> QueryPlan:
        return self._engine.compile_query(bound, query)  # type: ignore[no-any-return]

    def compile_count(self, bound: Bound, query: Query) -> QueryPlan:
        return self._engine.compile_count(bound, query)  # type: ignore[no-any-return]

    def compile_writes(self, bound: Bound, writes: Sequence[Write]) -> Plan:
        return _Planned("write", bound, self._engine.compile_writes(bound, writes), writes)

    def compile_plain(
        self,
        bound: Bound,
        operation: Operation,
        key: KeyValue,
        record: dict[str, Any] | None,
        changes: dict[str, Any] | None,
    ) -> Plan:
        plan = self._engine.compile_plain(bound, operation, key, record, changes)
        return _Planned("write", bound, plan, (Write(operation, bound, key, record, changes),))

    def compile_batch(self, bound: Bound, writes: Sequence[Write]) -> Plan | None:
        plan = self._engine.compile_batch(bound, writes)
        return None if plan is None else _Planned("batch", bound, plan, writes)

    # -- executing, with faults ----------------------------------------------------------------------------------------

    def execute(self, plan: Any) -> Any:
        request, fault, real = self._meet(plan)
        answer = None if real is None else self._engine.execute(real)
        if isinstance(fault, Duplicate):
            with suppress(BackendError):
                self._engine.execute(real)
        elif isinstance(fault, SlowPage):
            time.sleep(fault.seconds)
        return _answer(request, fault, answer)

    async def aexecute(self, plan: Any) -> Any:
        request, fault, real = self._meet(plan)
        answer = None if real is None else await self._engine.aexecute(real)
        if isinstance(fault, Duplicate):
            with suppress(BackendError):  # nobody waits for the second answer
                await self._engine.aexecute(real)
        elif isinstance(fault, SlowPage):
            await asyncio.sleep(fault.seconds)
        return _answer(request, fault, answer)

    def _meet(self, plan: Any) -> tuple[Request, Fault | None, Any]:
        """The request, its fault, and the plan to execute: None if there is nothing to. Raises what comes before it."""
        planned = isinstance(plan, _Planned)
        number, self.requests = self.requests, self.requests + 1
        request = (
            Request(number, plan.kind, plan.bound.model, plan.writes) if planned else Request(number, "query", None)
        )
        real = plan.plan if planned else plan
        fault = self._schedule(request)
        if fault is None:
            return request, None, real
        self.injected.append(Injected(request, fault))
        error = fault.before(request)
        if error is not None:
            raise self._placed(error)
        if isinstance(fault, Partial):
            tried = request.writes[: fault.count]
            real = self._engine.compile_batch(plan.bound, tried) if tried else None
        return request, fault, real

    def _placed(self, error: Exception) -> Exception:
        if isinstance(error, BackendError):
            error.backend = error.backend or self.backend_name
        return error


def _answer(request: Request, fault: Fault | None, answer: Any) -> Any:
    """What the client gets."""
    if fault is None:
        return answer
    error = fault.after(request)
    if error is not None:
        raise error
    if isinstance(fault, Partial):
        left = len(request.writes) - fault.count
        refused = Outcome("failed", error=ThrottledError("injected: not processed, too many requests"))
        return [*(answer or []), *[refused] * left]
    return answer
