"""Writes as values: what the lifecycle asks a backend to do, and what the backend answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from mixstore.expressions import Expr, evaluate, paths

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.errors import MixstoreError
    from mixstore.extension import BackendExtension

Operation = Literal["create", "upsert", "update", "delete"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
KeyValue = tuple[Any, ...]
"""The primary key of a row: the values of its key fields, or its rendered partition and sort key."""


class _Remove:
    def __repr__(self) -> str:
        return "REMOVE"


REMOVE = _Remove()
"""As a change: the attribute goes away."""


class Add(NamedTuple):
    """As a change: the number grows by `by` (or shrinks) inside the engine, without a read. Nothing stored counts as 0.

    An extension may give one in `WriteChange.values`, in an update that adds (`context.added`).
    """

    by: Any


class Condition(NamedTuple):
    """What must hold on the stored row for a write to happen.

    `error` makes the exception from the values of the row that is stored instead.
    """

    expr: Expr
    error: Callable[[Mapping[str, Any]], Exception]


class Claim(NamedTuple):
    """Of a side write: the extension that made it, and the field, or fields, whose values it stands for."""

    extension: BackendExtension
    field: str


class Write:
    """One row to write: data, compiled by a backend together with others into one atomic plan.

    `record` is the whole row as stored (create, upsert); `changes` maps attributes to their new stored values, REMOVE
    or Add (update); an upsert that has them makes them where there is a row, instead of replacing it. `condition` must
    hold on the stored row, or the outcome is `condition`; an upsert asks it only of a row that is there. `evict` tells
    which rows count as absent: one that is in the way of the key or of a unique value is replaced. `absent` asks of an
    upsert that there be no (live) row. `dies` is when the row of a side write dies, together with its owner: an engine
    that removes rows by itself may remove it from then on. `contested` and `claim` are said of side writes whose key
    another row may have; backends need not look at them. `owned` is a side write that backends with OWNED_ROWS may do
    after the row is written. `version`, for backends that declare EXTERNAL_VERSIONS, is a
    number that the engine keeps with the row, also with one that it deletes: the outcome is `condition` if a higher one
    is there.
    """

    __slots__ = (
        "absent",
        "bound",
        "changes",
        "claim",
        "condition",
        "contested",
        "dies",
        "evict",
        "key",
        "op",
        "owned",
        "record",
        "side_writes",
        "version",
    )

    def __init__(
        self,
        op: Operation,
        bound: Bound,
        key: KeyValue,
        record: dict[str, Any] | None = None,
        changes: dict[str, Any] | None = None,
        condition: Expr | None = None,
        evict: Expr | None = None,
        side_writes: tuple[Write, ...] = (),
        absent: bool = False,
        contested: bool = False,
        claim: Claim | None = None,
        dies: datetime | None = None,
        version: int | None = None,
        owned: bool = False,
    ) -> None:
        self.op = op
        self.bound = bound
        self.key = key
        self.record = record
        self.changes = changes
        self.condition = condition
        self.evict = evict
        self.side_writes = side_writes
        self.absent = absent
        self.contested = contested
        self.claim = claim
        self.dies = dies
        self.version = version
        self.owned = owned

    @property
    def adds(self) -> bool:
        """Whether it adds to something."""
        if self.op == "update" and self.changes:
            for value in self.changes.values():
                if type(value) is Add:
                    return True
        return False

    @property
    def repeatable(self) -> bool:
        """Whether an engine may deliver it twice (after an answer that was lost): the second time changes nothing."""
        return not self.adds and all(side.repeatable for side in self.side_writes)

    def __repr__(self) -> str:
        return f"Write({self.op} {self.bound.schema.name} {self.key!r})"

    def refused(self, stored: Mapping[str, Any] | None) -> Outcome | None:
        """The outcome if the row that is stored (None: there is none, or it counts as absent) does not allow the write.

        For engines whose records hold python values; unique values are the engine's own to check.
        """
        if stored is None:
            return Outcome("missing") if self.op in ("update", "delete") else None
        if self.op == "create" or (self.op == "upsert" and self.absent):
            return Outcome("exists", stored)
        if self.condition is not None and not evaluate(self.condition, self._values(self.condition, stored)):
            return Outcome("condition", stored)
        return None

    def _values(self, expr: Expr, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """The stored row as an expression means it, which speaks of values where extensions stored something else."""
        opaque = self.bound.chain.opaque
        if not opaque or not any(path[0] in opaque for path in paths(expr)):
            return stored
        return {**stored, **self.bound.stored_values(stored)}

    def applied_to(self, stored: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The record after the write, made anew from the one before; None after a delete."""
        if self.op == "delete":
            return None
        merges = self.op == "update" or (stored is not None and self.changes is not None)
        return changed(stored, self.changes) if merges else self.record

    def fails(self, outcome: Outcome) -> bool:
        """Whether the outcome stops the unit that the write belongs to: a delete of what is not there does not."""
        return outcome.status != "ok" and not (self.op == "delete" and outcome.status == "missing")


