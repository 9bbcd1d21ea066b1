"""`mixstore check`: everything that can be wrong before the first record, at once."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixstore.cli.importing import path_of
from mixstore.cli.inspection import Inspection, inspect
from mixstore.cli.live import Live, backend_label, compare
from mixstore.cli.screen import INDENT, Screen, grid

if TYPE_CHECKING:
    from mixstore.bound import Bound

Modules = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODULE]...", help="Modules that define models: app.models", show_default=False),
]


AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable: an object with `models` and `mistakes`.")]
LiveToo = Annotated[bool, typer.Option("--live", help="Ask the stores, too, how they differ from the models.")]


def check(modules: Modules = None, as_json: AsJson = False, live: LiveToo = False) -> None:
    """Bind every model, show its chain, and report all mistakes in modules, plugins, settings and models.

    Besides the modules, those of the models in the config's [models] are looked at. No store is asked anything, unless
    --live compares what is there with what is declared; nothing is ever written. Exit code 1 if there is a mistake or a
    difference.
    """
    found = inspect(modules or [])
    stores = compare(found.bounds) if live else None
    if as_json:
        typer.echo(json.dumps(_as_object(found, stores), indent=2, ensure_ascii=False))
        raise typer.Exit(1 if found.mistakes or (stores and (stores.drift or stores.mistakes)) else 0)
    _show(Screen(), found, stores)


def _show(screen: Screen, found: Inspection, stores: Live | None) -> None:
    for bound in found.bounds:
        _show_chain(screen, bound)
    found.show_mistakes(screen)
    wrong = len(found.mistakes)
    summary = f"{_many(len(found.bounds), 'model')} bound, "
    if stores is None:
        summary += _many(wrong, "mistake")
    else:
        stores.show(screen)
        wrong += len(stores.mistakes)
        summary += f"{_many(wrong, 'mistake')}, {_many(len(stores.drift), 'difference')}"
        wrong += len(stores.drift)
    screen.show()
    if wrong:
        screen.bad(summary)
        raise typer.Exit(1)
    screen.good(summary)
    if not found.bounds:
        screen.show("Name the modules that define the models: mixstore check app.models")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _as_object(found: Inspection, stores: Live | None) -> dict[str, Any]:
    models = [
        {
            "model": path_of(bound.model),
            "backend": {"kind": bound.backend.backend_name, "name": bound.backend.config_name},
            "extensions": [asdict(entry) for entry in bound.chain.entries],
        }
        for bound in found.bounds
    ]
    told: dict[str, Any] = {"models": models, "mistakes": [one._asdict() for one in found.mistakes]}
    if stores is not None:
        told["mistakes"] += [one._asdict() for one in stores.mistakes]
        told["drift"] = stores.as_objects()
    return told


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
