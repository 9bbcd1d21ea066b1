"""The Typer app: the kernel's own commands, and those that plugins add."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from mixstore import __version__
from mixstore.cli.check import check
from mixstore.cli.initialize import init
from mixstore.cli.matrix import matrix
from mixstore.cli.moving import copy, export, import_
from mixstore.cli.new import new_backend, new_extension
from mixstore.cli.plugins import plugins
from mixstore.errors import MixstoreError, PluginError
from mixstore.registry import current

if TYPE_CHECKING:
    from mixstore.plugins import PluginInfo

OWN: dict[str, Callable[..., None]] = {
    "check": check,
    "copy": copy,
    "export": export,
    "import": import_,
    "init": init,
    "matrix": matrix,
    "new-backend": new_backend,
    "new-extension": new_extension,
    "plugins": plugins,
}


class Commands(TyperGroup):
    """What mixstore refuses is a message and exit code 1, in every command; a traceback means a bug."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MixstoreError as error:
            complain(error)
            raise typer.Exit(1) from error


def run() -> None:
    """Run the command line of this process. Always ends in SystemExit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a narrow locale shows ? and breaks nothing
    try:
        app = build()
    except MixstoreError as error:
        if sys.argv[1:2] != ["check"]:  # that tells all mistakes in its own way
            complain(error)
            sys.exit(1)
        app = build(plugged=False)
    app(prog_name="mixstore")


def build(plugged: bool = True) -> typer.Typer:
    """The app with all commands that the current registry's plugins add. ConfigurationError for broken settings."""
    app = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        callback=_options,
    )
    for name, function in OWN.items():
        app.command(name)(function)
    owners = dict.fromkeys(OWN, "mixstore")

    def adding(info: PluginInfo) -> AbstractContextManager[typer.Typer]:
        return _addition(app, owners, info)

    if plugged:
        current().register_commands(adding)
    return app


def complain(error: MixstoreError) -> None:
    """Tell what is wrong, on stderr."""
    typer.echo(f"mixstore: {error}", err=True)


@contextmanager
def _addition(app: typer.Typer, owners: dict[str, str], info: PluginInfo) -> Iterator[typer.Typer]:
    """An app for the commands of one plugin, which join `app` if their names are free, or it is a PluginError."""
    own = typer.Typer()
    yield own
    if own.registered_callback is not None:
        raise PluginError(f"{info.label} adds a callback to the whole command line; it may add commands only")
    names = list(get_group(own).commands)
    for name in names:
        if name in owners:
            raise PluginError(f"command {name!r} of {info.label} is already registered by {owners[name]}")
    owners.update(dict.fromkeys(names, info.label))
    app.registered_commands += own.registered_commands
    app.registered_groups += own.registered_groups


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mixstore {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Records with abilities: models, their backends, and what stands between."""