def changed(stored: Mapping[str, Any] | None, changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """A record with the changes of an update (values, REMOVE, Add) applied."""
    record = dict(stored or {})
    for name, value in (changes or {}).items():
        if value is REMOVE:
            record.pop(name, None)
        elif type(value) is Add:
            record[name] = total(record.get(name), value.by)
        else:
            record[name] = value
    return record


def total(found: Any, by: Any) -> Any:
    """The sum of two numbers of one kind; None counts as 0. Decimals are never rounded."""
    if not isinstance(by, Decimal):
        return by if found is None else found + by
    first = Decimal(found or 0)
    lowest = min(int(first.as_tuple().exponent), int(by.as_tuple().exponent))
    return Context(prec=max(first.adjusted(), by.adjusted()) - lowest + 2).add(first, by)


class Outcome:
    """What became of one write. Anything but `ok` means that nothing of its atomic unit was stored.

    status: `ok` (for an update that adds, `stored` is the row as it is now, if the engine tells); `exists` (the key is
    taken); `missing` (no such row); `condition` (it does not hold; `stored` is the row that is there); `unique` (the
    value of `field` is taken); `skipped` (another write of the unit failed); `failed` (the engine could not do it and
    gave up: `error` says why, and whether that is certain; in a batch, of which others may have been stored). With
    `ok`, an `error` is about what came after the write, which is stored: it is raised when the instance knows of that.
    `side` is the side write that this is about, if it is not about the write itself.
    """

    __slots__ = ("error", "field", "side", "status", "stored")

    def __init__(
        self,
        status: Literal["ok", "exists", "missing", "condition", "unique", "skipped", "failed"],
        stored: Any = None,
        field: str | None = None,
        side: Write | None = None,
        error: MixstoreError | None = None,
    ) -> None:
        self.error = error
        self.status = status
        self.stored = stored
        self.field = field
        self.side = side

    @property
    def disputed(self) -> bool:
        """Whether a claim, or a row to remove, was found to be somebody else's: that can be settled."""
        side = self.side
        return side is not None and self.status == "condition" and (side.claim is not None or side.op == "delete")

    def __repr__(self) -> str:
        return f"Outcome({self.status!r}, field={self.field!r})"


OK = Outcome("ok")
SKIPPED = Outcome("skipped")


class WriteChange(NamedTuple):
    """What an extension's `before_write` wants: changed values, a condition, rows to write in the same atomic unit."""

    values: Mapping[str, Any] = MappingProxyType({})
    condition: Condition | None = None
    side_writes: tuple[SideWrite, ...] = ()


class SideWrite(NamedTuple):
    """A row of an internal model that lives and dies with the write that carries it.

    `instance` is written through the adapter, with no chain, on the same backend. For a delete only its key counts.
    A `contested` create whose key is taken by then is no error: somebody else was faster, and the whole write is
    prepared and tried again.

    `condition` must hold on the row that is stored under the key, if there is one. A delete whose condition does not
    hold is left out. An upsert that `claims` the value of a field ("email", or "tenant, email") stands for it: if its
    condition does not hold, the extension is asked whose row that is (`holder`) and what this one `claims`. If that is
    still among it, it is a DuplicateKeyError of the field; otherwise, or if the holder is dead or gone, its claim is
    taken over, and a dead holder removed. Something in a claim must be new each time that it is written.
    A `linked` row dies with the row beside which it is written (`dies`).
    An upsert that `counts` makes these numbers one more than those that are stored, inside the engine; where there is
    no row, they are what the instance has.
    An `owned` create or delete is of a key that no other row than this one ever writes beside it, and each key is
    created once: so it may follow the row, if only it is certain to (OWNED_ROWS).
    """

    op: Operation
    instance: Any
    contested: bool = False
    condition: Expr | None = None
    claims: str | None = None
    linked: bool = False
    counts: tuple[str, ...] = ()
    owned: bool = False


class WriteContext:
    """What an extension or a hook may know of a write. Read-only.

    `operation` is what will be done and `asked` what the caller asked for (they differ when an extension rewrites, say,
    delete to update). `values` are the row's new python values, `previous` the row's as far as they are known: as
    loaded, or as read for an extension that declares `reads`; `loaded` are those that the caller's instance was loaded
    with (the instance's own, if it never was and the row is read to rewrite a delete). `now` is one moment for the
    whole operation, in UTC. In `write_beside` and later, `record` is the row as it will be stored (for a delete, as it
    was; None if that is not known), and `changed` the fields that are written.
    `added` is what the engine will add to which fields; their `values` are what they become if nobody else writes.
    """

    __slots__ = (
        "_values",
        "added",
        "asked",
        "changed",
        "key",
        "loaded",
        "model",
        "now",
        "operation",
        "previous",
        "record",
    )

    def __init__(
        self,
        operation: Operation,
        asked: Operation,
        model: type,
        key: KeyValue | None,
        values: dict[str, Any],
        previous: Mapping[str, Any] | None,
        now: datetime,
        loaded: Mapping[str, Any] | None = None,
        added: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.added = added
        self.operation = operation
        self.asked = asked
        self.model = model
        self.key = key
        self.previous = previous
        self.loaded = loaded
        self.now = now
        self.record: Mapping[str, Any] | None = None
        self.changed: frozenset[str] = frozenset()
        self._values = values

    @property
    def values(self) -> Mapping[str, Any]:
        """The row's python values, by field, as they stand after the extensions before."""
        return MappingProxyType(self._values)

    @property
    def final(self) -> Mapping[str, Any]:
        """In `write_beside` and later: the python values of the row as stored, an update on top of `previous`."""
        if self.operation != "update" or self.previous is None:
            return self.values
        return {**self.previous, **{name: self._values[name] for name in self.changed}}
