"""Books about what a store acknowledged, refused or left open while faults befell it, compared with what it holds.

`check_faults(backend, seed=7)` does random work through a `FaultyBackend` and looks at the rows after each step:
no acknowledged write may be lost or happen twice, none that was refused may have happened, and one whose outcome is
unknown must have happened wholly or not at all.
"""

from __future__ import annotations

import inspect
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mixstore.adding import aadd_to, add_to
from mixstore.backend import Backend, Capability
from mixstore.errors import BackendUnavailableError, BatchError, MixstoreError
from mixstore.testing import worlds
from mixstore.testing.faults import EVERY_FAULT, Fault, Schedule
from mixstore.testing.faulty import FaultyBackend, Injected
from mixstore.testing.twins import FIELDS, LedgerShadow, models
from mixstore.testing.worlds import Effect, Row, World

KEYS = ("a", "b", "c", "d", "e")
SLUGS = (None, None, None, "x", "y")
VERBS = (
    "create", "upsert", "save", "update", "delete", "add", "add", "batch_create", "batch_upsert", "update_all",
    "delete_all", "transact", "get", "all", "count",
)  # fmt: skip
MOST_REQUESTS = 4
"""Of one row: what is read beside it, the row, the write, and a look at what an addition made of it."""


class Report(NamedTuple):
    """How many operations were acknowledged, refused and left open, and how often each fault was injected."""

    seed: int
    acknowledged: int
    refused: int
    unknown: int
    injected: dict[str, int]


def check_faults(
    backend: Backend,
    *,
    seed: int,
    operations: int = 40,
    rate: float = 0.25,
    mixins: tuple[type, ...] = (),
    faults: Sequence[Fault] = EVERY_FAULT,
) -> Report:
    """Random work under random faults, both of the seed, on an empty backend. AssertionError if the books don't match.

    `mixins` are added to the models: any that hide no rows and ask for no arguments.
    """
    run = _Run(FaultyBackend(backend), seed, rate, mixins, faults, awaits=False)
    work = run.work(operations)
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("nothing is awaited where nothing is asynchronous")


async def acheck_faults(
    backend: Backend,
    *,
    seed: int,
    operations: int = 40,
    rate: float = 0.25,
    mixins: tuple[type, ...] = (),
    faults: Sequence[Fault] = EVERY_FAULT,
) -> Report:
    """`check_faults()` by the async twin of each verb."""
    return await _Run(FaultyBackend(backend), seed, rate, mixins, faults, awaits=True).work(operations)


class _Step(NamedTuple):
    """One operation: the call, and its effects: one, or one for each row that stands for itself."""

    verb: str
    call: Callable[[], Any]
    effects: list[Effect]
    answer: Callable[[World], Any] | None = None
    rows: int = 1


