"""The items that a transaction writes; two writes of one item become one, since DynamoDB takes no second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mixstore.errors import TransactionError
from mixstore.expressions import FALSE, TRUE, disjunction
from mixstore.write import Outcome, Write
from mixstore_backends.dynamodb.errors import NAME
from mixstore_backends.dynamodb.writes import UNREAD, Action, action_of, asked_of, judged

if TYPE_CHECKING:
    from mixstore_backends.dynamodb.layout import Table

MOST_ACTIONS = 100
"""How many items one transaction can write."""
_PUTS = ("create", "upsert")


class Entry:
    """One item of a transaction.

    write: what is done. told: the write that the caller hears of, which is not the same where two became one. owner:
    the position of the write that it is or belongs to. lenient: a delete of what is not there is no failure. basis:
    the item as read, if it had to be.
    """

    __slots__ = ("basis", "lenient", "owner", "told", "write")

    def __init__(self, owner: int, write: Write, lenient: bool = False, told: Write | None = None) -> None:
        self.owner = owner
        self.write = write
        self.told = write if told is None else told
        self.lenient = lenient
        self.basis: Any = UNREAD

    @property
    def table(self) -> Table:
        """Where it is written."""
        return self.write.bound.native  # type: ignore[no-any-return]

    @property
    def place(self) -> Any:
        """What tells its item from all others."""
        table = self.table
        return table.name, table.keying.identity(table.keying.wire(self.write.key))

    def again(self) -> Entry:
        """The same, not read yet."""
        return Entry(self.owner, self.write, self.lenient, self.told)

    def action(self) -> Action:
        """What DynamoDB is asked to do."""
        return action_of(self.write, self.basis, self.lenient)

    def refused(self, item: Any) -> Outcome | None:
        """What the stored item makes of it; a delete that may miss never fails for that."""
        outcome = judged(self.write, item)
        if outcome is not None and self.lenient and outcome.status == "missing":
            return None
        return outcome


class Refusal(NamedTuple):
    """Which entry is why nothing was stored, and what became of it."""

    entry: Entry
    outcome: Outcome


def merged(entries: Sequence[Entry]) -> tuple[list[Entry], Refusal | None]:
    """The entries, each of another item; or which of them the one before it leaves no room.

    TransactionError for two writes of one item that can't be said as one, and for more items than a transaction holds.
    """
    found: dict[Any, Entry] = {}
    for entry in entries:
        place = entry.place
        before = found.get(place)
        if before is not None:
            one = _as_one(before, entry)
            if isinstance(one, Refusal):
                return list(found.values()), one
            entry = one
        found[place] = entry
    if len(found) > MOST_ACTIONS:
        raise TransactionError(
            f"{len(found)} items are written together, and a transaction of DynamoDB holds {MOST_ACTIONS}",
            backend=NAME,
            hint="side writes of extensions count too; use several transactions",
        )
    return list(found.values()), None


def _as_one(before: Entry, entry: Entry) -> Entry | Refusal:
    """What two writes of one item do one after the other."""
    first, second = before.write, entry.write
    if second.op in _PUTS and first.op == "delete":
        gone = TRUE if first.condition is None else first.condition
        there = asked_of(second)
        if there is None:
            there = FALSE if second.op == "create" or second.absent else TRUE
        wanted = disjunction(gone, there)
        condition = None if wanted == TRUE else wanted
        write = Write("upsert", second.bound, second.key, second.record, condition=condition, dies=second.dies)
        return Entry(entry.owner, write, told=entry.told)
    if second.op in _PUTS and first.op in _PUTS:
        refused = entry.refused(before.table.item_of(first.key, first.record or {}))
        if refused is not None:
            return Refusal(entry, refused)
        write = Write(
            first.op,
            first.bound,
            first.key,
            second.record,
            condition=first.condition,
            evict=first.evict,
            absent=first.absent,
            dies=second.dies,
        )
        return Entry(before.owner, write, told=before.told)
    raise TransactionError(
        f"{entry.told!r} and {before.told!r} write the same item in one transaction",
        backend=NAME,
        hint="use two transactions",
    )
