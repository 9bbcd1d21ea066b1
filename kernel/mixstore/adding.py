"""Adding to numbers of a row inside the engine, so that of many who add at once nobody's part is lost.

It takes the way of every write, with two differences: only what it names is written, not what the instance holds
unsaved; and where the engine can't do it blindly, the row is read and written under the condition that it is unchanged.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mixstore import claims
from mixstore.amounts import Amount, amount
from mixstore.backend import Capability
from mixstore.beside import Found, StoredRow, read_beside
from mixstore.binding import bound_of
from mixstore.checking import differs
from mixstore.errors import (
    BackendError,
    BackendUnavailableError,
    ConflictError,
    DuplicateKeyError,
    HookError,
    NotFoundError,
    TransactionError,
    UnsupportedOperationError,
)
from mixstore.expressions import Compare, conjunction
from mixstore.failures import failure, worn_out
from mixstore.lifecycle import ATTEMPTS, CONTESTED_ATTEMPTS, insert
from mixstore.prepare import Asked, prepare_write
from mixstore.prepared import PreparedWrite, apply
from mixstore.rowkeys import required_key
from mixstore.state import State, set_state, state_of
from mixstore.write import REMOVE, Outcome, total

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.bound import Bound
    from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]


def add_to(instance: Any, amounts: Mapping[str, Any], *, or_create: bool = False) -> Any:
    """Add to number fields of the stored row: `add_to(page, {"visits": 1})`.

    Returns the instance, which shows the sums. Done blindly where the engine can, so that no two additions conflict.
    Nothing else is written, but for what extensions and hooks add. Bounds of the fields (ge, le, ...) hold:
    ValidationError. NotFoundError, unless `or_create`: then the instance becomes the row.
    """
    bound, state = _place_of(instance)
    return bound.run("update", add(bound, instance, state, amounts, or_create))


async def aadd_to(instance: Any, amounts: Mapping[str, Any], *, or_create: bool = False) -> Any:
    """`add_to()`, awaited."""
    bound, state = _place_of(instance)
    return await bound.arun("update", add(bound, instance, state, amounts, or_create))


def _place_of(instance: Any) -> tuple[Bound, State | None]:
    state = state_of(instance)
    return (bound_of(type(instance)), None) if state is None else (state.bound, state)


class PreparedAddition(PreparedWrite):
    """A write of sums. `loaded` is what the instance knows, `fresh` what the write was made from."""

    __slots__ = ("fresh", "loaded", "names")

    def __init__(self, *args: Any, loaded: State | None, fresh: State, names: tuple[str, ...]) -> None:
        super().__init__(*args)
        self.loaded = loaded
        self.fresh = fresh
        self.names = names

    def told(self, outcome: Outcome) -> Steps:
        """The outcome with the row as it is now, read if the engine did not tell."""
        if outcome.status != "ok" or outcome.stored is not None or not self.write.adds:
            return outcome
        try:
            rows = yield self.bound.engine.compile_get(self.bound, (self.write.key,))
        except BackendError as error:
            error.hint = "the sums are stored; what they are could not be read: refresh(), and don't add again"
            if isinstance(error, BackendUnavailableError):
                error.outcome_unknown = True  # whoever repeats what did not happen must not repeat this
            raise
        return Outcome("ok", rows[0])

    def show(self, outcome: Outcome) -> None:
        """The sums as stored; of the rest what this write changed, unless somebody else had changed it before.

        The instance must not seem newer than what it shows, or its next save would pass a lock that it should not.
        """
        bound, record = self.bound, self.write.record or {}
        row = outcome.stored
        stored = record if row is None else bound.stored_of(row)
        values = self.candidate.__dict__ if row is None else bound.values_from_row(row)
        self.candidate.__dict__.update({name: values[name] for name in self.names})
        known = dict((self.loaded or self.fresh).stored)
        shown = {} if self.loaded is not None else dict(self.candidate.__dict__)
        for name, change in {**(self.write.changes or {}), **dict.fromkeys(self.names)}.items():
            if name in self.names:
                known[name] = stored[name]
            elif differs(known.get(name), self.fresh.stored.get(name)):
                continue
            elif change is REMOVE:
                known.pop(name, None)
            else:
                known[name] = record[name]
            if name in bound.schema.fields:
                shown[name] = self.candidate.__dict__[name]
        apply(bound, self.target, shown)
        set_state(self.target, bound, None, known, self.write.key)


def add(bound: Bound, instance: Any, state: State | None, amounts: Mapping[str, Any], or_create: bool = False) -> Steps:
    """The operation. Tried anew where it had to read the row, and somebody else wrote it before this did."""
    _check_able(bound, or_create)
    told = {name: amount(bound, name, by) for name, by in amounts.items()}
    key = state.key if state is not None else required_key(bound, instance)
    now = bound.backend.clock()
    transaction = bound.transaction()
    exact = _must_read(bound, told)
    gone = failure(bound, "update", key, Outcome("missing"))
    attempts = CONTESTED_ATTEMPTS if bound.chain.beside else ATTEMPTS
    for _ in range(attempts):
        beside = yield from read_beside(bound, "update", key)
        fresh = state
        if fresh is None or exact:
            fresh = yield from _read(bound, key, now)
        if fresh is None:
            if not or_create:
                raise gone
            if (yield from _created(bound, instance, told)):
                return instance
            continue
        prepared, blind = _prepared(bound, instance, state, fresh, told, now, exact, beside)
        if not exact and not blind:
            exact = True
            continue
        if transaction is not None:
            transaction.add(prepared)
            return instance
        outcome = yield from claims.executed(prepared)
        outcome = yield from prepared.told(outcome)
        try:
            prepared.finish(outcome)
        except (ConflictError, NotFoundError) as error:
            again = exact if isinstance(error, ConflictError) else or_create
            if outcome.status == "ok" or not again:
                raise
            state = None if isinstance(error, NotFoundError) else state
            continue
        return instance
    raise worn_out(bound, key, attempts, "add to", "; nothing was added")


def _check_able(bound: Bound, or_create: bool) -> None:
    name = bound.backend.backend_name
    if Capability.CONDITIONS not in bound.backend.capabilities:
        raise UnsupportedOperationError(
            f"{name} can't add to a row without losing what others add", model=bound.model, backend=name
        )
    if or_create and bound.transaction() is not None:
        raise TransactionError(
            "whether to add or to create can't wait for the end of a transaction",
            model=bound.model,
            backend=name,
            hint="do it before the transaction",
        )


def _must_read(bound: Bound, told: Mapping[str, Amount]) -> bool:
    """Whether the sum has to be known when it is written: a constraint, an index or an extension wants it."""
    able = Capability.ADD in bound.backend.capabilities
    seen = bool(bound.chain.beside) or "update" in bound.chain.reads or any(one.seen for one in told.values())
    indexed = bool(bound.schema.computed_indexes) or not bound.schema.index_fields.isdisjoint(told)
    return seen or indexed or not able


def _read(bound: Bound, key: KeyValue, now: datetime) -> Steps:
    """The state of the row as stored; None if there is none or it counts as absent."""
    transaction = bound.transaction()
    if transaction is not None:
        transaction.refuse_buffered(bound, key)
    rows = yield bound.engine.compile_get(bound, (key,))
    row = rows[0]
    if row is None or (bound.dead is not None and bound.dead({"now": now})(bound.stored_values(row))):
        return None
    return State(bound, row, None, key)


def _created(bound: Bound, instance: Any, told: Mapping[str, Amount]) -> Steps:
    """Make it the row that is to be there; False if another was first."""
    created = bound.candidate(instance)
    created.__dict__.update({name: total(created.__dict__.get(name), one.by) for name, one in told.items()})
    try:
        yield from insert(bound, "create", created)
    except DuplicateKeyError as error:
        if error.field is not None:
            raise
        return False
    state = state_of(created)
    assert state is not None
    instance.__dict__.update(created.__dict__)
    set_state(instance, bound, None, state.stored, state.key)
    return True


def _prepared(
    bound: Bound,
    instance: Any,
    state: State | None,
    fresh: State,
    told: Mapping[str, Amount],
    now: datetime,
    exact: bool,
    beside: Found,
) -> tuple[PreparedWrite, bool]:
    """The write, and whether it may happen blindly."""
    plain = bound.plain_record(fresh.stored)
    before = bound.decode(plain)
    source = bound.candidate(instance)
    source.__dict__.update(before)
    source.__dict__.update({name: total(before[name], one.by) for name, one in told.items()})
    kind = partial(PreparedAddition, loaded=state, fresh=fresh, names=tuple(told))
    if exact:
        same = conjunction(*[Compare((name,), "eq", before[name]) for name in told])
        read = StoredRow(before, fresh.stored) if "update" in bound.chain.reads else None
        request = Asked(bound, "update", source, instance, now, guard=same, kind=kind)
        return prepare_write(request, fresh, read, beside), False
    prepared = prepare_write(Asked(bound, "update", source, instance, now, adds=told, kind=kind), fresh)
    _check_untouched(bound, prepared.candidate, source, told)
    return prepared, not prepared.write.side_writes and not _derived(bound, plain, source)


def _check_untouched(bound: Bound, candidate: Any, source: Any, names: Iterable[str]) -> None:
    for name in names:
        if differs(candidate.__dict__[name], source.__dict__[name]):
            raise HookError(
                f"{bound.schema.name}.{name} is being added to, and a hook set it; nothing was stored",
                model=bound.model,
                key=bound.schema.key_as_told(bound.key_from(source.__dict__)),
                backend=bound.backend.backend_name,
            )


def _derived(bound: Bound, plain: dict[str, Any], source: Any) -> bool:
    """Whether extensions store attributes that follow from the sums, such as the key of an index."""
    if not bound.chain.serialize:
        return False
    before, after = dict(plain), bound.encode(source)
    for _, hook in bound.chain.serialize:
        try:
            before, after = hook(dict(before)), hook(dict(after))
        except Exception:
            return True  # the write itself will meet the same, and say which hook it was
    names = (before.keys() | after.keys()) - bound.schema.fields.keys()
    return any(differs(before.get(name), after.get(name)) for name in names)
