"""Storing pages of rows as they are, and what becomes of those that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixstore.batches import replicate
from mixstore.errors import ConfigurationError, DuplicateKeyError, MixstoreError, nearest
from mixstore.moving.forms import Forms

if TYPE_CHECKING:
    from mixstore.bound import Bound

CONFLICTS = ("fail", "skip", "replace")


@dataclass(slots=True)
class Moved:
    """What became of the rows of one entity.

    `read` were looked at: of those `stored` are new, `same` were there already with these values, `replaced` and
    `skipped` were there with others.
    """

    entity: str
    read: int = 0
    stored: int = 0
    same: int = 0
    replaced: int = 0
    skipped: int = 0


def check_conflict(on_conflict: str) -> None:
    """ConfigurationError for a way to treat conflicts that there is not."""
    if on_conflict not in CONFLICTS:
        told = f"on_conflict can't be {on_conflict!r}; it is {', '.join(CONFLICTS)}"
        raise ConfigurationError(told, hint=nearest(str(on_conflict), CONFLICTS))


class Refused(Exception):
    """A row that could not be stored: its position in the page, and why."""

    def __init__(self, position: int, error: Exception) -> None:
        super().__init__(position, error)
        self.position = position
        self.error = error


class Store:
    """Where rows go: a model on a backend, and what to do with a row whose key is taken by a row with other values."""

    def __init__(self, bound: Bound, forms: Forms, on_conflict: str, moved: Moved) -> None:
        self.bound = bound
        self.forms = forms
        self.on_conflict = on_conflict
        self.moved = moved

    def put(self, rows: Sequence[dict[str, Any]]) -> None:
        """Store a page. Refused tells the first row that could not be; others of the page may have been stored."""
        self.moved.read += len(rows)
        errors = self.bound.run("copy", replicate(self.bound, "create", rows))
        self.moved.stored += errors.count(None)
        taken = [position for position, error in enumerate(errors) if self._is_taken(error)]
        others = self._with_other_values(rows, taken)
        for position, error in enumerate(errors):
            conflicts = position in others and self.on_conflict == "fail"
            if error is not None and (conflicts or position not in taken):
                raise Refused(position, _told(error))
        self.moved.same += len(taken) - len(others)
        if self.on_conflict == "skip":
            self.moved.skipped += len(others)
        elif others:
            self._replace(rows, others)

    def _is_taken(self, error: Exception | None) -> bool:
        """Whether it is the row's own key that is taken."""
        return isinstance(error, DuplicateKeyError) and error.field is None and error.model is self.bound.model

    def _with_other_values(self, rows: Sequence[dict[str, Any]], taken: Sequence[int]) -> list[int]:
        if not taken:
            return []
        there = stored_values(self.bound, [rows[position] for position in taken])
        digest = self.forms.digest
        return [
            position
            for position, found in zip(taken, there, strict=True)
            if found is None or digest(found) != digest(rows[position])
        ]

    def _replace(self, rows: Sequence[dict[str, Any]], others: Sequence[int]) -> None:
        errors = self.bound.run("copy", replicate(self.bound, "upsert", [rows[position] for position in others]))
        for position, error in zip(others, errors, strict=True):
            if error is not None:
                raise Refused(position, _told(error))
        self.moved.replaced += len(others)


def stored_values(bound: Bound, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """The values that are stored under the keys of these rows, seen or hidden; None where there is no row."""

    def read() -> Any:
        return (yield bound.engine.compile_get(bound, tuple(bound.key_from(values) or () for values in rows)))

    found = bound.run("copy", read())
    return [None if row is None else bound.stored_values(row) for row in found]


def _told(error: Exception) -> Exception:
    if isinstance(error, MixstoreError):
        again = "done again, it passes over the rows that are stored by then"
        if isinstance(error, DuplicateKeyError) and error.field is None:
            again = 'a row with other values is there: on_conflict="skip" leaves it, "replace" replaces it'
        error.hint = again
    return error
