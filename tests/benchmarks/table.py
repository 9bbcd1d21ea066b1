"""The lines as a table, in Markdown, so that it can go into the README as it is."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pydantic
from measuring import Line

COLUMNS = ("group", "operation", "side", "floor µs", "µs", "CPU ratio", "quartiles", "wall ratio", "target")


def heading() -> str:
    """The first two rows."""
    return f"| {' | '.join(COLUMNS)} |\n|{'|'.join('---' for _ in COLUMNS)}|"


def told(line: Line) -> str:
    """One row."""
    unit = " ms" if line.unit == "ms" else ""
    verdict = "" if line.target is None else f"{'≤' if line.met else '**missed**'} {line.target:g}{unit}"
    cells = (
        line.group,
        line.operation,
        line.subject,
        f"{line.floor_us:.2f}",
        f"{line.us:.2f}",
        f"{_short(line.ratio)}{unit}",
        f"{_short(line.low)} to {_short(line.high)}",
        _short(line.wall),
        verdict,
    )
    return f"| {' | '.join(cells)} |"


def into_readme(lines: Sequence[Line]) -> None:
    """Replace the measured table of the README, and say on what kind of machine they were measured."""
    readme = Path(__file__).with_name("README.md")
    before, begin, rest = readme.read_text(encoding="utf-8").partition("<!-- measured -->\n")
    _, end, after = rest.partition("<!-- /measured -->\n")
    where = (
        f"{os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}, "
        f"pydantic {pydantic.VERSION}, SQLite {sqlite3.sqlite_version}."
    )
    rows = "\n".join([heading(), *map(told, lines)])
    readme.write_text(f"{before}{begin}{where}\n\n{rows}\n{end}{after}", encoding="utf-8")


def _short(number: float) -> str:
    return f"{number:.3f}" if abs(number) < 0.1 else f"{number:.2f}"
