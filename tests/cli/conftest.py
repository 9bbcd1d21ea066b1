"""The command line as a person calls it, in a working folder and a registry of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner, Result

from mixstore.cli.app import build
from mixstore.registry import Registry, registry

Run = Callable[..., Result]
Write = Callable[[str, str], None]


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry of its own, and an empty working folder from which modules can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    with registry() as fresh:
        yield fresh
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(path, text): a file in the working folder."""

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")

    return write


@pytest.fixture
def points() -> list[EntryPoint]:
    """What is installed: the built-in plugins, and what a test adds."""
    return [
        EntryPoint("backends", "mixstore_backends.plugin", "mixstore"),
        EntryPoint("extensions", "mixstore_extensions.plugin", "mixstore"),
    ]


@pytest.fixture
def run(fresh: Registry, points: list[EntryPoint]) -> Run:
    """run("check", "app.models"): the command, with the plugins of `points`; `stdout` and `stderr` are apart."""
    loaded: list[bool] = []

    def run(*arguments: str) -> Result:
        if not loaded:
            fresh.load_plugins(points)
            loaded.append(True)
        return CliRunner().invoke(build(), arguments, prog_name="mixstore")

    return run
