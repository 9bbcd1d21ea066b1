"""`mixstore check`: everything that can be wrong before the first record, at once."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixstore.cli.importing import path_of
from mixstore.cli.inspection import Inspection, inspect
from mixstore.cli.screen import INDENT, Screen, grid

if TYPE_CHECKING:
    from mixstore.bound import Bound

Modules = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODULE]...", help="Modules that define models: app.models", show_default=False),
]


AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable: an object with `models` and `mistakes`.")]


def check(modules: Modules = None, as_json: AsJson = False) -> None:
    """Bind every model, show its chain, and report all mistakes in modules, plugins, settings and models.

    Besides the modules, those of the models in the config's [models] are looked at. No store is asked anything.
    Exit code 1 if there is a mistake.
    """
    found = inspect(modules or [])
    if as_json:
        typer.echo(json.dumps(_as_object(found), indent=2, ensure_ascii=False))
        raise typer.Exit(1 if found.mistakes else 0)
    screen = Screen()
    for bound in found.bounds:
        _show_chain(screen, bound)
    found.show_mistakes(screen)
    wrong = len(found.mistakes)
    mistakes = f"{wrong} mistake{'' if wrong == 1 else 's'}"
    summary = f"{len(found.bounds)} model{'' if len(found.bounds) == 1 else 's'} bound, {mistakes}"
    screen.show()
    if wrong:
        screen.bad(summary)
        raise typer.Exit(1)
    screen.good(summary)
    if not found.bounds:
        screen.show("Name the modules that define the models: mixstore check app.models")


def _as_object(found: Inspection) -> dict[str, Any]:
    models = [
        {
            "model": path_of(bound.model),
            "backend": {"kind": bound.backend.backend_name, "name": bound.backend.config_name},
            "extensions": [asdict(entry) for entry in bound.chain.entries],
        }
        for bound in found.bounds
    ]
    return {"models": models, "mistakes": [one._asdict() for one in found.mistakes]}


def _show_chain(screen: Screen, bound: Bound) -> None:
    screen.show(f"{path_of(bound.model)} on {backend_label(bound)}", style="bold")
    rows = [
        (entry.name, entry.state if entry.state != "active" else entry.fidelity or "active", entry.reason)
        for entry in bound.chain.entries
    ]
    if rows:
        screen.show(grid(("extension", "state", "why"), rows), indent=INDENT)
    else:
        screen.show("no extensions", indent=INDENT)
    screen.show()


def backend_label(bound: Bound) -> str:
    """The kind of backend, and the name that the config gives it; never its URL, which may hold a secret."""
    kind, name = bound.backend.backend_name, bound.backend.config_name
    return f"{kind} ({name})" if name else kind
