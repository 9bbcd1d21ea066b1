"""A mixin whose extension writes down which of its hooks ran, and adds an attribute that must come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixstore import BackendExtension, Mixin, Outcome, WriteChange, WriteContext

CALLS: list[str] = []
MARK = "_witness"


class Witnessed(Mixin):
    """Sees every write and every read of a row."""

    class Witness(BackendExtension):
        """Changes nothing that a model shows."""

        def before_write(self, context: WriteContext) -> WriteChange | None:
            """Before the write."""
            CALLS.append("before_write")
            return None

        def validate(self, data: Mapping[str, Any]) -> None:
            """On the final values."""
            CALLS.append("validate")

        def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
            """Leave a mark in the record."""
            CALLS.append("serialize")
            return {**data, MARK: 1}

        def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
            """Take it away again."""
            CALLS.append("deserialize")
            assert data.get(MARK) == 1, "the mark is lost"
            return {name: value for name, value in data.items() if name != MARK}

        def after_write(self, context: WriteContext, outcome: Outcome) -> None:
            """After the write."""
            CALLS.append("after_write")

        def after_read(self, context: WriteContext | None, values: dict[str, Any]) -> dict[str, Any]:
            """On a row that was read."""
            CALLS.append("after_read")
            return values
