"""Writes of which each stands for itself: unconditional ones 25 a request, creates a hundred a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mixstore.errors import AccessDeniedError, BackendError, BackendUnavailableError, ValidationError
from mixstore.planned import Plan
from mixstore.write import OK, Outcome, Write
from mixstore_backends.dynamodb.entries import MOST_ACTIONS
from mixstore_backends.dynamodb.errors import NAME
from mixstore_backends.dynamodb.reading import pause
from mixstore_backends.dynamodb.sizes import size_of
from mixstore_backends.dynamodb.transactions import Unit
from mixstore_backends.dynamodb.units import plan_of

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table
    from mixstore_backends.dynamodb.transport import Steps, Transport

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

    def steps(self, transport: Transport) -> Steps[list[Outcome]]:
        name, identity, failures = self.table.name, self.table.keying.identity, 0
        places = list(map(identity, self.items))
        pending: list[Any] = list(dict(zip(places, self.items, strict=True)).values())  # the last wins
        failed: dict[Any, Outcome] = {}
        written = 0
        while pending:
            some, pending = pending[:PUTS_AT_ONCE], pending[PUTS_AT_ONCE:]
            request = {"RequestItems": {name: [{"PutRequest": {"Item": item}} for item in some]}}
            try:
                answer = yield from transport.call("batch_write_item", name, request)
                left = [one["PutRequest"]["Item"] for one in answer.get("UnprocessedItems", {}).get(name, ())]
                written += len(some) - len(left)
                pending, some = [*pending, *left], []
                failures = failures + 1 if len(left) == PUTS_AT_ONCE or (left and not written) else 0
                if left:
                    yield from pause(transport, name, "batch_write_item", failures)
            except BackendError as error:
                if not written:
                    raise
                failed.update({identity(item): Outcome("failed", error=error) for item in some})
                failed.update({identity(item): untried(error) for item in pending})
                break
        return [failed.get(place, OK) for place in places] if failed else [OK] * len(places)


def untried(error: BackendError) -> Outcome:
    """What becomes of a write that comes after one by which the store was found to be gone."""
    told = f"not tried, since the one before it failed: {error.message}"
    return Outcome("failed", error=BackendUnavailableError(told, backend=NAME))


def one_by_one(transport: Transport, plans: Sequence[Any]) -> Steps[list[Outcome]]:
    """The outcome of each; once the store is gone, the others are not tried. An error of the first is raised."""
    outcomes: list[Outcome] = []
    for plan in plans:
        try:
            outcomes += yield from plan.steps(transport)
        except BackendError as error:
            gone = isinstance(error, (BackendUnavailableError, AccessDeniedError))
            if gone and not outcomes:
                raise
            outcomes.append(Outcome("failed", error=error))
            if gone:
                return outcomes + [untried(error)] * (len(plans) - len(outcomes))
    return outcomes


class Creates(Plan):
    """New rows, as many together as a transaction takes; where some exist, the rest is written one by one."""

    __slots__ = ("writes",)

    def __init__(self, writes: Sequence[Write]) -> None:
        self.writes = writes

    def steps(self, transport: Transport) -> Steps[list[Outcome]]:
        outcomes: list[Outcome] = []
        for group in _groups(self.writes):
            try:
                outcomes += yield from self._group(transport, group)
            except BackendError as error:
                if not outcomes:
                    raise
                outcomes += [Outcome("failed", error=error)] * len(group)
                return outcomes + [untried(error)] * (len(self.writes) - len(outcomes))
        return outcomes

    def _group(self, transport: Transport, group: list[Write]) -> Steps[list[Outcome]]:
        if len(group) > 1:
            try:
                told = yield from Unit(group).steps(transport)
            except ValidationError:  # of one of them, which the next step names
                told = []
            if told and all(outcome is OK for outcome in told):
                return told
        return (yield from one_by_one(transport, [plan_of([write]) for write in group]))


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

    def steps(self, transport: Transport) -> Steps[list[Outcome]]:
        return (yield from one_by_one(transport, self.plans))


def batch_of(table: Table, writes: Sequence[Write], others: Iterable[Table]) -> Plan:
    """The plan of writes that each stand for themselves. others: the tables of other models, in the same one."""
    if len(writes) == 1:
        return plan_of(writes)
    if table.is_alone(others) and all(_replaces(write) for write in writes):
        return Puts(table, writes)
    if all(write.op == "create" for write in writes):
        return Creates(writes)
    return Each(writes)


def _replaces(write: Write) -> bool:
    """Whether it may happen whatever is there."""
    return (
        write.op == "upsert"
        and write.changes is None
        and write.condition is None
        and not (write.side_writes or write.absent)
    )
