"""Programs of their own, away from the checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STRANGER = ROOT / "tests" / "fixtures" / "acme-mixstore"
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
