"""How far a copy has come, in a file, so that it goes on from there after the process was killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mixstore.errors import ConfigurationError

VERSION = 1


class Checkpoint:
    """The file of one copy between two stores: a cursor of each part, or that it is done.

    It holds keys, so that only its owner may read it. Each state replaces the one before at once, on the disk.
    """

    def __init__(self, path: str | os.PathLike[str] | None, title: str) -> None:
        self.path = None if path is None else Path(path)
        self.title = title
        self.state: dict[str, Any] = {}
        if self.path is not None and self.path.exists():
            self.state = self._read(self.path)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            version, title, state = told["version"], told["copy"], told["parts"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{path} is no checkpoint of a copy that can be read") from error
        if version != VERSION or title != self.title or not isinstance(state, dict):
            raise ConfigurationError(
                f"{path} is the checkpoint of another copy: {title}, not {self.title}",
                hint="each copy has a file of its own; without the file it begins anew and passes over what is there",
            )
        return state

    def done(self, part: str) -> bool:
        """Whether all of it is copied."""
        return self.state.get(part) is True

    def cursor(self, part: str) -> str | None:
        """Where to go on; None at the beginning."""
        found = self.state.get(part)
        return found if isinstance(found, str) else None

    def reached(self, part: str, cursor: str | None, done: bool = False) -> None:
        """Everything up to this cursor is stored."""
        if self.path is None or (cursor is None and not done):
            return
        self.state[part] = True if done else cursor
        told = {"version": VERSION, "copy": self.title, "parts": self.state}
        other = self.path.with_name(self.path.name + ".new")
        with os.fdopen(os.open(other, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(other, self.path)

    def remove(self) -> None:
        """All is copied."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
