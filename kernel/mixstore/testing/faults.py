"""Faults as values, what they befall, and schedules that say when."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mixstore.errors import BackendTimeoutError, BackendUnavailableError, ConfigurationError, ThrottledError, nearest

if TYPE_CHECKING:
    from mixstore.write import Write

Kind = Literal["get", "query", "write", "batch"]
KINDS: tuple[Kind, ...] = ("get", "query", "write", "batch")


class Request(NamedTuple):
    """One plan on its way to the store, as schedules see it.

    `number` counts from 0. `kind`: `get` reads by keys, `query` a page or a count, `write` is one atomic unit of
    writes, `batch` writes that each stand for themselves. `model` is None for the further pages of a query.
    """

    number: int
    kind: Kind
    model: type | None = None
    writes: tuple[Write, ...] = ()

    @property
    def writing(self) -> bool:
        """Whether it may change something."""
        return self.kind in ("write", "batch")


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with a request. The default of each part is that nothing does."""

    def fits(self, request: Request) -> bool:
        """Whether this can befall such a request."""
        return True

    def before(self, request: Request) -> Exception | None:
        """What is raised instead of the request being made."""
        return None

    def after(self, request: Request) -> Exception | None:
        """What is raised instead of the answer, when it has been made."""
        return None


@dataclass(frozen=True)
class Throttle(Fault):
    """The store refuses more load: ThrottledError, nothing happened."""

    def before(self, request: Request) -> Exception:
        return ThrottledError("injected: too many requests")


@dataclass(frozen=True)
class TimeoutBefore(Fault):
    """No answer, and nothing happened. Without `unknown` the client knows that: it could not connect."""

    unknown: bool = False

    def before(self, request: Request) -> Exception:
        unknown = self.unknown and request.writing
        return BackendTimeoutError("injected: no answer in time, before", outcome_unknown=unknown)


@dataclass(frozen=True)
class TimeoutAfter(Fault):
    """No answer, but it happened: BackendTimeoutError, for a write with `outcome_unknown`."""

    def after(self, request: Request) -> Exception:
        return BackendTimeoutError("injected: no answer in time, after", outcome_unknown=request.writing)


@dataclass(frozen=True)
class Disconnect(Fault):
    """The connection is lost: BackendUnavailableError. `sent`: after the request had been, so a write has happened."""

    sent: bool = False

    def before(self, request: Request) -> Exception | None:
        return None if self.sent else BackendUnavailableError("injected: the connection is lost")

    def after(self, request: Request) -> Exception | None:
        if not self.sent:
            return None
        return BackendUnavailableError("injected: the connection was lost", outcome_unknown=request.writing)


@dataclass(frozen=True)
class Partial(Fault):
    """Of a batch only the first `count` writes are tried; the outcome of the others is a ThrottledError."""

    count: int = 1

    def fits(self, request: Request) -> bool:
        return request.kind == "batch" and self.count < len(request.writes)


@dataclass(frozen=True)
class SlowPage(Fault):
    """The answer to a query comes `seconds` late."""

    seconds: float = 0.01

    def fits(self, request: Request) -> bool:
        return request.kind == "query"


@dataclass(frozen=True)
class Duplicate(Fault):
    """The request arrives twice; the first answer counts.

    Only of what may be delivered twice: writes that are `repeatable`, and no batch in which one write may free a unique
    value that another was refused for. `always` delivers twice what must not be, too.
    """

    always: bool = False

    def fits(self, request: Request) -> bool:
        if self.always:
            return True
        apart = request.kind == "batch"
        return all(
            write.repeatable and not (apart and write.op != "create" and write.bound.schema.unique)
            for write in request.writes
        )


EVERY_FAULT: tuple[Fault, ...] = (
    Throttle(),
    TimeoutBefore(),
    TimeoutBefore(unknown=True),
    TimeoutAfter(),
    Disconnect(),
    Disconnect(sent=True),
    Partial(),
    SlowPage(0.0005),
    Duplicate(),
)
"""One of each, as `Schedule.seeded` picks from."""

When = int | str | Callable[[Request], bool]


class Schedule:
    """Which fault befalls a request, if any: made of a script, a function, or a seed."""

    def __init__(self, choose: Callable[[Request], Fault | None]) -> None:
        self._choose = choose

    def __call__(self, request: Request) -> Fault | None:
        fault = self._choose(request)
        if fault is not None and not fault.fits(request):
            raise ConfigurationError(f"{fault!r} can't befall request {request.number}, a {request.kind}")
        return fault

    @classmethod
    def of(cls, told: Any) -> Schedule:
        """A schedule of what a user gives: a schedule, a function, a script, None. ConfigurationError."""
        if isinstance(told, Schedule):
            return told
        if told is None:
            return cls(lambda request: None)
        if callable(told):
            return cls(told)
        return cls.script(told)

    @classmethod
    def script(cls, entries: Iterable[tuple[When, Fault]]) -> Schedule:
        """`[(when, fault), ...]`, each used once: at a number of a request, or at the first that is of a kind or that a
        function says yes to (and that the fault fits)."""
        waiting = list(entries)
        for entry in waiting:
            _check(entry)

        def choose(request: Request) -> Fault | None:
            for position, (when, fault) in enumerate(waiting):
                if _due(when, fault, request):
                    del waiting[position]
                    return fault
            return None

        return cls(choose)

    @classmethod
    def seeded(cls, seed: int, rate: float = 0.2, faults: Sequence[Fault] = EVERY_FAULT) -> Schedule:
        """At random, the same for the same seed: a share of `rate` of all requests meets one of the faults."""
        if not 0 <= rate <= 1:
            raise ConfigurationError(f"rate is a share of the requests, from 0 to 1, not {rate!r}")
        chance = random.Random(seed)

        def choose(request: Request) -> Fault | None:
            fitting = [fault for fault in faults if fault.fits(request)]
            hit, pick = chance.random() < rate, chance.random()
            return fitting[int(pick * len(fitting))] if hit and fitting else None

        return cls(choose)


def _check(entry: Any) -> None:
    if not (isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Fault)):
        raise ConfigurationError(f"a script has pairs (when, fault), not {entry!r}")
    when = entry[0]
    if isinstance(when, str) and when not in KINDS:
        raise ConfigurationError(f"there is no kind of request {when!r}", hint=nearest(when, KINDS))
    if not isinstance(when, (int, str)) and not callable(when):
        raise ConfigurationError(f"when is a number, a kind of request or a function, not {when!r}")


def _due(when: When, fault: Fault, request: Request) -> bool:
    if isinstance(when, int):
        return when == request.number
    wanted = request.kind == when if isinstance(when, str) else when(request)
    return wanted and fault.fits(request)
