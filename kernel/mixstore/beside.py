"""What stands beside a row: what is read before it is written, and the rows that are written together with it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.errors import ValidationError
from mixstore.failures import hook_failed, hook_gave
from mixstore.query import Query
from mixstore.write import SideWrite

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.bound import Bound
    from mixstore.extension import BackendExtension
    from mixstore.write import KeyValue, Operation, WriteContext

Steps = Generator[Any, Any, Any]
Found = Sequence[list[dict[str, Any]]]
"""What each extension that writes beside the row asked for, in the order of the chain."""


class StoredRow(NamedTuple):
    """A row that was read before it is written; both are None if there is none or it counts as absent."""

    values: dict[str, Any] | None
    record: Mapping[str, Any] | None


NO_ROW = StoredRow(None, None)


def stored_row(bound: Bound, operation: Operation, row: Any, now: datetime) -> StoredRow:
    """A row as the engine gave it, before a write.

    One that counts as absent is none to a write that would replace it; whether an update or a delete may see it is a
    condition of theirs.
    """
    if row is None:
        return NO_ROW
    values = bound.stored_values(row)
    replaces = operation in ("create", "upsert")
    if replaces and bound.dead is not None and bound.dead({"now": now})(values):
        return NO_ROW
    return StoredRow(bound.after_read(row, values), bound.stored_of(row))


def likely_key(bound: Bound, instance: Any) -> KeyValue | None:
    """The key of a row as it stands before hooks, which may still make it."""
    try:
        return bound.key_from(instance.__dict__)
    except ValidationError:
        return None


def read_beside(bound: Bound, operation: Operation, key: KeyValue | None) -> Steps:
    """The rows of internal models that extensions must know; none as long as the key is not known."""
    from mixstore.reads import rows_of

    answers: list[list[dict[str, Any]]] = []
    for extension, read, _ in bound.chain.beside:
        query = None
        if key is not None:
            owner = type(extension).__qualname__
            try:
                query = read(operation, key)
                if not (query is None or isinstance(query, Query)):
                    raise hook_gave(bound, owner, "read_beside", key, "a Query or None", query)
            except Exception as error:
                raise hook_failed(bound, owner, "read_beside", key, error) from error
        if query is None:
            answers.append([])
            continue
        other = bound.backend.bound(query.model)
        rows = yield from rows_of(other, query)
        answers.append([other.values_from_row(row) for row in rows])
    return answers


def write_beside(bound: Bound, context: WriteContext, found: Found) -> list[tuple[BackendExtension, SideWrite]]:
    """The rows that extensions write together with one that is final, and whose they are."""
    writes: list[tuple[BackendExtension, SideWrite]] = []
    for (extension, _, write), rows in zip(bound.chain.beside, found, strict=True):
        owner = type(extension).__qualname__
        try:
            for side in write(context, rows):
                if not isinstance(side, SideWrite):
                    raise hook_gave(bound, owner, "write_beside", context.key, "SideWrites", side)
                writes.append((extension, side))
        except Exception as error:
            raise hook_failed(bound, owner, "write_beside", context.key, error) from error
    return writes
