"""`mixstore reindex`: what serves the queries of a model is made anew, while programs go on reading and writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mixstore.cli.importing import path_of
from mixstore.cli.inspection import Inspection, inspect
from mixstore.cli.live import backend_label
from mixstore.cli.screen import INDENT, Screen
from mixstore.errors import ConfigurationError, nearest

if TYPE_CHECKING:
    from mixstore.backend import Told
    from mixstore.bound import Bound

ModelPath = Annotated[str, typer.Argument(metavar="MODEL", help="The model, with its module: app.models.Article")]
Keep = Annotated[
    bool | None,
    typer.Option("--keep/--drop", help="Whether what served it until now stays.", show_default="as the backend does"),
]


def reindex(model: ModelPath, keep: Keep = None) -> None:
    """Make what serves the queries of a model anew: a search index of a changed form, keys in a late index.

    Programs go on reading and writing meanwhile. One that was interrupted goes on where it was when it is run again.
    """
    screen = Screen()
    module = model.rpartition(".")[0]
    if not module:
        raise ConfigurationError(f"{model!r} names no module", hint="name the model as app.models.Article")
    found = inspect([module])
    bound = _of(found, model, screen)
    screen.show(f"{path_of(bound.model)} on {backend_label(bound)}", style="bold")
    with _bar(screen) as told:
        count = bound.backend.reindex(bound.model, keep=keep, told=told)
    screen.good(f"done, {count} row{'' if count == 1 else 's'}", indent=INDENT)


def _of(found: Inspection, path: str, screen: Screen) -> Bound:
    """The model of this name; the mistakes of all are told if it can't be had."""
    for bound in found.bounds:
        if path_of(bound.model) == path:
            return bound
    if found.mistakes:
        found.show_mistakes(screen)
        raise typer.Exit(1)
    known = [path_of(bound.model) for bound in found.bounds]
    raise ConfigurationError(f"there is no model {path!r}", hint=nearest(path, known))


@contextmanager
def _bar(screen: Screen) -> Iterator[Told]:
    """What shows how far it is: a bar on a terminal, elsewhere a line for each thing that is done."""
    before: list[str] = []

    def line(what: str, done: int, total: int | None) -> None:
        if what not in before:
            before.append(what)
            screen.show(what, indent=INDENT)

    if not screen.terminal:
        yield line
        return
    columns = TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=screen.console) as progress:
        tasks: dict[str, TaskID] = {}

        def bar(what: str, done: int, total: int | None) -> None:
            if not done and total is None:  # nothing to count
                line(what, done, total)
                return
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield bar
        for task in progress.tasks:
            progress.update(task.id, total=task.completed)
