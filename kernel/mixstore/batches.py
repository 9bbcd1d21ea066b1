"""Many rows at once. Each goes through the whole pipeline and stands for itself; only the I/O is shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mixstore.beside import Found, likely_key, read_beside, stored_row
from mixstore.chain import AS_IT_IS
from mixstore.checking import check_fields
from mixstore.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnavailableError,
    BatchError,
    ConfigurationError,
    HookError,
    MixstoreError,
    ValidationError,
)
from mixstore.failures import failure
from mixstore.lifecycle import Steps, insert, new_instance, write
from mixstore.prepare import NO_OPTIONS, Asked, prepare_write
from mixstore.prepared import PreparedWrite, StaleReadError
from mixstore.rowkeys import required_key
from mixstore.state import set_state
from mixstore.write import Operation, Outcome, Write

if TYPE_CHECKING:
    from datetime import datetime

    from mixstore.bound import Bound

CHUNK = 10_000
"""How many rows are prepared before they are executed: bounds what is alive at once.

An engine may wait for the disk once a chunk: with 1,000, rows in SQLite took half as long again.
"""


class _Batch:
    """The instances of one call, which of them the model has just validated, and what became of each.

    `stopped` is the error of the rows that are not tried any more, since the store is not there; `stores` the last one
    that the store raised. `superseded` tells which later row of the same key took the place of a row.
    """

    __slots__ = (
        "bound",
        "checked",
        "errors",
        "instances",
        "now",
        "operation",
        "options",
        "stopped",
        "stores",
        "superseded",
    )

    def __init__(
        self,
        bound: Bound,
        operation: Operation,
        now: datetime,
        instances: list[Any],
        checked: list[bool],
        options: Mapping[str, Any] = NO_OPTIONS,
    ) -> None:
        self.bound = bound
        self.operation = operation
        self.now = now
        self.options = options
        self.instances = instances
        self.checked = checked
        self.errors: list[Exception | None] = [None] * len(instances)
        self.stopped: MixstoreError | None = None
        self.stores: MixstoreError | None = None
        self.superseded: dict[int, int] = {}

    def met(self, error: MixstoreError) -> None:
        """An error that the store gave: if it is not there, the rows that follow have certainly not been written."""
        if self.stopped is not None or not isinstance(error, (BackendUnavailableError, AccessDeniedError)):
            return
        self.stopped = self.stores = error
        if isinstance(error, BackendUnavailableError) and error.outcome_unknown:
            name = self.bound.backend.backend_name
            self.stopped = BackendUnavailableError("not tried: the store did not answer", backend=name)
            self.stopped.__cause__ = error

    def chunks(self) -> Iterator[list[int]]:
        """Positions of the rows to write, some at a time; of two upserts of one key only the last is one."""
        chosen = list(range(len(self.instances)))
        if self.operation == "upsert" and self.bound.plain:  # otherwise a hook may still make or change the key
            chosen = self.last_of_each([(self._identity(index), index) for index in chosen])
        for start in range(0, len(chosen), CHUNK):
            yield chosen[start : start + CHUNK]

    def last_of_each(self, keyed: list[tuple[Any, int]]) -> list[int]:
        """The positions of the last row of each key, in order; the others are superseded."""
        winners = dict(keyed)
        self.superseded.update((index, winners[key]) for key, index in keyed if index != winners[key])
        return sorted(winners.values())

    def _identity(self, index: int) -> Any:
        """The key of a row; something of its own for one that has none."""
        try:
            return self.bound.key_from(self.instances[index].__dict__) or index
        except ValidationError:
            return index


def batch(bound: Bound, operation: Operation, items: Iterable[Any]) -> Steps:
    """Create or upsert many rows, each by itself. BatchError tells the outcome of each, in order.

    When the store is not there (any more), the rest is not tried. An error of the store that all rows share is raised
    itself. Rows that pydantic refuses are a ValidationError, with their positions, before anything is written.
    """
    now = bound.backend.clock()
    todo = _Batch(bound, operation, now, *_instances(bound, items, now))
    yield from _all(todo)
    _check(todo)
    return todo.instances


def replicate(bound: Bound, operation: Operation, rows: Iterable[dict[str, Any]]) -> Steps:
    """Write rows as another store has them: values by field, that no hook changes (`chain.AS_IT_IS`).

    They go through the rest of the chain like any others: they are checked and serialized, fields that follow from
    others are made, and rows are written beside them, such as those by which values are unique. `operation` is create
    or upsert. Returns the error of each row, None for one that is stored.
    """
    instances = [bound.construct(values, (bound, None, None, None)) for values in rows]
    unchecked = [False] * len(instances)
    todo = _Batch(bound, operation, bound.backend.clock(), instances, unchecked, {AS_IT_IS: True})
    yield from _all(todo)
    return [todo.errors[todo.superseded.get(index, index)] for index in range(len(instances))]


def _all(todo: _Batch) -> Steps:
    bound = todo.bound
    for positions in todo.chunks():
        if bound.transaction() is not None:
            for index in positions:
                yield from _one(todo, index)
        elif bound.plain:
            yield from _plain(todo, positions)
        else:
            yield from _chained(todo, positions)


def _check(todo: _Batch) -> None:
    """BatchError if rows failed, or the one error of all."""
    for index, winner in todo.superseded.items():
        todo.errors[index] = todo.errors[index] or todo.errors[winner]
    failed = [error for error in todo.errors if error is not None]
    if not failed:
        return
    if len(failed) == len(todo.errors) and all(error is todo.stores for error in failed):
        raise failed[0]
    raise BatchError(
        f"{len(failed)} of {len(todo.errors)} rows failed; the first: {failed[0]}",
        outcomes=todo.errors,
        model=todo.bound.model,
        backend=todo.bound.backend.backend_name,
    )


def _instances(bound: Bound, items: Iterable[Any], now: datetime) -> tuple[list[Any], list[bool]]:
    instances: list[Any] = []
    checked: list[bool] = []
    errors: list[dict[str, Any]] = []
    for position, item in enumerate(items):
        if type(item) is bound.model:
            instances.append(item)
            checked.append(False)
            continue
        if not isinstance(item, Mapping):
            told = f"a row is a dict or a {bound.schema.name}, not {type(item).__name__}"
            errors.append({"type": "model_type", "loc": (position,), "msg": told})
            continue
        try:
            instances.append(new_instance(bound, dict(item), now))
            checked.append(True)
        except ValidationError as error:
            found = error.errors() or [{"type": "value_error", "loc": (), "msg": error.message}]
            errors += [{**one, "loc": (position, *one["loc"])} for one in found]
    if errors:
        positions = sorted({one["loc"][0] for one in errors})
        first = ".".join(map(str, errors[0]["loc"]))
        raise ValidationError(
            f"{bound.schema.name} refuses the rows at {', '.join(map(str, positions))}; nothing was written; "
            f"the first: {first}: {errors[0]['msg']}",
            errors=errors,
            model=bound.model,
        )
    return instances, checked


def _one(todo: _Batch, index: int) -> Steps:
    if todo.stopped is not None:
        todo.errors[index] = todo.stopped
        return
    try:
        if todo.options:
            yield from write(
                todo.bound, todo.operation, todo.instances[index], None, options=todo.options, now=todo.now
            )
        else:
            yield from insert(todo.bound, todo.operation, todo.instances[index], todo.checked[index], todo.now)
    except ConfigurationError:
        raise
    except MixstoreError as error:
        todo.met(error)
        todo.errors[index] = error


def _plain(todo: _Batch, positions: list[int]) -> Steps:
    bound, operation = todo.bound, todo.operation
    writes: list[Write] = []
    written: list[int] = []
    fixes: list[dict[str, Any]] = []
    for index in positions:
        instance = todo.instances[index]
        fixed: dict[str, Any] = {}
        try:
            if todo.checked[index]:
                record = bound.encode(instance)
            else:
                record, fixed, _ = check_fields(bound, instance, None)
            key = bound.key_from(instance.__dict__) or required_key(bound, instance)
        except ValidationError as error:
            todo.errors[index] = error
            continue
        writes.append(Write(operation, bound, key, record))
        written.append(index)
        fixes.append(fixed)
    outcomes = yield from _executed(todo, writes)
    for index, one, fixed, outcome in zip(written, writes, fixes, outcomes, strict=True):
        if outcome.status == "ok":
            if fixed:
                todo.instances[index].__dict__.update(fixed)
            set_state(todo.instances[index], bound, None, one.record, one.key)
        else:
            todo.errors[index] = failure(bound, operation, one.key, outcome)


def _chained(todo: _Batch, positions: list[int]) -> Steps:
    bound, operation = todo.bound, todo.operation
    beside = yield from _read_beside(todo, positions)
    positions = [index for index in positions if todo.errors[index] is None]
    reads = yield from _read_first(todo, positions)
    positions = [index for index in positions if todo.errors[index] is None]
    prepared: list[tuple[int, PreparedWrite]] = []
    for index in positions:
        instance = todo.instances[index]
        checked = bound.names if todo.checked[index] else ()
        try:
            request = Asked(bound, operation, instance, instance, todo.now, checked=checked, options=todo.options)
            prepared.append((index, prepare_write(request, None, reads.get(index), beside.get(index, ()))))
        except ConfigurationError:
            raise  # no fault of a row, and the others would meet it too
        except MixstoreError as error:
            todo.errors[index] = error
    if operation == "upsert":
        last = set(todo.last_of_each([(one.write.key, index) for index, one in prepared]))
        prepared = [pair for pair in prepared if pair[0] in last]
    for wave in _waves(prepared):
        outcomes = yield from _executed(todo, [one.write for _, one in wave])
        for (index, one), outcome in zip(wave, outcomes, strict=True):
            try:
                one.finish(outcome)
            except StaleReadError:
                yield from _one(todo, index)
            except Exception as error:  # an extension's condition may make any
                todo.errors[index] = error


def _waves(prepared: list[tuple[int, PreparedWrite]]) -> list[list[tuple[int, PreparedWrite]]]:
    """Writes that may be executed together: no engine is given two of one key at once."""
    waves: list[list[tuple[int, PreparedWrite]]] = []
    seen: dict[Any, int] = {}
    for entry in prepared:
        key = entry[1].write.key
        number = seen[key] = seen.get(key, -1) + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(entry)
    return waves


def _read_beside(todo: _Batch, positions: list[int]) -> Steps:
    """{position: what extensions must know of internal models}; what fails is the error of its row."""
    bound, found = todo.bound, dict[int, Found]()
    operation = bound.chain.operation(todo.operation, todo.options)
    for index in positions if bound.chain.beside else ():
        if todo.stopped is not None:
            todo.errors[index] = todo.stopped
            continue
        try:
            key = likely_key(bound, todo.instances[index])
            found[index] = yield from read_beside(bound, operation, key, todo.options)
        except (BackendError, HookError) as error:
            todo.met(error)
            todo.errors[index] = error
    return found


def _read_first(todo: _Batch, positions: list[int]) -> Steps:
    """{position: the stored row} if an extension declares that it `reads` for this operation."""
    bound = todo.bound
    operation = bound.chain.operation(todo.operation, todo.options)
    if operation not in bound.chain.reads:
        return {}
    keys = {index: likely_key(bound, todo.instances[index]) for index in positions}
    known = {index: key for index, key in keys.items() if key is not None}
    if not known:
        return {}
    try:
        if todo.stopped is not None:
            raise todo.stopped
        rows = yield bound.engine.compile_get(bound, tuple(known.values()))
    except BackendError as error:
        todo.met(error)
        todo.errors = [error if index in known else told for index, told in enumerate(todo.errors)]
        return {}
    return {index: stored_row(bound, operation, row, todo.now) for index, row in zip(known, rows, strict=True)}


def _executed(todo: _Batch, writes: list[Write]) -> Steps:
    """The outcome of each write. What the store could not do is one, so that no row that is stored goes untold."""
    bound, engine = todo.bound, todo.bound.engine
    if not writes:
        return []
    if todo.stopped is None and (plan := engine.compile_batch(bound, writes)) is not None:
        return (yield from _attempt(todo, plan, len(writes)))
    outcomes: list[Outcome] = []
    for one in writes:
        if todo.stopped is not None:
            outcomes.append(Outcome("failed", error=todo.stopped))
        else:
            outcomes += yield from _attempt(todo, engine.compile_writes(bound, (one,)), 1)
    return outcomes


def _attempt(todo: _Batch, plan: Any, count: int) -> Steps:
    try:
        outcomes: list[Outcome] = yield plan
    except BackendError as error:
        todo.met(error)
        todo.stores = error
        return [Outcome("failed", error=error)] * count
    for outcome in outcomes:
        if outcome.error is not None:
            todo.met(outcome.error)
    return outcomes
