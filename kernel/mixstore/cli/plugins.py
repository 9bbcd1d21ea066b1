"""`mixstore plugins`: what was found, what it brings, and why the rest is not used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mixstore.cli.screen import INDENT, Screen, grid
from mixstore.errors import PluginError, nearest
from mixstore.plugins import HOOKS
from mixstore.registry import current

if TYPE_CHECKING:
    from mixstore.plugins import PluginInfo

PREFIX = "mixstore_"


def plugins(
    show_all: Annotated[bool, typer.Option("--all", help="Show those that come with mixstore, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable: a list of objects.")] = False,
    hook: Annotated[str | None, typer.Option("--hook", help="Only those with this hook, such as observe.")] = None,
) -> None:
    """List the installed plugins: where each comes from, its state, and what it brings.

    Exit code 1 if one that the settings require is not there.
    """
    found = _asked(current().plugins, show_all, hook)
    if as_json:
        typer.echo(json.dumps([asdict(info) for info in found], indent=2, ensure_ascii=False))
    else:
        _show(found, show_all, hook)
    current().load_plugins()


def _asked(found: Iterable[PluginInfo], show_all: bool, hook: str | None) -> list[PluginInfo]:
    """Those to show; what comes with mixstore only if it is asked for, or does not work."""
    found = [info for info in found if show_all or not info.built_in or info.state != "active"]
    if hook is None:
        return found
    name = hook if hook.startswith(PREFIX) else PREFIX + hook
    if name not in HOOKS:
        raise PluginError(f"there is no hook {hook!r}", hint=nearest(name, HOOKS))
    return [info for info in found if name in info.hooks]


def _show(found: list[PluginInfo], show_all: bool, hook: str | None) -> None:
    screen = Screen()
    if not found:
        others = "" if show_all else " but mixstore's own, which --all shows"
        wanted = "" if hook is None else f" with the hook {hook}"
        screen.show(f"No plugins{wanted}{others}.")
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
        yield f"hooks: {', '.join(name.removeprefix(PREFIX) for name in info.hooks)}"
