"""`import_lines`: rows from JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from mixstore.backend import Backend
from mixstore.errors import ConfigurationError, MixstoreError, ValidationError, nearest
from mixstore.moving.forms import Forms
from mixstore.moving.reading import kept, place
from mixstore.moving.storing import Moved, Refused, Store, check_conflict

if TYPE_CHECKING:
    from mixstore.bound import Bound

PAGE = 500
"""Rows that are stored at once."""
PARTS = {"entity", "values"}


def import_lines(
    lines: Iterable[str | bytes],
    *models: type[Any],
    backend: Backend | str | None = None,
    on_conflict: str = "fail",
    progress: Callable[[Moved], object] | None = None,
) -> list[Moved]:
    """Store rows that `export_lines` wrote, with the values that they have; the store is initialized for the models.

    Empty lines are passed over. Anything else that is no row of one of these models, or can't be stored, is an error
    that names the line: all lines before it are stored, and none after it is, but for some of the same page (500
    lines). `on_conflict` is as in `copy`. Returns what became of each entity.
    """
    check_conflict(on_conflict)
    bounds = [place(model, backend) for model in models]
    for bound in bounds:
        bound.backend.initialize(bound.model)
    importing = _Importing(bounds, on_conflict, progress)
    for number, line in enumerate(lines, 1):
        if line.strip():
            importing.add(number, line)
    importing.flush()
    return [store.moved for store in importing.stores.values() if store.moved.read]


class _Importing:
    """Rows of one entity after the other, some at a time."""

    def __init__(self, bounds: list[Bound], on_conflict: str, progress: Callable[[Moved], object] | None) -> None:
        beside = [bound.backend.bound(query.model) for bound in bounds for query in kept(bound)]
        self.stores = {
            bound.schema.entity: Store(bound, Forms(bound), on_conflict, Moved(bound.schema.entity))
            for bound in (*bounds, *beside)
        }
        self.progress = progress
        self.store: Store | None = None
        self.numbers: list[int] = []
        self.rows: list[dict[str, Any]] = []

    def add(self, number: int, line: str | bytes) -> None:
        try:
            store, values = self._read(line)
        except MixstoreError as error:
            self.flush()  # what comes before is told first, and is stored
            _raise_at(number, error)
        if store is not self.store or len(self.rows) == PAGE:
            self.flush()
        self.store = store
        self.numbers.append(number)
        self.rows.append(values)

    def flush(self) -> None:
        """Store what has been read."""
        if self.store is None or not self.rows:
            return
        numbers, rows = self.numbers, self.rows
        self.numbers, self.rows = [], []
        try:
            self.store.put(rows)
        except Refused as refused:
            _raise_at(numbers[refused.position], refused.error)
        if self.progress is not None:
            self.progress(self.store.moved)

    def _read(self, line: str | bytes) -> tuple[Store, dict[str, Any]]:
        try:
            told = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise ValidationError("this is no JSON") from None
        if not isinstance(told, dict) or told.keys() != PARTS or not isinstance(told["values"], dict):
            raise ValidationError('this is no row: {"entity": NAME, "values": {FIELD: VALUE, ...}}')
        store = self.stores.get(told["entity"]) if isinstance(told["entity"], str) else None
        if store is None:
            raise ConfigurationError(
                f"there is no model of the entity {told['entity']!r}", hint=nearest(str(told["entity"]), self.stores)
            )
        return store, store.forms.decoded(told["values"])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _raise_at(number: int, error: Exception) -> NoReturn:
    if isinstance(error, MixstoreError):
        error.message = f"line {number}: {error.message}"
    raise error
