"""Comparing sides in one process: interleaved rounds, CPU and wall time, ratios to the floor round by round."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any, NamedTuple


def _nothing() -> None:
    """The default of what happens around the clock."""


class Side(NamedTuple):
    """One way to do the same work.

    `prepare` makes what `work` takes and `restore` puts the store back as it was; only `work` is on the clock.
    """

    name: str
    work: Callable[[Any], object]
    prepare: Callable[[], Any] = _nothing
    restore: Callable[[], object] = _nothing


class Sample(NamedTuple):
    """One round of one side, in seconds: of this process on a CPU (user and system), and by the wall clock."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Line:
    """One side against the floor of its operation.

    `floor_us` and `us` are medians of CPU microseconds for one operation. `ratio` is the median of the ratios to the
    floor of the same round, `low` and `high` their quartiles, `wall` the same median by the wall clock. `target` is
    None when a line only informs. With `unit` "ms" the last five are differences in milliseconds instead of ratios.
    """

    group: str
    operation: str
    subject: str
    floor_us: float
    us: float
    ratio: float
    low: float
    high: float
    wall: float
    target: float | None = None
    unit: str = "ratio"

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.target is None else self.ratio <= self.target


def compare(
    group: str,
    operation: str,
    floor: Side,
    rivals: Sequence[Side],
    *,
    operations: int,
    rounds: int,
    target: float | None = None,
) -> list[Line]:
    """Let the floor and its rivals take turns; one line a rival. The target is that of the first rival.

    A first round, which warms caches, is thrown away. Every other round runs backwards: nobody always comes last.
    """
    sides = [floor, *rivals]
    samples: list[list[Sample]] = [[] for _ in sides]
    for number in range(rounds + 1):
        places = range(len(sides)) if number % 2 else range(len(sides) - 1, -1, -1)
        for place in places:
            taken = _timed(sides[place])
            if number:
                samples[place].append(taken)
    return [
        _line(group, operation, side.name, samples[0], samples[place], operations, None if place > 1 else target)
        for place, side in enumerate(sides)
        if place
    ]


def _timed(side: Side) -> Sample:
    """One round. The collector runs as in any program, but looks only at what was made since the round began."""
    given = side.prepare()
    gc.collect()
    gc.freeze()
    wall, cpu = perf_counter(), process_time()
    side.work(given)
    cpu, wall = process_time() - cpu, perf_counter() - wall
    gc.unfreeze()
    side.restore()
    return Sample(cpu, wall)


def _line(
    group: str,
    operation: str,
    subject: str,
    floor: Sequence[Sample],
    side: Sequence[Sample],
    operations: int,
    target: float | None,
) -> Line:
    ratios = [mine.cpu / base.cpu for mine, base in zip(side, floor, strict=True)]
    low, ratio, high = quantiles(ratios, n=4, method="inclusive")
    return Line(
        group,
        operation,
        subject,
        floor_us=median(one.cpu for one in floor) / operations * 1e6,
        us=median(one.cpu for one in side) / operations * 1e6,
        ratio=ratio,
        low=low,
        high=high,
        wall=median(mine.wall / base.wall for mine, base in zip(side, floor, strict=True)),
        target=target,
    )
