"""What `import mixstore` adds to `import pydantic`, each with one model class defined."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from statistics import median, quantiles

from measuring import Line

PAIRS = 31
TARGET_MS = 25.0

FIELDS = """
    city: str{index}
    name: str
    age: int
    score: float
    active: bool
    seen: datetime
    born: date
    balance: Decimal
    nickname: str | None = None
"""
TIMED = """
from time import process_time, perf_counter
wall, cpu = perf_counter(), process_time()
from datetime import date, datetime
from decimal import Decimal
{lines}
class Person({base}):
    id: str{key}{fields}
print(process_time() - cpu, perf_counter() - wall)
"""
PYDANTIC = TIMED.format(
    lines="from pydantic import BaseModel", base="BaseModel", key="", fields=FIELDS.format(index="")
)
MIXSTORE = TIMED.format(
    lines="from mixstore import Field, Model",
    base="Model",
    key=" = Field(primary_key=True)",
    fields=FIELDS.format(index=" = Field(index=True)"),
)


def _once(script: str, environment: Mapping[str, str]) -> tuple[float, float]:
    """(CPU, wall) milliseconds of one fresh interpreter, its own start not included."""
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)
    cpu, wall = done.stdout.split()
    return float(cpu) * 1e3, float(wall) * 1e3


def measure(pairs: int = PAIRS) -> Iterator[Line]:
    """One line: the median difference, in milliseconds, of pairs of processes that ran one after the other."""
    floor: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        environment = _with_byte_code(folder)
        for number in range(pairs + 1):
            places = ((PYDANTIC, floor), (MIXSTORE, ours))
            for script, taken in places if number % 2 else reversed(places):
                taken.append(_once(script, environment))
    del floor[0], ours[0]  # these compiled
    low, middle, high = quantiles([mine[0] - base[0] for mine, base in zip(ours, floor, strict=True)], n=4)
    yield Line(
        "import",
        "import, one model class defined: ms more than pydantic",
        "mixstore",
        floor_us=median(one[0] for one in floor) * 1e3,
        us=median(one[0] for one in ours) * 1e3,
        ratio=middle,
        low=low,
        high=high,
        wall=median(mine[1] - base[1] for mine, base in zip(ours, floor, strict=True)),
        target=TARGET_MS,
        unit="ms",
    )


def _with_byte_code(folder: str) -> dict[str, str]:
    """The environment in which both sides find their modules compiled, as after any first run."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, "PYTHONPYCACHEPREFIX": folder}
