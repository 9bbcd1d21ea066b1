"""What mixstore gets to know of this package; named by its entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mixstore import hookimpl

from acme_jsonlines.backend import JsonLinesBackend

if TYPE_CHECKING:
    from mixstore.registry import BackendFactory


@hookimpl
def mixstore_register_backends(register: Callable[[str, BackendFactory], None]) -> None:
    """`connect("jsonlines:///rows.jsonl")`."""
    register("jsonlines", JsonLinesBackend)
