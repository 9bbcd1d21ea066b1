"""The lines as a table, in Markdown, so that it can go into the README as it is."""

from __future__ import annotations

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


def _short(number: float) -> str:
    return f"{number:.3f}" if abs(number) < 0.1 else f"{number:.2f}"
