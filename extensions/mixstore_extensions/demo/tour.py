"""The way through the chapters, for people (code, then what it found) or for programs (one object at the end)."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mixstore import MixstoreError
from mixstore.cli.screen import INDENT, Screen
from mixstore_extensions.demo import steps
from mixstore_extensions.demo.chapters import CHAPTERS, Chapter, Result, Stage
from mixstore_extensions.demo.models import MODELS, Airport, Session


class Tour:
    """One run of the demo on the store of `url`."""

    def __init__(self, url: str, rows: steps.Rows, screen: Screen) -> None:
        self.url = url
        self.rows = rows
        self.screen = screen

    def run(self) -> dict[str, Any]:
        """All chapters; {"ok", "backend", "seconds", "removed", "steps": {chapter: what it found}}."""
        started = time.perf_counter()
        self._heading(1, "Models: pydantic classes; mixins bring the rest", *MODELS, steps.open_store)
        with steps.open_store(self.url) as backend:
            try:
                removed = self._remove_earlier()
                stage = Stage(self.rows, backend, self._progress)
                found = {name: result.as_json() for name, result in self._chapters(stage)}
            finally:
                for model in MODELS:
                    model.bind(None)
        return {
            "ok": len(found) == len(CHAPTERS) and all(one["ok"] for one in found.values()),
            "backend": backend.backend_name,
            "seconds": round(time.perf_counter() - started, 3),
            "removed": removed,
            "steps": found,
        }

    def _remove_earlier(self) -> int:
        """How many rows of an earlier run were there, in a store that outlives it."""
        removed = Airport.where().delete() + Session.where().include_expired().delete()
        if removed:
            self.screen.show(f"{removed:,} rows of an earlier demo were there; removed", indent=INDENT)
        return removed

    def _chapters(self, stage: Stage) -> Iterator[tuple[str, Result]]:
        for number, chapter in enumerate(CHAPTERS, 2):
            self._heading(number, chapter.title, *chapter.code)
            self.screen.show()
            result = _run(chapter, stage)
            self._tell(result)
            yield chapter.name, result
            if chapter.name == "load" and not all(result.checks.values()):
                return

    def _heading(self, number: int, title: str, *shown: Any) -> None:
        self.screen.title(f"{number}. {title}")
        for one in shown:
            self.screen.show()
            self.screen.code(inspect.getsource(one))

    def _tell(self, result: Result) -> None:
        for one in result.told:
            self.screen.show(one, indent=INDENT)
        if result.skipped:
            self.screen.show(f"skipped: {result.skipped}", indent=INDENT, style="yellow")
        good = [name.replace("_", " ") for name, holds in result.checks.items() if holds]
        if good:
            self.screen.good(f"ok: {', '.join(good)}", indent=INDENT)
        for name in [name for name, holds in result.checks.items() if not holds]:
            self.screen.bad(f"FAILED: {name.replace('_', ' ')}", indent=INDENT)

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[int], None]]:
        """A bar with rows a second, on a terminal; it is gone when the step is done."""
        if not self.screen.terminal or self.screen.console.quiet:
            yield lambda count: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{task.finished_speed or task.speed or 0:,.0f} rows/s")

        columns = TextColumn(" " * (INDENT - 1)), BarColumn(), MofNCompleteColumn(), Rate()
        with Progress(*columns, console=self.screen.console, transient=True) as bar:
            task = bar.add_task("load", total=total)
            yield lambda count: bar.advance(task, count)


def _run(chapter: Chapter, stage: Stage) -> Result:
    """What the chapter found; a step that raises has failed, and the rest goes on."""
    try:
        return chapter.run(stage)
    except MixstoreError as error:
        return Result({"error": str(error)}, [str(error)], {"no_error": False})
