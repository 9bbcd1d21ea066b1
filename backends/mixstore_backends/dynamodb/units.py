"""Plans of writes, and how they run: one by itself, several together, or each of a batch.

A refusal tells what is stored. The reference semantics decides what it means; where they see no reason for it, the
row has changed in between, and the write is tried again on what is there now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import MixstoreError, ValidationError
from mixstore.planned import Plan
from mixstore.write import OK, Outcome, Write
from mixstore_backends.dynamodb import errors
from mixstore_backends.dynamodb.errors import ConditionFailedError
from mixstore_backends.dynamodb.reading import read_keys
from mixstore_backends.dynamodb.sizes import size_of
from mixstore_backends.dynamodb.transactions import Unit
from mixstore_backends.dynamodb.writes import UNREAD, Action, action_of, judged, must_read

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Steps, Transport

ATTEMPTS = 20
"""How often a write is tried on a row that others keep changing."""


class Single(Plan):
    """One write with no side write. `action` is what is tried first, None if the row has to be read for it."""

    __slots__ = ("action", "write")

    def __init__(self, write: Write) -> None:
        self.write = write
        self.action = None if must_read(write) else action_of(write, marked=True)

    def steps(self, transport: Transport) -> Steps[list[Outcome]]:
        return [(yield from self._outcome(transport))]

    def _outcome(self, transport: Transport) -> Steps[Outcome]:
        write, action, basis = self.write, self.action, UNREAD
        if action is None:
            basis = yield from stored_item(transport, write)
        for attempt in range(ATTEMPTS):
            if basis is not UNREAD:
                refused = judged(write, basis)
                if refused is not None:
                    return refused
                action = action_of(write, basis, marked=True)
            assert action is not None
            try:
                answer = yield from _carried_out(transport, action)
            except ConditionFailedError as failed:
                if failed.retried and action.did_it(failed.item):
                    return OK
                basis = failed.item
                if attempt:
                    yield from transport.back_off(attempt)
                continue
            return Outcome("ok", answer["Attributes"]) if write.adds else OK
        return Outcome("condition", basis) if basis is not None else Outcome("missing")


def _carried_out(transport: Transport, action: Action) -> Steps[dict[str, Any]]:
    repeatable = not action.write.adds
    try:
        return (yield from transport.call(action.method, action.table.name, action.alone, repeatable))
    except MixstoreError as error:
        raise placed(error, action) from error.__cause__


def placed(error: MixstoreError, action: Action) -> MixstoreError:
    """The error, with the row that it is about."""
    write, bound = action.write, action.write.bound
    error.model = error.model or bound.model
    error.key = bound.schema.key_as_told(write.key) if error.key is None else error.key
    if isinstance(error, ValidationError) and errors.is_too_large(error) and write.record is not None:
        size = size_of(action.table.item_of(write.key, write.record))
        error.message = f"{bound.schema.name} takes {size:,} bytes, and an item of DynamoDB holds 400 KB"
        error.args = (error.message,)
        error.hint = "store large values elsewhere, or compressed"
    return error


def stored_item(transport: Transport, write: Write) -> Steps[Any]:
    """The item that a write is about, as it is now."""
    table: Table = write.bound.native
    key = table.keying.wire(write.key)
    (item,) = yield from read_keys(transport, table.name, table.keying, [key], consistent=True)
    return item


def plan_of(writes: Sequence[Write]) -> Plan:
    """The plan of writes that belong together."""
    if len(writes) == 1 and not writes[0].side_writes:
        return Single(writes[0])
    return Unit(writes)
