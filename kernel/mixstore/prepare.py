"""One write through the chain, up to the `Write` that a backend compiles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mixstore.before import run_extensions, run_hooks
from mixstore.beside import Found, StoredRow, side_write, write_beside
from mixstore.chain import AS_IT_IS, REWRITE
from mixstore.errors import ConflictError
from mixstore.expressions import FALSE, TRUE, Compare, Expr, conjunction, substitute
from mixstore.prepared import PreparedWrite, Replica, StaleReadError
from mixstore.recording import recorded
from mixstore.rowkeys import required_key
from mixstore.state import State
from mixstore.write import Add, Condition, Operation, SideWrite, Write, WriteContext, changed

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.amounts import Amount
    from mixstore.bound import Bound
    from mixstore.extension import BackendExtension

NO_OPTIONS: Mapping[str, Any] = {}


class Asked:
    """A write as it is asked for, however often it is tried.

    source: the instance to store. target: the one that changes when it is stored. guard: what must hold of the stored
    row besides. checked: the fields that have been validated just now. adds: what the engine adds to which fields,
    whose values in `source` are only what they may become. seen: what the caller knows of the row, where that is not
    what it was loaded with. kind: makes the answer.
    """

    __slots__ = ("adds", "bound", "checked", "guard", "kind", "now", "operation", "options", "seen", "source", "target")

    def __init__(
        self,
        bound: Bound,
        operation: Operation,
        source: Any,
        target: Any,
        now: datetime,
        *,
        guard: Expr | None = None,
        checked: Collection[str] = (),
        options: Mapping[str, Any] = NO_OPTIONS,
        adds: Mapping[str, Amount] = NO_OPTIONS,
        seen: Mapping[str, Any] | None = None,
        kind: Callable[..., PreparedWrite] = PreparedWrite,
    ) -> None:
        self.bound = bound
        self.operation = operation
        self.source = source
        self.target = target
        self.now = now
        self.guard = guard
        self.checked = checked
        self.options = options
        self.adds = adds
        self.seen = seen
        self.kind = kind


def prepare_write(
    asked: Asked, state: State | None, read: StoredRow | None = None, beside: Found = ()
) -> PreparedWrite:
    """Run the write side of the chain.

    `read` is the stored row if an extension asked for it, `beside` what extensions asked for of internal models.
    """
    return _Preparation(asked, state, read).prepare(beside)


class _Preparation:
    """The steps of one write, each on what those before it have made."""

    __slots__ = (
        "added",
        "asked",
        "bound",
        "candidate",
        "conditions",
        "context",
        "loaded",
        "old",
        "operation",
        "read",
        "side_writes",
        "state",
    )

    def __init__(self, asked: Asked, state: State | None, read: StoredRow | None) -> None:
        self.asked = asked
        self.bound = bound = asked.bound
        self.state = state
        self.read = read
        self.operation = operation = bound.chain.operation(asked.operation, asked.options)
        self.candidate = candidate = bound.candidate(asked.source)
        self.old = bound.plain_record(state.stored) if state is not None else None
        self.loaded = loaded = bound.decode(self.old) if self.old is not None else None
        self.added = {name: one.by for name, one in asked.adds.items()} if asked.adds else {}
        self.conditions: list[Condition] = []
        self.side_writes: list[tuple[BackendExtension, SideWrite]] = []
        self.context = WriteContext(
            operation,
            asked.operation,
            bound.model,
            state.key if state is not None else bound.key_from(candidate.__dict__),
            candidate.__dict__,
            read.values if read is not None else loaded,
            asked.now,
            loaded if asked.seen is None else asked.seen,
            MappingProxyType(self.added),
        )

    def prepare(self, beside: Found) -> PreparedWrite:
        """All of them."""
        asked, bound, operation, context = self.asked, self.bound, self.operation, self.context
        given = asked.source.__dict__
        checked, adds = asked.checked, asked.adds
        trusted = given if checked is bound.names and not adds else {name: given[name] for name in (*checked, *adds)}
        self._run_hooks()
        if self.added:
            trusted.update({name: self.candidate.__dict__[name] for name in self.added.keys() - adds.keys()})
        outdated = self._add_conditions()
        record, changes = self._record(trusted, outdated)
        if bound.chain.beside:
            _tell_of_record(context, self.state, self.read, record, changes)
            self.side_writes += write_beside(bound, context, beside, asked.options)
        visibility = _visibility(bound, operation, asked.options, {"now": asked.now})
        write = self._write(record, changes, visibility)
        kind = Replica if asked.options.get(AS_IT_IS) else asked.kind
        return kind(bound, asked.operation, self.candidate, asked.target, context, write, self.conditions, visibility)

    def _run_hooks(self) -> None:
        """Those of the model and of extensions, which a copy of a row from elsewhere has gone through there."""
        asked, bound, candidate, context = self.asked, self.bound, self.candidate, self.context
        replica, deletes = asked.options.get(AS_IT_IS), asked.operation == "delete"
        hooks = bound.schema.hooks["before_delete" if deletes else "before_save"]
        if hooks and not replica:
            run_hooks(bound, hooks, candidate, context)
        if deletes and self.old is not None:  # what the instance holds unsaved is not saved by deleting it
            loaded = self.loaded
            candidate.__dict__.update(bound.decode(self.old) if bound.mutable or loaded is None else loaded)
        if not replica:
            self.conditions, self.side_writes = run_extensions(bound, candidate, context, self.added)

    def _add_conditions(self) -> Collection[str]:
        """Those that follow from what is asked; the fields that are to be written anew as they are."""
        asked, conditions = self.asked, self.conditions
        for one in asked.adds.values():
            conditions += one.conditions
        if self.read is not None:
            conditions.append(_unchanged(self.bound, self.operation, self.read.values))
        if asked.guard is not None:
            conditions.append(Condition(substitute(asked.guard, {"now": asked.now}), _no_longer_matches))
        if self.state is None or self.old is None or not asked.options.get(REWRITE):
            return ()
        outdated, same = _outdated(self.bound, self.state, self.old)
        conditions.append(same)
        return outdated

    def _record(
        self, trusted: Mapping[str, Any], outdated: Collection[str]
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """What will be stored, and of an update what it writes; the key is final then."""
        bound, candidate, context = self.bound, self.candidate, self.context
        record = changes = None
        if self.operation != "delete":
            loaded = None if self.asked.options.get(REWRITE) else self.loaded
            record, changes, context.key = recorded(
                bound, self.operation, candidate, self.state, self.old, loaded, trusted, context.key, outdated
            )
        elif context.key is None:
            context.key = required_key(bound, candidate)
        if changes is not None and self.added:
            changes.update({name: Add(by) for name, by in self.added.items()})
        return record, changes

    def _write(self, record: dict[str, Any] | None, changes: dict[str, Any] | None, visibility: Expr) -> Write:
        """What the backend compiles."""
        bound, chain, operation, context, read = self.bound, self.bound.chain, self.operation, self.context, self.read
        wanted = conjunction(visibility, *[condition.expr for condition in self.conditions])
        assert context.key is not None
        return Write(
            operation,
            bound,
            context.key,
            record,
            changes,
            condition=None if wanted is TRUE else wanted,
            evict=None if operation == "delete" else chain.evicted_in({"now": self.asked.now}),
            side_writes=tuple([side_write(bound, context, extension, side) for extension, side in self.side_writes]),
            absent=operation == "upsert"
            and bool(chain.reads.get("upsert"))
            and read is not None
            and read.values is None,
        )


def _tell_of_record(
    context: WriteContext,
    state: State | None,
    read: StoredRow | None,
    record: Mapping[str, Any] | None,
    changes: Mapping[str, Any] | None,
) -> None:
    """What will be stored, on top of the row as read rather than as loaded: another writer may have come between."""
    stored = None if read is None else read.record
    if stored is None and state is not None:
        stored = state.stored
    if record is None:
        context.record = stored
        return
    context.record = record if changes is None or stored is None else changed(stored, changes)
    context.changed = frozenset(record if changes is None else changes) & context.values.keys()


def _visibility(bound: Bound, operation: str, options: Mapping[str, Any], environment: Any) -> Expr:
    chain = bound.chain
    if operation in ("update", "delete"):
        return substitute(chain.visibility(options), environment) if options else chain.visible_in(environment)
    veil = chain.veil if operation == "upsert" and not options.get(AS_IT_IS) else None
    return TRUE if veil is None else substitute(~veil, environment)


def _unchanged(bound: Bound, operation: str, values: Mapping[str, Any] | None) -> Condition:
    fields = bound.chain.reads.get(operation, ())
    if values is None:  # whoever updates or deletes a row that appeared since has not looked at it
        same: Expr = TRUE if operation == "upsert" else FALSE
    else:
        same = conjunction(*[Compare((name,), "eq", values[name]) for name in fields])
    return Condition(same, lambda stored: StaleReadError("the row changed in between"))


def _outdated(bound: Bound, state: State, old: Mapping[str, Any]) -> tuple[set[str], Condition]:
    """The fields to store anew as they are, and that they still are so."""
    outdated, loaded = bound.outdated(state.stored), bound.decode(old)
    same = conjunction(*[Compare((name,), "eq", loaded[name]) for name in sorted(outdated)])
    return outdated, Condition(same, _no_longer_matches)


def _no_longer_matches(stored: Mapping[str, Any]) -> Exception:
    return ConflictError("the row no longer matches the query")
