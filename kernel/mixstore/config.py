"""`configure()` and `connect()`: how an application says where its records live.

Nothing of it has to be called: settings are found, and backends connected, when they are needed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mixstore.registry import current

if TYPE_CHECKING:
    from mixstore.backend import Backend
    from mixstore.settings import Settings


def configure(path: str | os.PathLike[str] | None = None, **overrides: Any) -> Settings:
    """Loads the settings into the current registry, in place of those that it had.

    Args:
        path: a mixstore.toml, or a pyproject.toml with [tool.mixstore]; None: the nearest one, searched
            upward from the working folder, if there is one.
        overrides: tables and keys of the file that beat it: `backends={"default": {"url": "memory://"}}`.
    """
    from mixstore.settings import load

    settings = load(path, overrides)
    current().use(settings)
    return settings


def connect(url_or_name: str, *, name: str | None = None) -> Backend:
    """The backend for a URL (a new one at each call) or for a name from the config (always the same).

    With `name`, models whose `Meta.backend` is that name use it; "default" is for all that name none.
    """
    registry = current()
    backend = registry.build(url_or_name) if "://" in url_or_name else registry.backend(url_or_name)
    if name is not None:
        registry.connect_as(name, backend)
    return backend
