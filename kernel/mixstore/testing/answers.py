"""What two stores answer to the same calls, and whether it is the same.

Scripts that reproduce a difference import this, so that they ask just as the machine did that found it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from pydantic import BaseModel

from mixstore.backend import Backend
from mixstore.errors import MixstoreError
from mixstore.model import Model
from mixstore.testing.clock import Clock


class GaveUpError(Exception):
    """Leaves a transaction, which then must not happen."""


class Answers:
    """The answers of one store. `ask(lambda: Row.get("a"))` calls, keeps what is told of the result, and returns it.

    An error of mixstore is an answer too: its class, place and field, not its text.
    """

    def __init__(
        self,
        backend: Backend,
        model: type[Model],
        within: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self.backend = backend
        self.model = model
        self.told: list[Any] = []
        self.clock = backend.clock = Clock()
        self.within: Callable[[], AbstractContextManager[Any]] = within or nullcontext
        model.bind(backend)
        backend.initialize(model)

    def __call__(self, call: Callable[[], Any]) -> Any:
        self.model.bind(self.backend)
        try:
            with self.within():
                result = call()
        except MixstoreError as error:
            self.told.append(told(error))
            return None
        self.told.append(told(result))
        return result

    def inside(self, call: Callable[[], Any]) -> None:
        """A call inside of a transaction. Instances change at its end, so that only a bool or an error is kept."""
        try:
            result = call()
        except MixstoreError as error:
            result = error
        self.told.append(told(result) if isinstance(result, bool | MixstoreError) else None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction; what it ends with is an answer."""
        self.model.bind(self.backend)
        try:
            with self.within(), self.backend.transaction():
                yield
            self.told.append("committed")
        except GaveUpError:
            self.told.append("gave up")
        except MixstoreError as error:
            self.told.append(told(error))

    def give_up(self) -> None:
        """Leave the transaction."""
        raise GaveUpError


def told(result: Any) -> Any:
    """What can be compared of a result: rows by their values, errors by class and place."""
    if isinstance(result, Model):
        return {"model": type(result).__name__, **vars(result)}
    if isinstance(result, MixstoreError):
        versions = (getattr(result, "expected", None), getattr(result, "stored", None))
        outcomes = [told(one) for one in getattr(result, "outcomes", ())]
        return [type(result).__name__, getattr(result, "field", None), result.key, versions, outcomes]
    if isinstance(result, tuple) and type(result) is not tuple:  # a named one
        return [type(result).__name__, *map(told, result)]
    if isinstance(result, list | tuple):
        return [told(one) for one in result]
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return [type(result).__name__, *(told(getattr(result, one.name)) for one in dataclasses.fields(result))]
    return result


def same(found: Any, expected: Any) -> bool:
    """Equal, and of the same types all the way down: True is not 1, and 1 is not 1.0."""
    if type(found) is not type(expected) or found != expected:
        return False
    if isinstance(expected, dict):
        keys = {(type(key), key) for key in expected}
        return keys == {(type(key), key) for key in found} and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return all(map(same, found, expected))
    if isinstance(expected, set | frozenset):
        return {(type(one), one) for one in found} == {(type(one), one) for one in expected}
    if isinstance(expected, BaseModel):
        return same(vars(found), vars(expected))
    return True


def check_same(found: list[Any], expected: list[Any], before: int = 0) -> None:
    """AssertionError that shows the first answer that differs; so many came `before` them."""
    for number, (other, reference) in enumerate(zip(found, expected, strict=True), before + 1):
        assert same(other, reference), f"answer {number} is\n{other!r}\n  instead of\n{reference!r}"


def pages(question: Any) -> list[Any]:
    """All pages of a query, each with its cursor."""
    walked, cursor = [], None
    while True:
        page = question.cursor(cursor).paginate()
        walked.append([page.items, page.cursor])
        cursor = page.cursor
        if cursor is None:
            return walked


def unordered(rows: list[Any]) -> list[Any]:
    """Rows that come in no order, in one that can be compared."""
    return sorted(rows, key=lambda row: repr(told(row)))
