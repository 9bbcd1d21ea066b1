"""The backends that come with mixstore. Each has its own module, such as `mixstore_backends.sqlite`."""

from __future__ import annotations

__all__: list[str] = []
