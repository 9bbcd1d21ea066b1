"""`mixstore plugins`: what was found, what it brings, and why the rest is not used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mixstore.cli.screen import INDENT, Screen, grid
from mixstore.registry import current

if TYPE_CHECKING:
    from mixstore.plugins import PluginInfo


def plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable: a list of objects.")] = False,
) -> None:
    """List the plugins: where each comes from, its state, and what it brings."""
    found = current().plugins
    if as_json:
        typer.echo(json.dumps([asdict(info) for info in found], indent=2, ensure_ascii=False))
        return
    screen = Screen()
    if not found:
        screen.show("No plugins: nothing is installed with entry points of the group 'mixstore'.")
        return
    rows = [
        (info.name, info.distribution or "-", info.version or "-", info.state, "\n".join(_brings(info)) or "-")
        for info in found
    ]
    screen.show(grid(("plugin", "distribution", "version", "state", "brings"), rows))
    for info in found:
        if info.error is not None:
            screen.show()
            screen.bad(f"{info.label} is {info.state}:")
            screen.verbatim(info.error.rstrip(), indent=INDENT)


def _brings(info: PluginInfo) -> Iterator[str]:
    for what, names in (("backends", info.backends), ("extensions", info.extensions)):
        if names:
            yield f"{what}: {', '.join(names)}"
    if info.hooks:
        yield f"hooks: {', '.join(name.removeprefix('mixstore_') for name in info.hooks)}"
