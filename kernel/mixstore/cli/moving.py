"""`mixstore copy`, `mixstore export`, `mixstore import`: whole models between stores and files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mixstore.backend import Backend
from mixstore.cli.importing import module_of, path_of, search_here
from mixstore.cli.inspection import inspect
from mixstore.cli.screen import Screen
from mixstore.config import connect
from mixstore.errors import ConfigurationError, nearest
from mixstore.moving import Moved
from mixstore.moving import copy as copy_models
from mixstore.moving.exporting import export_lines
from mixstore.moving.importing import import_lines
from mixstore.moving.reading import number_of
from mixstore.query import Query
from mixstore.registry import current

if TYPE_CHECKING:
    from mixstore.bound import Bound

Models = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODEL]...", help="Models, app.models.User, or modules of them.", show_default=False),
]
Source = Annotated[str, typer.Argument(metavar="SRC", help="A backend of the config, or a URL.")]
Destination = Annotated[str, typer.Argument(metavar="DST", help="A backend of the config, or a URL.")]
OnConflict = Annotated[
    str, typer.Option("--on-conflict", help="What to do with a row that is there with other values: fail|skip|replace.")
]
CheckpointFile = Annotated[
    Path | None, typer.Option("--checkpoint", help="A file that says where to go on after a stop; removed at the end.")
]
Where = Annotated[str | None, typer.Option("--backend", help="Instead of the one that the models are bound to.")]


def copy(
    source: Source,
    destination: Destination,
    models: Models = None,
    on_conflict: OnConflict = "fail",
    checkpoint: CheckpointFile = None,
    rows_only: Annotated[bool, typer.Option("--rows-only", help="Leave what extensions keep beside the rows.")] = False,
) -> None:
    """Copy all rows of models from one store to another, and compare both at the end.

    Without MODEL: those of the config's [models] that are bound to SRC. Rows keep their values; hidden ones come along,
    expired ones do not. Started again, it passes over what is there already.
    """
    with _opened(source) as here, _opened(destination) as there:
        found = [bound.model for bound in _chosen(models, here if "://" not in source else None)]
        with _bar({one.schema.entity: number_of(one, Query(one.model)) for one in map(here.bound, found)}) as progress:
            moved = copy_models(
                found,
                here,
                there,
                on_conflict=on_conflict,
                checkpoint=checkpoint,
                rows_only=rows_only,
                progress=progress,
            )
    _show(moved, "copied and compared")


def export(
    models: Models = None,
    everything: Annotated[bool, typer.Option("--all", help="All models of the config's [models].")] = False,
    backend: Where = None,
    plain_secrets: Annotated[
        bool, typer.Option("--plain-secrets", help="Write what is stored encrypted as it is, readable by anybody.")
    ] = False,
) -> None:
    """Write all rows of models to standard output, as JSON lines."""
    if bool(models) == everything:
        raise ConfigurationError("name the models to export, or give --all")
    with _opened(backend) as there:
        found = _chosen(models, None)
        out = sys.stdout.buffer
        with _bar({}) as progress:
            lines = export_lines(
                *[bound.model for bound in found], backend=there, plain_secrets=plain_secrets, progress=progress
            )
            for line in lines:
                out.write(line.encode() + b"\n")
        out.flush()


def import_(models: Models = None, backend: Where = None, on_conflict: OnConflict = "fail") -> None:
    """Store the rows that standard input has as JSON lines. Without MODEL: of the models in the config's [models].

    An error names its line; the lines before it are stored, and done again they are passed over.
    """
    with _opened(backend) as there, _bar({}) as progress:
        found = [bound.model for bound in _chosen(models, None)]
        moved = import_lines(sys.stdin.buffer, *found, backend=there, on_conflict=on_conflict, progress=progress)
    _show(moved, "imported")


@contextmanager
def _opened(place: str | None) -> Iterator[Any]:
    """The backend of a name or URL, closed at the end if it was made for this; None for None."""
    if place is None:
        yield None
        return
    backend = connect(place)
    try:
        yield backend
    finally:
        if "://" in place:
            backend.close()


def _chosen(names: Sequence[str] | None, source: Backend | None) -> list[Bound]:
    """The models that are meant; ConfigurationError for a name that is none, or if there is nothing to do.

    Of modules, and of the config, only those that are bound to `source`, if there is one.
    """
    search_here()
    told = names or list(current().settings.models)
    modules = {name: module_of(f"{name}.*") for name in told}
    for name, module in modules.items():
        if module is None:
            raise ConfigurationError(f"{name!r} is no model and no module", hint="a model is named app.models.User")
    found = inspect([module for module in modules.values() if module])
    if found.mistakes:
        wrong = "; ".join(f"{where}: {what}" for where, what in found.mistakes)
        raise ConfigurationError(f"nothing was read or written: {wrong}", hint="mixstore check shows all of it")
    chosen = [bound for name in told for bound in _named(name, found.bounds, source)]
    if not chosen:
        raise ConfigurationError("there are no models to move", hint="name them: app.models.User, or the module")
    return list(dict.fromkeys(chosen))


def _named(name: str, bounds: Sequence[Bound], source: Backend | None) -> list[Bound]:
    """The model of this name, or those of a module, or those below a base class that the config may name."""
    exact = [bound for bound in bounds if path_of(bound.model) == name]
    if exact:
        return exact
    inside = [
        bound
        for bound in bounds
        if path_of(bound.model).startswith(f"{name}.") or name in map(path_of, bound.model.__mro__)
    ]
    if not inside and module_of(f"{name}.*") != name:
        raise ConfigurationError(
            f"there is no model {name!r}", hint=nearest(name, [path_of(one.model) for one in bounds])
        )
    return [bound for bound in inside if source is None or bound.backend is source]


@contextmanager
def _bar(totals: Mapping[str, int]) -> Iterator[Callable[[Moved], None]]:
    """Shows progress on stderr if that is a terminal, a line an entity; `totals` are rows, where they are known."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        tasks: dict[str, Any] = {}

        def progress(moved: Moved) -> None:
            if moved.entity not in tasks:
                tasks[moved.entity] = shown.add_task(moved.entity, total=totals.get(moved.entity))
            shown.update(tasks[moved.entity], completed=moved.read)

        yield progress


def _show(moved: Sequence[Moved], done: str) -> None:
    screen = Screen()
    for one in moved:
        told = {"new": one.stored, "there already": one.same, "replaced": one.replaced, "skipped": one.skipped}
        parts = [f"{number:,} {what}" for what, number in told.items() if number]
        screen.good(f"{one.entity}: {one.read:,} rows {done}: {', '.join(parts) or 'none'}")
    if not moved:
        screen.show("There were no rows.")
