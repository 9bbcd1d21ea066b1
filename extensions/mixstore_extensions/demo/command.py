"""`mixstore demo`, as Typer sees it; what it does is imported when it is called."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from mixstore import ConfigurationError

if TYPE_CHECKING:
    from mixstore.cli.screen import Screen

FILE = "airports.db"


def demo(
    backend: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Run on this backend: a URL, or a name from the config.", show_default=False),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, help=f"Keep the SQLite file, as DIR/{FILE}.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results only, as JSON.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Load so many airports instead of all 28,000.", show_default=False),
    ] = None,
) -> None:
    """Load 28,000 real airports, then query, search, page, expire and race; each with the code that does it.

    Without --backend it runs on a SQLite file in a temporary folder. Rows of an earlier demo are removed first.
    """
    if backend is not None and keep is not None:
        raise typer.BadParameter("it goes with the SQLite file that the demo makes, not with --backend")
    from mixstore.cli.screen import Screen
    from mixstore_extensions.demo.data import airports
    from mixstore_extensions.demo.tour import Tour

    rows = airports(limit)
    screen = Screen(quiet=as_json)
    with _store(backend, keep) as (url, file):
        screen.show(f"mixstore demo: {len(rows):,} airports on {_place(backend, file)}", style="bold")
        results = Tour(url, rows, screen).run()
    if as_json:
        typer.echo(json.dumps({**results, "file": str(file) if file else None}, indent=2, ensure_ascii=False))
    else:
        _close(screen, results, file)
    if not results["ok"]:
        raise typer.Exit(1)


@contextmanager
def _store(backend: str | None, keep: Path | None) -> Iterator[tuple[str, Path | None]]:
    """The URL to run on, and the file that is there afterwards, if one is."""
    if backend is not None:
        yield backend, None
    elif keep is not None:
        file = keep.resolve() / FILE
        if file.exists():
            raise ConfigurationError(f"{file} is there already", hint="remove it, or keep this one elsewhere")
        file.parent.mkdir(parents=True, exist_ok=True)
        yield _url_of(file), file
    else:
        with tempfile.TemporaryDirectory(prefix="mixstore-demo-") as folder:
            yield _url_of(Path(folder) / FILE), None


def _url_of(file: Path) -> str:
    return f"sqlite:///{quote(file.as_posix())}"


def _place(backend: str | None, file: Path | None) -> str:
    if backend is not None:
        return backend.partition("://")[0]  # the rest may hold a secret
    return "a SQLite file" if file else "a SQLite file in a temporary folder"


def _close(screen: Screen, results: dict[str, Any], file: Path | None) -> None:
    screen.show()
    failed = [name for name, step in results["steps"].items() if not step["ok"]]
    seconds = f"{results['seconds']:.1f} s"
    if results["ok"]:
        screen.good(f"All of it holds on {results['backend']}; {seconds}.")
    else:
        screen.bad(f"Failed on {results['backend']}: {', '.join(failed)}; {seconds}.")
    if file is not None:
        screen.show(f"The file: {file}")
