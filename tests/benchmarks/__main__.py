"""CPU per operation, as ratios to a floor written by hand: `python tests/benchmarks [--only GROUP] [--json]`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import asdict

from measuring import Line
from table import heading, into_readme, told

GROUPS = {
    "memory": "memory",
    "sqlite": "sqlite",
    "dynamodb": "dynamodb",
    "opensearch": "opensearch",
    "import": "imports",
    "peers": "peers",
    "dynamodb-peers": "dynamodb_peers",
}
"""What can be asked for -> the module that measures it."""


def main() -> None:
    """Measure the groups asked for; print each line as soon as it is known, or all of them as JSON."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("--only", choices=sorted(GROUPS), action="append", help="one group; may be repeated")
    parser.add_argument("--json", action="store_true", help="machine-readable, with the quartiles")
    parser.add_argument("--readme", action="store_true", help="put the table into the README beside this file")
    parser.add_argument("--rounds", type=int, help="rounds per line (default: as many as each group wants)")
    asked = parser.parse_args()
    lines: list[Line] = []
    if not asked.json:
        print(heading())
    for name in asked.only or GROUPS:
        group = importlib.import_module(GROUPS[name])
        for line in group.measure(*([asked.rounds] if asked.rounds else [])):
            if isinstance(line, str):
                print(line, file=sys.stderr, flush=True)
                continue
            lines.append(line)
            if not asked.json:
                print(told(line), flush=True)
    if asked.json:
        print(json.dumps([{**asdict(line), "met": line.met} for line in lines], indent=2))
    if asked.readme:
        into_readme(lines)


if __name__ == "__main__":
    main()
