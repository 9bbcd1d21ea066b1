"""Random work on a backend and on the reference, side by side: no difference may show.

`run_differential("sqlite://", mixins=[...])` looks for one; it fails with the shortest script that it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mixstore.backend import Capability
from mixstore.testing import strategies
from mixstore.testing.answers import pages, unordered
from mixstore.testing.minimal import Maker, Pair, minimal
from mixstore.testing.source import Ask, Assign, Enter, Link, Step, Together, Wait
from mixstore.testing.subject import COLUMNS, KEY, NAME, Act, Brings, Column, Subject, script

__all__ = ["Act", "Brings", "Column", "differential_machine", "run_differential"]

ENDS = ("all", "all", "count", "exists", "first", "last", "one", "get", "list", "select")


def differential_machine(
    make_backend: Maker,
    *,
    mixins: Iterable[type | Brings] = (),
    reference: Maker = "memory://",
    key: Mapping[str, Column] = KEY,
    columns: Mapping[str, Column] = COLUMNS,
) -> type[RuleBasedStateMachine]:
    """A hypothesis state machine that compares a backend with the reference.

    make_backend, reference: a URL, or a function or class of a module that makes an empty backend, so that a script can
    make it too. mixins: of the model, in this order; `Brings` tells what there is to try with one. ConfigurationError
    for a backend or a value that can't be written into a script.
    """
    brings = tuple(one if isinstance(one, Brings) else Brings(one) for one in mixins)
    every = dict(columns)
    for one in brings:
        every.update(one.columns)
    subject = Subject(brings, key, every)
    script(subject, (), reference, make_backend)
    body = {"subject": subject, "made": (reference, make_backend), "scripts": {}}
    machine = cast("type[RuleBasedStateMachine]", type("DifferentialMachine", (_Differential,), body))
    machine.TestCase.settings = quick(30)
    return machine


def run_differential(make_backend: Maker, *, examples: int = 30, steps: int = 30, **options: Any) -> None:
    """Run a `differential_machine()`, the same examples each time. AssertionError with a script that reproduces it."""
    machine = differential_machine(make_backend, **options)
    run_state_machine_as_test(machine, settings=quick(examples, steps))


def quick(examples: int, steps: int = 30) -> settings:
    """Settings of hypothesis: so many examples of so many steps, the same each time, however slow.

    It need not shrink: the steps are values, of which `minimal()` keeps what is needed, much faster.
    """
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


class _Differential(RuleBasedStateMachine):
    subject: ClassVar[Subject]
    made: ClassVar[tuple[Maker, Maker]]
    scripts: ClassVar[dict[str, str]]
    loaded = Bundle("loaded")

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.rows = 0
        self.pair = Pair(self.subject, self.made)
        reference, other = (ask.backend.capabilities for ask in self.pair.asked)
        able = reference & other
        self.searches = Capability.FULL_TEXT in able
        self.transacts = Capability.ATOMIC_WRITES in able
        self.options = [name for one in self.subject.brings for name in one.options]

    def teardown(self) -> None:
        self.pair.close()

    # -- both ---------------------------------------------------------------------------------------------------------

    def both(self, *steps: Step, kept: bool = True) -> None:
        """Do the same on each; what they answer must be the same. A step that is not `kept` changes nothing."""
        for step in steps:
            written = [*self.steps, step]
            try:
                self.pair.run(step)
            except Exception as error:
                raise AssertionError(self.explained(written, error)) from error
            if kept:
                self.steps = written

    def explained(self, steps: list[Step], error: Exception) -> str:
        """What goes wrong, and the script. Kept, since hypothesis runs an example again before it tells of it."""
        known = repr(steps)
        if known not in self.scripts:
            subject, least, found = minimal(self.subject, steps, self.made, error)
            problem = str(found) if isinstance(found, AssertionError) else f"{type(found).__name__}: {found}"
            told = script(subject, least, *self.made)
            self.scripts[known] = f"{problem}\n\nThis script reproduces it:\n\n{told}"
        return self.scripts[known]

    def new_name(self) -> str:
        """A name for a row."""
        self.rows += 1
        return f"row{self.rows}"

    def there(self, name: str) -> bool:
        """Whether there is a row of this name."""
        return all(names.get(name) is not None for names in self.pair.names)

    def ask(self, *links: Link, **more: Any) -> None:
        """The same chain of calls on each model."""
        self.both(Ask(NAME, links, **more))

    def draw(self, data: st.DataObject, make: Callable[..., st.SearchStrategy[Any]], *args: Any) -> Any:
        """A value by a strategy that needs to know the model."""
        return data.draw(make(self.subject, *args))

    def question(self, data: st.DataObject, start: Link | None = None) -> list[Link]:
        """A query up to its filter."""
        where = self.draw(data, strategies.filters)
        links = [start, Link("filter", (where,))] if start is not None else [Link("where", (where,))]
        return links + [Link(name) for name in self.options if data.draw(st.booleans())]

    # -- rows ---------------------------------------------------------------------------------------------------------

    @initialize(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        rows = data.draw(st.lists(strategies.rows(self.subject), max_size=6))
        self.ask(Link("batch_upsert", (rows,)))

    @invariant()
    def nothing_differs(self) -> None:
        every = (Link("where"), *map(Link, self.options), Link("order_by", tuple(self.subject.key)), Link("all"))
        self.both(Ask(NAME, every), kept=False)

    @rule(data=st.data(), verb=st.sampled_from(["create", "create", "upsert"]))
    def write(self, data: st.DataObject, verb: str) -> None:
        self.ask(Link(verb, (), self.draw(data, strategies.rows)))

    @rule(data=st.data(), verb=st.sampled_from(["batch_create", "batch_upsert"]))
    def batch(self, data: st.DataObject, verb: str) -> None:
        rows = data.draw(st.lists(strategies.rows(self.subject), max_size=5))
        self.ask(Link(verb, (rows,)))

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        self.ask(Link("batch_get", (data.draw(st.lists(strategies.keys(self.subject), max_size=4)),)))
        for name, one in self.subject.columns.items():
            if one.options.get("unique"):
                self.ask(Link("get", (), {name: data.draw(st.sampled_from(one.values))}))

    @rule(target=loaded, data=st.data())
    def load(self, data: st.DataObject) -> str:
        name = self.new_name()
        self.ask(Link("get", (), self.draw(data, strategies.keys)), into=name)
        return name

    @rule(target=loaded, data=st.data())
    def make(self, data: st.DataObject) -> str:
        name = self.new_name()
        self.ask(Link("", (), self.draw(data, strategies.rows, False)), into=name)
        return name

    @rule(name=loaded, data=st.data())
    def update(self, name: str, data: st.DataObject) -> None:
        if self.there(name):
            self.both(Ask(name, (Link("update", (), self.draw(data, strategies.changes)),)), Ask(name))

    @rule(name=loaded, data=st.data())
    def save(self, name: str, data: st.DataObject) -> None:
        if self.there(name):
            values = self.draw(data, strategies.changes, False)
            self.both(Assign(name, values), Ask(name, (Link("save"),)), Ask(name))

    @rule(name=loaded, verb=st.sampled_from(["refresh", "delete"]))
    def end(self, name: str, verb: str) -> None:
        if self.there(name):
            self.both(Ask(name, (Link(verb),)), Ask(name))

    # -- questions ----------------------------------------------------------------------------------------------------

    @rule(data=st.data(), limit=st.none() | st.integers(0, 4), offset=st.integers(0, 2), end=st.sampled_from(ENDS))
    def query(self, data: st.DataObject, limit: int | None, offset: int, end: str) -> None:
        links = self.question(data)
        sliced = limit is not None or offset > 0
        order = self.draw(data, strategies.orders, int(sliced or end == "select"))  # else nobody promises which rows
        links += [Link("order_by", tuple(order))] if order else []
        links += [Link("limit", (limit,)), Link("offset", (offset,))] if sliced else []
        if end == "select":
            self.ask(*links, Link("select", tuple(self.subject.fields)[:2]), Link("all"))
        elif end == "list":
            self.ask(*links, wrap=list)
        elif end == "all" and not order:
            self.ask(*links, Link("all"), wrap=unordered)
        else:
            self.ask(*links, Link(end))

    @rule(data=st.data(), size=st.integers(1, 4))
    def walk(self, data: st.DataObject, size: int) -> None:
        order = Link("order_by", tuple(self.draw(data, strategies.orders)))
        self.ask(*self.question(data), order, Link("limit", (size,)), wrap=pages)

    @precondition(lambda self: self.searches)
    @rule(data=st.data(), text=st.sampled_from(strategies.SEARCHES))
    def search(self, data: st.DataObject, text: str) -> None:
        if any(one.options.get("searchable") for one in self.subject.fields.values()):
            order = Link("order_by", tuple(self.subject.key))
            self.ask(*self.question(data, Link("search", (text,))), order, Link("all"))

    # -- writes by query, time, transactions, what mixins bring -------------------------------------------------------

    @rule(data=st.data(), removes=st.booleans(), limit=st.none() | st.integers(0, 2))
    def write_by_query(self, data: st.DataObject, removes: bool, limit: int | None) -> None:
        links = self.question(data) + ([] if limit is None else [Link("limit", (limit,))])
        changes = self.draw(data, strategies.changes)
        for name, one in self.subject.columns.items():
            if one.options.get("unique"):
                changes.pop(name, None)  # which of several rows gets it first is nobody's promise
        self.ask(*links, Link("delete") if removes else Link("update", (), changes))

    @rule(seconds=st.sampled_from([0.5, 5, 20]))
    def wait(self, seconds: float) -> None:
        self.both(Wait(seconds))

    @precondition(lambda self: self.transacts)
    @rule(data=st.data(), verbs=st.lists(st.sampled_from(["create", "upsert", "delete", "update"]), max_size=4))
    def transact(self, data: st.DataObject, verbs: Sequence[str]) -> None:
        calls: list[Ask] = []
        for verb in verbs:
            row = self.draw(data, strategies.rows)
            if verb in ("create", "upsert"):
                calls.append(Ask(NAME, (Link(verb, (), row),)))
                continue
            name = self.new_name()
            self.ask(Link("get", (), {part: row.pop(part) for part in self.subject.key}), into=name)
            if self.there(name):
                calls.append(Ask(name, (Link(verb, (), row if verb == "update" else {}),)))
        self.both(Together(calls, data.draw(st.integers(0, 4)) == 4))

    @precondition(lambda self: any(one.acts for one in self.subject.brings))
    @rule(data=st.data(), name=loaded)
    def act(self, data: st.DataObject, name: str) -> None:
        one = data.draw(st.sampled_from([act for bring in self.subject.brings for act in bring.acts]))
        args = tuple(data.draw(st.sampled_from(values)) for values in one.args)
        link = Link(one.name, args, self.draw(data, strategies.keys) if one.by_key else {})
        if one.of == "class":
            self.ask(link)
        elif self.there(name):
            self.both(Ask(name, (link,)), Ask(name))

    @precondition(lambda self: any(one.within for one in self.subject.brings))
    @rule(data=st.data())
    def enter(self, data: st.DataObject) -> None:
        context, values = next(one.within for one in self.subject.brings if one.within is not None)
        self.both(Enter(context, data.draw(st.sampled_from(values))))
