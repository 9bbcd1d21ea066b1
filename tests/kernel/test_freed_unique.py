"""Extensions whose rows are there, but don't hold their unique values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import mixstore
from mixstore import (
    NOW,
    Backend,
    BackendExtension,
    Capability,
    ConfigurationError,
    Field,
    Mixin,
    Model,
    Q,
    UnsupportedOperationError,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with mixstore.registry():
        yield


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with InMemoryBackend() if request.param == "memory" else SQLiteBackend(":memory:") as made:
        yield made


class Retiring(Mixin):
    stage: str = "here"

    class Freeing(BackendExtension):
        def frees_unique(self):
            return Q(stage="it's gone?")


class Car(Retiring, Model):
    id: str = Field(primary_key=True)
    plate: str | None = Field(None, unique=True)


class Timed(Mixin):
    class Freeing(BackendExtension):
        def frees_unique(self):
            return Q(until__lt=NOW)


class Permit(Timed, Model):
    id: str = Field(primary_key=True)
    until: int = 0
    plate: str | None = Field(None, unique=True)


GONE = "it's gone?"


def use(model: type[Any], backend: Backend) -> None:
    model.bind(backend)
    backend.initialize(model)


def test_sqlite_says_that_its_index_does_not_serve_freed_rows():
    backend = SQLiteBackend(":memory:")
    use(Car, backend)
    assert Car.where(plate="X").explain().index is None
    backend.close()


class Plain(Model):
    """A car as it was before cars could retire."""

    class Meta:
        entity = "Car"

    stage: str = "here"
    id: str = Field(primary_key=True)
    plate: str | None = Field(None, unique=True)


def test_a_unique_index_is_made_anew_when_a_model_starts_to_free_values(tmp_path):
    with SQLiteBackend(tmp_path / "a.db") as old:
        use(Plain, old)
        Plain.create(id="a", plate="X", stage=GONE)
    with SQLiteBackend(tmp_path / "a.db") as new:
        use(Car, new)
        assert Car.create(id="b", plate="X").id == "b"
        new.initialize(Car)
        assert Car.count() == 2


class NoPartial(InMemoryBackend):
    capabilities = InMemoryBackend.capabilities & ~Capability.PARTIAL_UNIQUE


def test_an_engine_that_cannot_free_them_is_refused_when_the_model_is_bound():
    Car.bind(NoPartial())
    with pytest.raises(UnsupportedOperationError, match=r"Retiring.Freeing frees unique values of Car \(plate\)"):
        Car.count()


def test_what_frees_values_cannot_vary():
    Permit.bind(InMemoryBackend())
    with pytest.raises(ConfigurationError, match=r"Timed.Freeing.frees_unique on Permit: it can't hold an operand"):
        Permit.count()


def test_a_condition_that_no_index_can_hold_is_refused_on_sqlite():
    class Odd(Mixin):
        class Freeing(BackendExtension):
            def frees_unique(self):
                return Q(note__regex="^gone")

    class Note(Odd, Model):
        id: str = Field(primary_key=True)
        note: str = ""
        slug: str | None = Field(None, unique=True)

    Note.bind(SQLiteBackend(":memory:"))
    with pytest.raises(UnsupportedOperationError, match="Note: SQLite can't have an index of the rows where"):
        Note.count()
