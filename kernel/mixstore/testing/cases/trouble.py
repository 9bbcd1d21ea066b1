"""An engine that can't answer: never taken for one that has no such row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mixstore import Backend, BackendError, BackendUnavailableError, BatchError, MixstoreError, Page
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Account, Person
from mixstore.testing.support import Use, awaited, refusal
from mixstore.testing.tags import atomic

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "get": lambda model, backend: model.get("a"),
    "batch_get": lambda model, backend: model.batch_get(["a", "b"]),
    "all": lambda model, backend: model.all(),
    "first": lambda model, backend: model.where().first(),
    "one": lambda model, backend: model.where(id="a").one(),
    "iteration": lambda model, backend: list(model.where()),
    "paginate": lambda model, backend: model.where().paginate(),
    "count": lambda model, backend: model.count(),
    "exists": lambda model, backend: model.exists(id="a"),
    "create": lambda model, backend: model.create(id="c"),
    "upsert": lambda model, backend: model.upsert(id="a"),
    "save": lambda model, backend: model(id="c").save(),
    "delete": lambda model, backend: model(id="a").delete(),
    "batch_create": lambda model, backend: model.batch_create([{"id": "c"}, {"id": "d"}]),
    "batch_upsert": lambda model, backend: model.batch_upsert([{"id": "c"}, {"id": "d"}]),
    "update by query": lambda model, backend: model.where(id="a").update(age=2),
    "delete by query": lambda model, backend: model.where(id="a").delete(),
    "backend.get": lambda model, backend: backend.get(model, id="a"),
    "backend.exists": lambda model, backend: backend.exists(model, id="a"),
}


def told(answer: Any) -> Any:
    """An answer that can be compared."""
    return list(answer) if isinstance(answer, list | Page) else answer


class TroubleCases(Conformance):
    """An engine that can't answer.

    A class may have a fixture `unreachable`: a backend whose engine is not there, or is of no use.
    """

    @pytest.fixture
    def unreachable(self, backend: Backend) -> Any:
        """A backend whose driver fails at every request."""
        pytest.skip(f"nothing lets {backend.backend_name} fail: the class has no fixture `unreachable`")

    @pytest.fixture
    def lost(self, unreachable: Backend) -> Any:
        """A model on it."""
        Person.bind(unreachable)
        yield Person
        Person.bind(None)

    @pytest.mark.parametrize("call", CALLS)
    def test_an_engine_that_fails_is_an_error_with_its_cause_and_never_an_answer(
        self, lost: Any, unreachable: Backend, call: str
    ) -> None:
        with pytest.raises(MixstoreError) as caught:
            CALLS[call](lost, unreachable)
        error: Any = caught.value
        if isinstance(error, BatchError):
            error = error.outcomes[0]
        assert type(error) is not BatchError
        assert isinstance(error, BackendError)
        assert error.__cause__ is not None, "what the driver says is lost"
        assert not isinstance(error.__cause__, MixstoreError)
        assert str(error)
        if isinstance(error, BackendUnavailableError):
            assert error.outcome_unknown is False, "nobody was there who could have done it"

    @awaited
    async def test_an_engine_that_fails_is_an_error_when_it_is_awaited(self, lost: Any) -> None:
        calls: tuple[Callable[[], Any], ...] = (
            lambda: lost.aget("a"),
            lambda: lost.aall(),
            lambda: lost.acount(),
            lambda: lost.acreate(id="c"),
            lambda: lost.where().adelete(),
        )
        for call in calls:
            with pytest.raises(BackendError) as caught:
                await call()
            assert caught.value.__cause__ is not None

    @atomic
    def test_a_transaction_on_an_engine_that_fails_changes_no_instance(self, lost: Any, unreachable: Backend) -> None:
        person = Person(id="a", age=1)
        with pytest.raises(BackendError), unreachable.transaction():
            person.save()
        assert (person.id, person.age) == ("a", 1)
        with pytest.raises(BackendError):
            person.save()

    @pytest.mark.parametrize("call", [call for call in CALLS if "create" not in call and call != "save"])
    def test_a_closed_backend_answers_as_before_or_refuses_but_never_as_if_nothing_were_there(
        self, use: Use, backend: Backend, call: str
    ) -> None:
        use(Person)
        Person.batch_create([{"id": "a", "age": 1}, {"id": "b", "age": 2}])
        control = [Person(id="a", age=1), Person(id="b", age=2)]
        expected: dict[str, Any] = {
            "get": control[0], "batch_get": control, "all": control, "first": control[0], "one": control[0],
            "iteration": control, "paginate": control, "count": 2, "exists": True, "delete": True,
            "update by query": 1, "delete by query": 1, "backend.exists": True,
        }  # fmt: skip
        backend.close()
        answers: list[Any] = []
        error = refusal(lambda: answers.append(CALLS[call](Person, backend)))
        if error is not None:
            assert isinstance(error, MixstoreError)
            assert str(error)
        elif call in expected:
            assert told(answers[0]) == told(expected[call])

    def test_closing_twice_is_fine(self, use: Use, backend: Backend) -> None:
        use(Account)
        Account.create(id="a")
        backend.close()
        backend.close()

    def test_a_backend_is_closed_by_another_thread_than_used_it(self, use: Use, backend: Backend) -> None:
        use(Account)
        Account.create(id="a")
        asyncio.run(asyncio.to_thread(backend.close))
        error = refusal(lambda: Account.get("a"))
        assert error is None or isinstance(error, MixstoreError)
