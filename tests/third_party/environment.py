"""Programs of their own, away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = tuple(sorted((ROOT / "docs" / "examples").glob("acme-*")))
MODELS = Path(__file__).with_name("models.py")
Run = Callable[..., str]


def call(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without what could lead Python or mixstore to the checkout, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MIXSTORE_"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def build(projects: Sequence[Path], folder: Path) -> list[Path]:
    """The wheels of these projects, in their order, made in a new folder by the tools that are installed here."""
    wheels = []
    for project in projects:
        out = folder / project.name
        command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, project)
        done = call(*command, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        wheels += out.glob("*.whl")
    return wheels


def without_its_code(project: Path, folder: Path) -> Path:
    """A copy of a package without the code that is installed: its tests, its README, its settings."""
    module = project.name.replace("-", "_")
    return Path(shutil.copytree(project, folder / project.name, ignore=shutil.ignore_patterns(module, ".*", "__*")))
