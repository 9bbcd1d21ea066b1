"""Writes of which each stands for itself: unconditional ones 25 a request, creates a hundred a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.planned import Plan
from mixstore.write import OK, Outcome, Write
from mixstore_backends.dynamodb.entries import MOST_ACTIONS
from mixstore_backends.dynamodb.reading import identity, pause
from mixstore_backends.dynamodb.sizes import size_of
from mixstore_backends.dynamodb.transactions import Unit
from mixstore_backends.dynamodb.units import plan_of

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Transport

PUTS_AT_ONCE = 25
"""How many items BatchWriteItem takes."""
MOST_BYTES = 3_500_000
"""How much is put into one transaction, which takes 4 MB."""


class Puts(Plan):
    """Whole rows that replace what is there, with no condition."""

    __slots__ = ("items", "table")

    def __init__(self, table: Table, writes: Sequence[Write]) -> None:
        self.table = table
        self.items = [table.item_of(write.key, write.record or {}) for write in writes]

    def run(self, transport: Transport) -> list[Outcome]:
        name, failures = self.table.name, 0
        pending: list[Any] = [{"PutRequest": {"Item": item}} for item in self._last_of_each()]
        while pending:
            some, pending = pending[:PUTS_AT_ONCE], pending[PUTS_AT_ONCE:]
            answer = transport.call("batch_write_item", name, {"RequestItems": {name: some}})
            left = answer.get("UnprocessedItems", {}).get(name, [])
            pending += left
            failures = failures + 1 if len(left) == len(some) else 0
            if left:
                pause(transport, name, "batch_write_item", failures)
        return [OK] * len(self.items)

    def _last_of_each(self) -> list[Any]:
        """A request may not name an item twice; the last one wins."""
        attributes = self.table.key_attributes
        return list({identity(item, attributes): item for item in self.items}.values())


class Creates(Plan):
    """New rows, as many together as a transaction takes; where some exist, the rest is written one by one."""

    __slots__ = ("writes",)

    def __init__(self, writes: Sequence[Write]) -> None:
        self.writes = writes

    def run(self, transport: Transport) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for group in _groups(self.writes):
            if len(group) > 1:
                told = Unit(group).run(transport)
                if all(outcome is OK for outcome in told):
                    outcomes += told
                    continue
            outcomes += [plan_of([write]).run(transport)[0] for write in group]  # type: ignore[attr-defined]
        return outcomes


def _groups(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Writes in their order, in groups that each fit in a transaction."""
    group: list[Write] = []
    places: set[Any] = set()
    actions, size = 0, 0
    for write in writes:
        entries = Unit([write]).entries
        own = {entry.place for entry in entries}
        bytes_ = sum(size_of(one.action().request.get("Item", {})) for one in entries if one.write.op == "create")
        if group and (actions + len(entries) > MOST_ACTIONS or size + bytes_ > MOST_BYTES or own & places):
            yield group
            group, places, actions, size = [], set(), 0, 0
        group.append(write)
        places |= own
        actions += len(entries)
        size += bytes_
    if group:
        yield group


class Each(Plan):
    """Writes of any kind, one after the other."""

    __slots__ = ("plans",)

    def __init__(self, writes: Sequence[Write]) -> None:
        self.plans: list[Any] = [plan_of([write]) for write in writes]

    def run(self, transport: Transport) -> list[Outcome]:
        return [plan.run(transport)[0] for plan in self.plans]


def batch_of(table: Table, writes: Sequence[Write]) -> Plan:
    """The plan of writes that each stand for themselves."""
    if len(writes) == 1:
        return plan_of(writes)
    if not table.guarded and all(_replaces(write) for write in writes):
        return Puts(table, writes)
    if all(write.op == "create" for write in writes):
        return Creates(writes)
    return Each(writes)


def _replaces(write: Write) -> bool:
    """Whether it may happen whatever is there."""
    return write.op == "upsert" and write.condition is None and not write.side_writes and not write.absent
