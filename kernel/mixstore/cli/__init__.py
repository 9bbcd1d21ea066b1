"""The command `mixstore` (extra: cli). Plugins add to it by the hook mixstore_register_commands.

Importing this package loads neither Typer nor Rich; `main()` does, and says what to install where they are missing.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of `mixstore`. Always ends in SystemExit."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "typer"):
            raise
        sys.stderr.write("mixstore: the command line needs Typer and Rich: pip install 'mixstore[cli]'\n")
        sys.exit(1)
    from mixstore.cli.app import run

    run()
