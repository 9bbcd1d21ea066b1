"""The hooks of a mixstore plugin: all that there are.

    from mixstore import hookimpl

    @hookimpl
    def mixstore_register_backends(register):
        register("redis", RedisBackend)

A plugin is a module, or an object with such methods, named by an entry point of the group "mixstore".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pluggy import HookimplMarker, HookspecMarker

if TYPE_CHECKING:
    from typer import Typer

    from mixstore.events import Event
    from mixstore.extension import BackendExtension
    from mixstore.lookups import Lookup
    from mixstore.registry import BackendFactory

hookspec = HookspecMarker("mixstore")
hookimpl = HookimplMarker("mixstore")


@hookspec
def mixstore_register_backends(register: Callable[[str, BackendFactory], None]) -> None:
    """Call `register(scheme, factory)` for each backend.

    `factory.from_url(url)` makes one, and imports its driver only then.
    """


@hookspec
def mixstore_register_extensions(register: Callable[[type[BackendExtension]], None]) -> None:
    """Call `register(extension_class)` for each extension that isn't an inner class of its mixin.

    It attaches to models with the mixin `extends`, with a field option in `activates_on`, or by the config.
    """


@hookspec
def mixstore_register_lookups(register: Callable[[Lookup], None]) -> None:
    """Call `register(lookup)` for each lookup to add; where a backend has no rule, it is evaluated."""


@hookspec
def mixstore_register_commands(app: Typer) -> None:
    """Add commands to `mixstore`: `@app.command()`, or `app.add_typer(group)`.

    Called by the command line only, with an app of the plugin's own; import what the commands need inside of them.
    """


@hookspec
def mixstore_observe(event: Event) -> None:
    """Called after each operation. It can't change anything; what it raises is logged, not passed on."""
