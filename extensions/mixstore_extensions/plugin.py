"""The plugin for built-in extensions that attach by field option or config, and for the demo.

The extensions of the built-in mixins are inner classes of their mixins, which mixstore finds without being told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixstore.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer import Typer

    from mixstore.extension import BackendExtension


@hookimpl
def mixstore_register_extensions(register: Callable[[type[BackendExtension]], None]) -> None:
    """`audited`."""
    from mixstore_extensions.audited import Audited

    register(Audited)


@hookimpl
def mixstore_register_commands(app: Typer) -> None:
    """`mixstore demo`."""
    from mixstore_extensions.demo.command import demo

    app.command()(demo)
