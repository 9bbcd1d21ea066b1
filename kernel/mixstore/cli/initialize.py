"""`mixstore init`: the one command that makes tables and indexes."""

from __future__ import annotations

import typer

from mixstore.cli.check import Modules
from mixstore.cli.importing import told
from mixstore.cli.inspection import inspect
from mixstore.cli.live import backend_label, by_backend, progress
from mixstore.cli.screen import INDENT, Screen
from mixstore.errors import MixstoreError


def init(modules: Modules = None) -> None:
    """Make or extend what the models need in their stores: tables, columns, indexes. Refused if a check fails."""
    screen = Screen()
    found = inspect(modules or [])
    if found.mistakes:
        found.show_mistakes(screen)
        screen.bad("Nothing was changed.")
        raise typer.Exit(1)
    if not found.bounds:
        screen.show("No models. Name the modules that define them: mixstore init app.models")
        raise typer.Exit(1)
    failed = False
    for backend, bounds in by_backend(found.bounds):
        screen.show(backend_label(bounds[0]), style="bold")
        try:
            with progress(screen):
                backend.initialize(*[bound.model for bound in bounds])
        except MixstoreError as error:
            failed = True
            screen.bad(told(error), indent=INDENT)
        else:
            screen.good(f"ready for {', '.join(bound.schema.entity for bound in bounds)}", indent=INDENT)
    if failed:
        raise typer.Exit(1)
