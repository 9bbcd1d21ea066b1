"""A package of somebody else's, built and installed beside mixstore into an environment of its own.

Nothing in this repository knows the package in tests/fixtures/acme-mixstore: what works here works for any stranger.
"""

from __future__ import annotations

import os
import re
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

from tests.third_party.environment import MODELS, ROOT, STRANGER, Run, call

OFFLINE = re.compile(
    r"Failed to establish a new connection|Temporary failure in name resolution|Name or service not known"
    r"|Network is unreachable|Connection refused|Read timed out|ProxyError|ConnectTimeoutError"
)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """mixstore's wheel and the stranger's."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (ROOT, STRANGER):
        done = call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return sorted(folder.glob("*.whl"), reverse=True)


@pytest.fixture(scope="session")
def python(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the two wheels, what they depend on, and what tests of them need."""
    folder = tmp_path_factory.mktemp("environment")
    pip_is_here = find_spec("pip") is not None  # it then installs into the other environment, which needs none
    venv.create(folder, with_pip=not pip_is_here)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python) if pip_is_here else (python, "-m", "pip")
    mixstore, stranger = wheels
    wanted = (f"{mixstore}[testing]", stranger)
    done = call(*pip, "install", "--quiet", "--no-compile", "--retries", "2", *wanted, cwd=folder)
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip("the package index can't be reached, and a fresh environment needs pydantic and pytest from it")
    assert done.returncode == 0, done.stdout + done.stderr
    return python


@pytest.fixture
def run(python: Path, tmp_path: Path) -> Run:
    """Run a program in the fresh environment, in the test's own folder; answers what it prints."""

    def run(code: str, **variables: str) -> str:
        done = call(python, "-I", "-W", "error", "-c", dedent(code), cwd=tmp_path, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def app(run: Run) -> Run:
    """`run`, for a program that goes on where models.py ends."""
    models = MODELS.read_text(encoding="utf-8")
    return lambda code, **variables: run(models + dedent(code), **variables)
