"""The packages of docs/examples, built and installed beside mixstore into an environment of its own.

Nothing in mixstore knows what is in them: what works here works for any stranger.
"""

from __future__ import annotations

import os
import re
import sys
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

from tests.third_party.environment import EXAMPLES, MODELS, ROOT, Run, build, call

OFFLINE = re.compile(
    r"Failed to establish a new connection|Temporary failure in name resolution|Name or service not known"
    r"|Network is unreachable|Connection refused|Read timed out|ProxyError|ConnectTimeoutError"
)
NEW = {"new-extension": "mixstore-geo-fence", "new-backend": "mixstore-file-box"}
"""{command: the name of the package that it writes here}."""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """mixstore's wheel, and those of the examples."""
    return build([ROOT, *EXAMPLES], tmp_path_factory.mktemp("wheels"))


def pip(python: Path) -> tuple[str | Path, ...]:
    """The pip that installs into the environment of `python`."""
    return (sys.executable, "-m", "pip", "--python", python) if find_spec("pip") else (python, "-m", "pip")


@pytest.fixture(scope="session")
def python(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheels, what they depend on, and what tests of them need."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=find_spec("pip") is None)  # else the pip that is here installs into it
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    mixstore, *examples = wheels
    wanted = (f"{mixstore}[cli,testing]", *examples)
    done = call(*pip(python), "install", "--quiet", "--no-compile", "--retries", "2", *wanted, cwd=folder)
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip("the package index can't be reached, and a fresh environment needs pydantic and pytest from it")
    assert done.returncode == 0, done.stdout + done.stderr
    return python


@pytest.fixture(scope="session")
def generated(python: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of an extension and of a backend that the installed mixstore wrote, installed as well."""
    folder = tmp_path_factory.mktemp("generated")
    for command, name in NEW.items():
        done = call(python, "-I", "-m", "mixstore", command, name, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    written = [folder / name for name in NEW.values()]
    wheels = build(written, tmp_path_factory.mktemp("generated-wheels"))
    options = ("--quiet", "--no-compile", "--no-deps", "--no-index")
    done = call(*pip(python), "install", *options, *wheels, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return written


@pytest.fixture(scope="session")
def type_check(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Check code strictly against what is installed; what was found out about that is kept for the next time."""
    settings = ("--strict", "--cache-dir", tmp_path_factory.mktemp("types"), "--python-executable", python)

    def type_check(*arguments: str | Path, cwd: Path) -> None:
        done = call(sys.executable, "-m", "mypy", *settings, *arguments, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr

    return type_check


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
