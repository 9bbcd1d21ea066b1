"""Random work on the reference and on SQLite, side by side: no difference may show.

`MIXSTORE_TEST_EXAMPLES=20 pytest tests/backends/test_differential.py` tries twenty times as long, at random.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from mixstore import Backend, MixstoreError, Model
from mixstore.expressions import TRUE, Expr
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.shared import questions
from tests.backends.shared.questions import SEARCHES, Kept, Wild
from tests.backends.shared.support import Clock, examples, same

BOTH = (Wild, Kept)
MODELS = st.sampled_from(BOTH)


def told(result: Any) -> Any:
    """What can be compared of a result: rows as dicts, errors by class and place."""
    if isinstance(result, Model):
        return {"model": type(result).__name__, **vars(result)}
    if isinstance(result, MixstoreError):
        expected = (getattr(result, "expected", None), getattr(result, "stored", None))
        outcomes = [told(one) for one in getattr(result, "outcomes", ())]
        return [type(result).__name__, getattr(result, "field", None), result.key, expected, outcomes]
    if isinstance(result, (list, tuple)):
        return [told(one) for one in result]
    return result


def place(model: type[Model], row: Any) -> Any:
    """The key of an instance or of a selected row."""
    values = row if isinstance(row, dict) else vars(row)
    return values["id"] if model is Wild else (values["group"], values["number"])


class Agreement(RuleBasedStateMachine):
    """Two backends that are asked the same, with one clock; `pairs` are the same row loaded from each."""

    pairs = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.backends: list[Backend] = [InMemoryBackend(), self.other()]
        for backend in self.backends:
            backend.clock = self.clock
            backend.initialize(*BOTH)

    def other(self) -> Backend:
        """What the reference is compared with."""
        return SQLiteBackend(":memory:")

    def teardown(self) -> None:
        for backend in self.backends:
            backend.close()
        for model in BOTH:
            model.bind(None)

    def both(self, work: Callable[[int], Any]) -> list[Any]:
        """Do the same on each; the results are equal, and are returned. An error of mixstore is a result."""
        results = []
        for number, backend in enumerate(self.backends):
            for model in BOTH:
                model.bind(backend)
            try:
                results.append(work(number))
            except MixstoreError as error:
                results.append(error)
        reference, other = map(told, results)
        assert same(other, reference), f"\n{other!r}\n  instead of\n{reference!r}"
        return results

    @initialize(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        """Rows to begin with, one of each key."""
        for model, key_of in ((Wild, lambda row: row["id"]), (Kept, lambda row: (row["group"], row["number"]))):
            rows = data.draw(st.lists(questions.rows(model, 6), max_size=9, unique_by=key_of))
            self.both(lambda n, m=model, r=rows: m.batch_upsert(r))  # type: ignore[misc]

    @invariant()
    def nothing_differs(self) -> None:
        """Every row, expired ones too."""
        self.both(lambda n: Wild.where().order_by("id").all())
        self.both(lambda n: Kept.include_expired().order_by("group", "number").all())
        self.both(lambda n: [Wild.count(), Kept.count()])

    # -- rows -------------------------------------------------------------------------------------------------------

    @rule(data=st.data(), model=MODELS, verb=st.sampled_from(["create", "create", "upsert"]))
    def write(self, data: st.DataObject, model: Any, verb: str) -> None:
        row = data.draw(questions.rows(model))
        self.both(lambda n: getattr(model, verb)(**row))

    @rule(data=st.data(), model=MODELS, verb=st.sampled_from(["batch_create", "batch_upsert"]))
    def batch(self, data: st.DataObject, model: Any, verb: str) -> None:
        rows = data.draw(st.lists(questions.rows(model), max_size=5))
        self.both(lambda n: getattr(model, verb)(rows))

    @rule(data=st.data(), model=MODELS, slug=st.sampled_from(["x", "y", ""]))
    def read(self, data: st.DataObject, model: Any, slug: str) -> None:
        keys = data.draw(st.lists(questions.keys(model), max_size=4))
        self.both(lambda n: model.batch_get(keys))
        self.both(lambda n: [model.get(**key) for key in keys])
        self.both(lambda n: model.get(slug=slug))

    @rule(target=pairs, data=st.data(), model=MODELS)
    def load(self, data: st.DataObject, model: Any) -> Any:
        key = data.draw(questions.keys(model))
        return self.both(lambda n: model.get(**key))

    @rule(target=pairs, data=st.data(), model=MODELS)
    def make(self, data: st.DataObject, model: Any) -> Any:
        row = data.draw(questions.rows(model).map(lambda row: {k: v for k, v in row.items() if k != "expires_in"}))
        return [model(**row), model(**row)]

    @rule(pair=pairs, data=st.data())
    def update(self, pair: Any, data: st.DataObject) -> None:
        if pair[0] is not None:
            changes = data.draw(questions.changes(type(pair[0])))
            self.both(lambda n: pair[n].update(**changes))

    @rule(pair=pairs, data=st.data())
    def save(self, pair: Any, data: st.DataObject) -> None:
        if pair[0] is None:
            return
        changes = data.draw(questions.changes(type(pair[0])))
        for instance in pair:
            for name, value in changes.items():
                if name != "expires_in":
                    setattr(instance, name, value.copy() if isinstance(value, list | dict) else value)
        self.both(lambda n: pair[n].save())
        self.both(lambda n: pair[n])

    @rule(pair=pairs)
    def refresh(self, pair: Any) -> None:
        if pair[0] is not None:
            self.both(lambda n: pair[n].refresh())

    @rule(pair=consumes(pairs))
    def delete(self, pair: Any) -> None:
        if pair[0] is not None:
            self.both(lambda n: pair[n].delete())

    # -- questions ----------------------------------------------------------------------------------------------------

    @rule(
        data=st.data(),
        model=MODELS,
        limit=st.none() | st.integers(0, 4),
        offset=st.integers(0, 2),
        end=st.sampled_from(["all", "all", "count", "exists", "first", "last", "one", "get", "stream", "select"]),
    )
    def ask(self, data: st.DataObject, model: Any, limit: int | None, offset: int, end: str) -> None:
        for where in data.draw(st.lists(questions.filters(model), min_size=2, max_size=4)):
            order = data.draw(questions.orders(model))
            if (limit is not None or offset) and not order:
                order = ["n"]  # without an order, which rows a limit leaves is nobody's promise
            self.both(lambda n, w=where, o=order: self.answer(model, w, o, limit, offset, end))  # type: ignore[misc]

    def answer(self, model: Any, where: Expr, order: list[str], limit: int | None, offset: int, end: str) -> Any:
        """What one backend answers."""
        question = model.where(where).order_by(*order).limit(limit).offset(offset)
        if end == "stream":
            return list(question)
        if end == "select":
            return question.order_by(*(order or ["n"])).select("n", "text").all()
        result = getattr(question, end)()
        return result if order or end != "all" else sorted(result, key=lambda row: repr(place(model, row)))

    @rule(data=st.data(), model=MODELS, size=st.integers(1, 4))
    def walk(self, data: st.DataObject, model: Any, size: int) -> None:
        for order in data.draw(st.lists(questions.orders(model), min_size=1, max_size=3)):
            where = data.draw(st.just(TRUE) | questions.filters(model))
            self.both(lambda n, w=where, o=order: self.pages_of(model.where(w).order_by(*o).limit(size)))  # type: ignore[misc]

    def pages_of(self, question: Any) -> list[Any]:
        """All pages with their cursors."""
        walked, cursor = [], None
        while True:
            page = question.cursor(cursor).paginate()
            walked.append((page.items, page.cursor))
            cursor = page.cursor
            if cursor is None:
                return walked

    @rule(text=SEARCHES, data=st.data())
    def search(self, text: str, data: st.DataObject) -> None:
        where: Expr = data.draw(questions.filters(Wild))
        self.both(lambda n: Wild.search(text).filter(where).order_by("id").all())
        self.both(lambda n: Wild.search(text).count())

    # -- writes by query, time, transactions --------------------------------------------------------------------------

    @rule(data=st.data(), model=MODELS, remove=st.booleans(), limit=st.none() | st.integers(0, 2))
    def write_by_query(self, data: st.DataObject, model: Any, remove: bool, limit: int | None) -> None:
        where, changes = data.draw(questions.filters(model)), data.draw(questions.changes(model))
        changes.pop("slug", None)  # which of several rows gets it first is nobody's promise

        def write(number: int) -> int:
            question = model.where(where).limit(limit)
            return int(question.delete() if remove else question.update(**changes))

        self.both(write)

    @rule(seconds=st.sampled_from([0.5, 5, 20]))
    def wait(self, seconds: float) -> None:
        self.clock.forward(seconds=seconds)

    @rule()
    def purge(self) -> None:
        self.both(lambda n: Kept.purge_expired())

    @rule(
        data=st.data(),
        pair=pairs,
        verbs=st.lists(st.tuples(MODELS, st.sampled_from(["create", "upsert", "delete", "update"])), max_size=4),
        gives_up=st.booleans(),
    )
    def transact(self, data: st.DataObject, pair: Any, verbs: list[Any], gives_up: bool) -> None:
        steps = [
            (model, verb, data.draw(questions.keys(model) if verb == "delete" else questions.rows(model)))
            for model, verb in verbs
        ]

        def commit(number: int) -> list[Any]:
            answers: list[Any] = []
            loaded = [model.get(**_key(model, row)) for model, _, row in steps]
            try:
                with self.backends[number].transaction():
                    for (model, verb, row), instance in zip(steps, loaded, strict=True):
                        answers.append(_step(model, verb, row, instance))
                    if pair[0] is not None and data is not None:
                        answers.append(_attempt(lambda: pair[number].update(n=1)))
                    if gives_up and len(steps) > 2:
                        raise _GivesUpError
            except _GivesUpError:
                answers.append("gave up")
            except MixstoreError as error:
                answers.append(error)
            return answers

        self.both(commit)
        self.both(lambda n: pair[n])


class _GivesUpError(Exception):
    """Raised inside a transaction."""


def _key(model: type[Model], row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in (("id",) if model is Wild else ("group", "number"))}


def _attempt(call: Callable[[], Any]) -> Any:
    try:
        result = call()
    except MixstoreError as error:
        return error
    return result if isinstance(result, bool) else None  # instances change when it is committed


def _step(model: Any, verb: str, row: dict[str, Any], instance: Any) -> Any:
    if verb in ("create", "upsert"):
        return _attempt(lambda: getattr(model, verb)(**row))
    if instance is None:
        return None
    if verb == "delete":
        return _attempt(instance.delete)
    changes = {name: value for name, value in row.items() if name not in _key(model, row)}
    return _attempt(lambda: instance.update(**changes))


class AgreementOnDisk(Agreement):
    """The same with a file."""

    def other(self) -> Backend:
        self.folder = tempfile.TemporaryDirectory()
        return SQLiteBackend(Path(self.folder.name) / "store.db")

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestAgreement = Agreement.TestCase
TestAgreement.settings = examples(30, stateful_step_count=30)
TestAgreementOnDisk = AgreementOnDisk.TestCase
TestAgreementOnDisk.settings = examples(4, stateful_step_count=30)
