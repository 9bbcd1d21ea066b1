"""A backend for mixstore that implements its contract directly: `jsonlines:///rows.jsonl`."""

from __future__ import annotations

from acme_jsonlines.backend import JsonLinesBackend

__all__ = ["JsonLinesBackend"]
