"""Writes that happen all or not at all: TransactWriteItems, with what each refusal means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from mixstore.errors import BackendError, BackendUnavailableError, ThrottledError, ValidationError
from mixstore.planned import Plan
from mixstore.write import OK, SKIPPED, Outcome, Write
from mixstore_backends.dynamodb.entries import Entry, Refusal, merged
from mixstore_backends.dynamodb.errors import NAME, CancelledError
from mixstore_backends.dynamodb.reading import read_keys
from mixstore_backends.dynamodb.writes import UNREAD, must_read

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.transport import Steps, Transport

ATTEMPTS = 20
"""How often a transaction is tried that others get in the way of."""
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}


class Unit(Plan):
    """Writes with their side writes, all or nothing; a delete of what is not there fails nothing."""

    __slots__ = ("entries", "writes")

    def __init__(self, writes: Sequence[Write]) -> None:
        self.writes = tuple(writes)
        self.entries = [entry for position in range(len(writes)) for entry in self._entries(position)]
        for entry in merged(self.entries)[0]:
            if not must_read(entry.write):
                entry.action()  # what can't be stored is refused now

    def _entries(self, position: int) -> list[Entry]:
        write = self.writes[position]
        misses = write.op == "delete" and len(self.writes) > 1 and not write.side_writes
        sides = [Entry(position, side, side.op == "delete") for side in write.side_writes]
        return [Entry(position, write, misses), *sides]

    def steps(self, transport: Transport) -> Steps[list[Outcome]]:
        outcomes: list[Outcome] = [OK] * len(self.writes)
        wanted = self.entries
        while wanted:
            entries, refusal = merged([one.again() for one in wanted])
            refusal = refusal or (yield from attempted(transport, entries))
            if refusal is None:
                return outcomes
            entry, outcome = refusal
            if entry.told is self.writes[entry.owner]:
                if len(self.writes) > 1 and not entry.told.fails(outcome):
                    outcomes[entry.owner] = outcome
                    wanted = [one for one in wanted if one.owner != entry.owner]
                    continue
            else:
                outcome = Outcome(outcome.status, None, outcome.field, entry.told)
            return [outcome if n == entry.owner else SKIPPED for n in range(len(self.writes))]
        return outcomes


def attempted(transport: Transport, entries: Sequence[Entry]) -> Steps[Refusal | None]:
    """Write all of these or nothing; what stands in the way, or None."""
    for entry in entries:
        if entry.basis is UNREAD and must_read(entry.write):
            yield from _read(transport, entry)
    name = entries[0].table.name
    for attempt in range(ATTEMPTS):
        for entry in entries:
            refused = None if entry.basis is UNREAD else entry.refused(entry.basis)
            if refused is not None:
                return Refusal(entry, refused)
        actions = [entry.action() for entry in entries]
        request = {"TransactItems": [one.together for one in actions], "ClientRequestToken": str(uuid4())}
        try:
            yield from transport.call("transact_write_items", name, request)
            return None
        except CancelledError as cancelled:
            refusal = yield from _refusal(transport, entries, cancelled, attempt)
        if refusal is not None:
            return refusal
        if attempt:
            yield from transport.back_off(attempt)
    raise BackendUnavailableError(
        f"a transaction on {transport.place(name)} met others {ATTEMPTS} times; nothing was stored", backend=NAME
    )


def _read(transport: Transport, entry: Entry) -> Steps[None]:
    table = entry.table
    key = table.keying.wire(entry.write.key)
    (entry.basis,) = yield from read_keys(transport, table.name, table.keying, [key], consistent=True)


def _refusal(
    transport: Transport, entries: Sequence[Entry], cancelled: CancelledError, attempt: int
) -> Steps[Refusal | None]:
    """What a cancelled transaction means; None to try again on what is there now."""
    passing = False
    for entry, reason in zip(entries, cancelled.reasons, strict=False):
        code = reason.get("Code")
        if code == "ConditionalCheckFailed":
            if "Item" in reason:
                entry.basis = reason["Item"] or None
            else:
                yield from _read(transport, entry)
            outcome = entry.refused(entry.basis)
            if outcome is not None:
                return Refusal(entry, outcome)
            passing = True
        elif code in _PASSING:
            if attempt == ATTEMPTS - 1 and code != "TransactionConflict":
                raise ThrottledError(
                    f"a transaction on {transport.place(entry.table.name)}: {reason.get('Message')}", backend=NAME
                ) from cancelled.__cause__
            passing = True
        elif code not in (None, "None"):
            kind = ValidationError if code in ("ValidationError", "ItemCollectionSizeLimitExceeded") else BackendError
            raise kind(
                f"{entry.told!r} in a transaction: {code}: {reason.get('Message')}; nothing was stored",
                model=entry.write.bound.model,
                key=entry.write.bound.schema.key_as_told(entry.write.key),
                backend=NAME,
            ) from cancelled.__cause__
    if not passing:
        raise BackendError(f"a transaction was cancelled: {cancelled.__cause__}", backend=NAME) from cancelled.__cause__
    return None
