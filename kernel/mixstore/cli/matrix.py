"""`mixstore matrix`: what each backend can do, by the cases of the conformance kit that it passes."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mixstore.errors import ConfigurationError

PAGE = Path("docs/matrix.md")
Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TEST]...", help="Where the conformance classes are; by default all that pytest finds."),
]
Backends = Annotated[list[str] | None, typer.Option("--backend", help="Only this column; may be given several times.")]


def matrix(
    paths: Paths = None,
    backend: Backends = None,
    write: Annotated[Path | None, typer.Option("--write", help="Write the page to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable: an object by backend.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Run one case of each class only, and compare with the page (--write).")
    ] = False,
) -> None:
    """Run the conformance kit, and show which backend can do what.

    Exit code 1 if a case fails, or, with --check, if the page is stale.
    """
    try:
        from mixstore.testing import matrix as made
    except ImportError as error:
        raise ConfigurationError(str(error)) from error
    with contextlib.redirect_stdout(sys.stderr):
        findings = made.found(paths or [], whole=not check, only=backend or ())
    if findings.failed:
        typer.echo(f"mixstore: {len(findings.failed)} cases fail, so there is no table", err=True)
        raise typer.Exit(1)
    told = made.table(findings.columns.values())
    text = made.page(told)
    target = write or PAGE
    if check:
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            typer.echo(f"mixstore: {target} is stale; mixstore matrix --write {target} writes it anew", err=True)
            raise typer.Exit(1)
    elif write is not None:
        write.write_text(text, encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif write is None and not check:
        typer.echo(text)