class _Run:
    def __init__(
        self,
        backend: FaultyBackend,
        seed: int,
        rate: float,
        mixins: tuple[type, ...],
        faults: Sequence[Fault],
        awaits: bool,
    ) -> None:
        self.backend = backend
        self.seed = seed
        self.chance = random.Random(seed)
        self.faults = Schedule.seeded(seed, rate, faults)
        self.awaits = awaits
        self.models = models(backend, mixins)
        self.adds = Capability.CONDITIONS in backend.capabilities
        self.transacts = Capability.ATOMIC_WRITES in backend.capabilities
        self.shadowed = len(self.models) > 1
        self.unique = Capability.UNIQUE in backend.capabilities
        self.told: list[str] = []
        self.counts: Counter[str] = Counter()

    # -- work ---------------------------------------------------------------------------------------------------------

    async def work(self, operations: int) -> Report:
        for model in self.models:
            model.bind(self.backend)
        try:
            self.backend.initialize(*self.models)
            for _ in range(operations):
                await self._operation(self.chance.choice(self.models))
        finally:
            for model in self.models:
                model.bind(None)
        injected = Counter(type(one.fault).__name__ for one in self.backend.injected)
        acknowledged, refused, unknown = (self.counts[name] for name in ("acknowledged", "refused", "unknown"))
        return Report(self.seed, acknowledged, refused, unknown, dict(injected))

    async def _operation(self, model: Any) -> None:
        before = await self._rows(model)
        step = await self._step(model, before)
        if step is None:
            return
        met, made = len(self.backend.injected), self.backend.requests
        self.backend.schedule = self.faults
        answer, error = None, None
        try:
            answer = await self._done(step.call())
        except MixstoreError as raised:
            error = raised
        finally:
            self.backend.schedule = None
        injected, requests = self.backend.injected[met:], self.backend.requests - made
        faults = ", ".join(repr(one.fault) for one in injected)
        self.told.append(f"{step.verb} -> {error if error is not None else answer!r}" + f" [{faults}]" * bool(faults))
        self._check_error(error, injected)
        if requests > MOST_REQUESTS * (step.rows + 1):
            self._fail(f"{requests} requests for {step.rows} rows")
        allowed = self._allowed(step, before, answer, error)
        found = await self._rows(model)
        if found not in allowed:
            self._fail(f"the store holds {found}, which is none of {allowed}")
        await self._check_shadows(model, found)

    async def _done(self, result: Any) -> Any:
        return await result if inspect.isawaitable(result) else result

    def _call(self, target: Any, verb: str, *args: Any, **named: Any) -> Any:
        return getattr(target, "a" + verb if self.awaits else verb)(*args, **named)

    # -- what an operation is -----------------------------------------------------------------------------------------

    async def _step(self, model: Any, before: World) -> _Step | None:
        verb = self.chance.choice(VERBS)
        key, row = self.chance.choice(KEYS), self._row()
        held = await self._done(self._call(model, "get", key))
        match verb:
            case "create" | "upsert":
                data = {"id": key, **row._asdict()}
                effect = worlds.create(key, row) if verb == "create" else worlds.upsert(key, row)
                return _Step(f"{verb} {key} {row}", lambda: self._call(model, verb, **data), [effect])
            case "save":
                return self._save(model, key, row, held)
            case "update" | "delete" | "add" if held is not None:
                return self._change(verb, key, row, held)
            case "batch_create" | "batch_upsert":
                return self._batch(model, verb)
            case "update_all" | "delete_all":
                return self._by_query(model, verb, row, before)
            case "transact" if self.transacts:
                return await self._transaction(model)
            case "get" | "all" | "count":
                return self._read(model, verb, key)
        return None

    def _row(self) -> Row:
        slug = self.chance.choice(SLUGS) if self.unique else None
        return Row(self.chance.randrange(10), self.chance.choice(("", "p", "q")), slug)

    def _save(self, model: Any, key: str, row: Row, held: Any) -> _Step:
        if held is None:
            held, effect = model(id=key, **row._asdict()), worlds.create(key, row)
        else:
            effect = worlds.update(key, **row._asdict())
            for name, value in row._asdict().items():
                setattr(held, name, value)
        return _Step(f"save {key} {row}", lambda: self._call(held, "save"), [effect])

    def _change(self, verb: str, key: str, row: Row, held: Any) -> _Step | None:
        if verb == "delete":
            return _Step(f"delete {key}", lambda: self._call(held, "delete"), [worlds.delete(key)])
        if verb == "update":
            changes = row._asdict()
            return _Step(f"update {key} {row}", lambda: self._call(held, "update", **changes), [
                worlds.update(key, **changes)
            ])  # fmt: skip
        if not self.adds:
            return None
        adding = aadd_to if self.awaits else add_to
        return _Step(f"add {key} {row.n}", lambda: adding(held, {"n": row.n}), [worlds.add(key, row.n)])

    def _batch(self, model: Any, verb: str) -> _Step:
        rows = [(self.chance.choice(KEYS), self._row()) for _ in range(self.chance.randrange(1, 6))]
        if verb == "batch_upsert":
            rows = list(dict(rows).items())  # which of two of one key counts is tested elsewhere
        make = worlds.create if verb == "batch_create" else worlds.upsert
        items = [{"id": key, **row._asdict()} for key, row in rows]
        effects = [make(key, row) for key, row in rows]
        return _Step(f"{verb} {rows}", lambda: self._call(model, verb, items), effects, rows=len(rows))

    def _by_query(self, model: Any, verb: str, row: Row, before: World) -> _Step:
        hit = sorted(key for key, one in before.items() if one.n >= row.n)
        found = model.where(n__gte=row.n)
        if verb == "delete_all":
            return _Step(f"delete where n >= {row.n}", lambda: self._call(found, "delete"), [
                worlds.delete(key) for key in hit
            ], lambda world: len(hit), rows=len(hit))  # fmt: skip
        return _Step(f"update where n >= {row.n}", lambda: self._call(found, "update", text=row.text), [
            worlds.update(key, text=row.text) for key in hit
        ], lambda world: len(hit), rows=len(hit))  # fmt: skip

    async def _transaction(self, model: Any) -> _Step:
        calls: list[Callable[[], Any]] = []
        effects: list[Effect] = []
        for key in self.chance.sample(KEYS, 3):
            row = self._row()
            held = await self._done(self._call(model, "get", key))
            verb = self.chance.choice(("create", "upsert", "delete", "update"))
            one = None
            if verb in ("delete", "update") and held is not None:
                one = self._change(verb, key, row, held)
            if one is None:
                data = {"id": key, **row._asdict()}
                calls.append(lambda data=data: self._call(model, "upsert", **data))  # type: ignore[misc]
                effects.append(worlds.upsert(key, row))
            else:
                calls.append(one.call)
                effects += one.effects

        async def commit() -> None:
            if self.awaits:
                async with self.backend.transaction():
                    for call in calls:
                        await call()
            else:
                with self.backend.transaction():
                    for call in calls:
                        call()

        return _Step("transaction", commit, [worlds.together(effects)], rows=3)

    def _read(self, model: Any, verb: str, key: str) -> _Step:
        if verb == "get":
            return _Step(f"get {key}", lambda: self._call(model, "get", key), [], lambda world: world.get(key))
        if verb == "count":
            return _Step("count", lambda: self._call(model.where(), "count"), [], len)
        return _Step("all", lambda: self._call(model.where().order_by("id"), "all"), [], lambda world: [
            world[key] for key in sorted(world)
        ])  # fmt: skip

    # -- what may be --------------------------------------------------------------------------------------------------

    def _allowed(self, step: _Step, before: World, answer: Any, error: MixstoreError | None) -> list[World]:
        """The worlds that may be after the step; the answer must be right, where there is one."""
        unavailable = isinstance(error, BackendUnavailableError)
        unknown = unavailable and error.outcome_unknown  # type: ignore[union-attr]
        self.counts["acknowledged" if error is None else "unknown" if unknown else "refused"] += 1
        if error is None and step.answer is not None and _plain(answer) != step.answer(before):
            self._fail(f"the answer should be {step.answer(before)!r}")
        allowed: list[World] = [before]
        for index, effect in enumerate(step.effects):
            told = error
            if isinstance(error, BatchError):
                told = error.outcomes[index]  # type: ignore[assignment]
            if unknown and step.answer is not None:  # by query: some rows may have been written, one by one
                allowed += [made for made in map(effect, allowed) if not isinstance(made, worlds.Refused)]
            else:
                allowed = worlds.after(allowed, effect, told)
        if not allowed:
            self._fail(f"{error!r} makes no sense; before it there was {before}")
        return allowed

    def _check_error(self, error: MixstoreError | None, injected: list[Injected]) -> None:
        """What went wrong must be told, and nothing that did not."""
        due = [one for one in injected if (one.fault.before(one.request) or one.fault.after(one.request)) is not None]
        if due and error is None:
            self._fail("the fault was swallowed")
        every = error.outcomes if isinstance(error, BatchError) else [error]
        if not injected and any(isinstance(one, BackendUnavailableError) for one in every):
            self._fail("the store was not there, out of nothing")

    # -- looking, with no faults ---------------------------------------------------------------------------------------

    async def _rows(self, model: Any) -> World:
        return {one.id: _plain(one) for one in await self._done(self._call(model.where(), "all"))}

    async def _check_shadows(self, model: Any, found: World) -> None:
        if not self.shadowed or model is not self.models[1]:
            return
        query = self.backend.query(LedgerShadow)
        shadows = {one.id: (one.n, one.text) for one in await self._done(self._call(query, "all"))}
        if shadows != {key: (row.n, row.text) for key, row in found.items()}:
            self._fail(f"a row and what is written with it differ: {shadows} beside {found}")

    def _fail(self, problem: str) -> None:
        steps = "\n  ".join(self.told[-12:])
        raise AssertionError(f"seed {self.seed}, step {len(self.told)}: {problem}\nthe last steps:\n  {steps}")


def _plain(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_plain(one) for one in answer]
    if answer is None or isinstance(answer, int):
        return answer
    return Row(*(getattr(answer, name) for name in FIELDS))
