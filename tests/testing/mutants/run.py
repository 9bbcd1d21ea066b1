"""Runs the cases that have to catch each mutant, in one process, and writes down what became of them as JSON.

python -m tests.testing.mutants.run FILE [ARGUMENT OF PYTEST...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

KIT = Path(__file__).with_name("kit.py")
OPTIONS = ("--tb=line", "--no-header", "-rN", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=")


class Recorder:
    """A plugin of pytest: leaves out the parameters that nobody asked for, and writes down what became of the rest."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """A case is asked for with its parameters in brackets, or with any."""
        items[:] = [one for one in items if {one.name, one.originalname} & set(one.cls.asked)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any) -> Any:
        """By bug and case: `passed`, or how it failed and where."""
        report = yield
        told = self.found.setdefault(item.cls.bug, {})
        if report.when == "call" or report.outcome != "passed":
            told[item.name] = f"{report.outcome} in {report.when}: {report.longreprtext}"
        return report


if __name__ == "__main__":
    recorder = Recorder()
    pytest.main([*OPTIONS, "--import-mode=importlib", str(KIT), *sys.argv[2:]], plugins=[recorder])
    Path(sys.argv[1]).write_text(json.dumps(recorder.found), encoding="utf-8")
