"""What it takes to copy, compare, export and import many rows: `python tests/benchmarks/moving.py [ROWS]`.

Each number of rows is measured in a process of its own, since memory is told as the most that the process ever had.
It is in MiB; a tenth of the rows should take about as much.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter
from typing import Any

from mixstore import Field, Model, connect, copy, export_lines, import_lines, verify
from mixstore_extensions import Timestamps, Versioned


class Wide(Versioned, Timestamps, Model):
    """About 400 bytes."""

    id: int = Field(primary_key=True)
    code: str = Field(unique=True)
    text: str


def memory() -> float:
    """The most that this process has taken, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(what: str, rows: int, work: Callable[[], Any]) -> None:
    """Do it, and print rows a second and memory."""
    started = perf_counter()
    work()
    tell(what, rows, perf_counter() - started)


def tell(what: str, rows: int, seconds: float) -> None:
    """Print rows a second, and the most memory that the process has had."""
    print(f"{what:<18}{rows:>9,} rows {rows / seconds:>9,.0f} rows/s {memory():>7.1f} MiB", flush=True)


def measure(rows: int) -> None:
    """Between SQLite files in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        one, two, three = (connect(f"sqlite:///{folder}/{name}.db") for name in ("one", "two", "three"))
        one.initialize(Wide)
        for start in range(0, rows, 1000):
            numbers = range(start, min(start + 1000, rows))
            one.batch_create(Wide, [{"id": n, "code": str(n), "text": "x" * 300} for n in numbers])
        timed("copy", rows, lambda: copy(Wide, one, two, verify=False))
        timed("verify", rows, lambda: verify(Wide, one, two))
        timed("export and import", rows, lambda: import_lines(export_lines(Wide, backend=one), Wide, backend=three))
        if not verify(Wide, one, three).agrees:
            raise SystemExit("they differ")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure(int(sys.argv[1]))
    else:
        most = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
        for many in (most // 10, most):
            subprocess.run([sys.executable, __file__, str(many), "alone"], check=True)
