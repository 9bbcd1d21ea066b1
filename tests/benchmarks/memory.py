"""The memory backend against "a pydantic model and a plain dict"."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from measuring import Line, Side, compare
from people import KeptPerson, Person, PlainPerson, PlainTaggedPerson, Row, TaggedPerson, rows, tagged
from pydantic import BaseModel

from mixstore import Model
from mixstore_backends.memory import InMemoryBackend

SIZES = (1_000, 10_000, 100_000)
OPERATIONS = 1_000
ROUNDS = 21
TARGETS = {"create": 1.5, "get": 1.5, "update": 3.0, "delete": 2.0, "query": 0.1}

Check = Callable[[], None]


class Floor:
    """By hand: the dict keeps what `model_dump()` gives, and every read is a new, validated instance."""

    def __init__(self, model: type[BaseModel], some: list[Row]) -> None:
        self.model = model
        self.store: dict[str, Row] = {one["id"]: model(**one).model_dump() for one in some}

    def create(self, some: list[Row]) -> None:
        """`U(**data)`, and its dump into the dict."""
        model, store = self.model, self.store
        for data in some:
            one: Any = model(**data)
            store[one.id] = one.model_dump()

    def get(self, keys: list[str]) -> None:
        """`U(**store[id])`."""
        model, store = self.model, self.store
        for key in keys:
            model(**store[key])

    def update(self, keys: list[str]) -> None:
        """Get, assign one field, dump it back."""
        model, store = self.model, self.store
        for key in keys:
            one: Any = model(**store[key])
            one.age += 1
            store[one.id] = one.model_dump()

    def delete(self, keys: list[str]) -> None:
        """Get, then `del`."""
        model, store = self.model, self.store
        for key in keys:
            one: Any = model(**store[key])
            del store[one.id]

    def remove(self, keys: list[str]) -> None:
        """Untimed: take rows away again."""
        for key in keys:
            del self.store[key]

    def query(self, cities: list[str]) -> None:
        """Scan the dict; its own rows, neither copied nor validated."""
        for city in cities:
            found = [data for data in self.store.values() if data["city"] == city]
            assert len(found) == 100


class Mixstore:
    """The same work by the face of the model."""

    def __init__(self, model: type[Model], some: list[Row]) -> None:
        self.model: Any = model
        model.bind(InMemoryBackend())
        model.batch_create(some)

    def create(self, some: list[Row]) -> None:
        """`U.create(**data)`."""
        model = self.model
        for data in some:
            model.create(**data)

    def get(self, keys: list[str]) -> None:
        """`U.get(id)`."""
        model = self.model
        for key in keys:
            model.get(key)

    def update(self, keys: list[str]) -> None:
        """Get, assign one field, save."""
        model = self.model
        for key in keys:
            one = model.get(key)
            one.age += 1
            one.save()

    def delete(self, keys: list[str]) -> None:
        """Get, then delete."""
        model = self.model
        for key in keys:
            model.get(key).delete()

    remove = delete

    def query(self, cities: list[str]) -> None:
        """By the index, to instances."""
        model = self.model
        for city in cities:
            found = model.where(city=city).all()
            assert len(found) == 100


def measure(rounds: int = ROUNDS) -> Iterator[Line]:
    """Every line of the group, as it is measured."""
    for size in SIZES:
        stored, new = rows(size), rows(OPERATIONS, start=size)
        floor, ours = Floor(PlainPerson, stored), Mixstore(Person, stored)
        yield from _verbs("memory", f"{size:,}", floor, ours, stored, new, rounds, TARGETS)
        if size == SIZES[-1]:
            yield from _query(floor, ours, rounds)
    yield from _variants(rounds)


def _variants(rounds: int) -> Iterator[Line]:
    """What a list and what three extensions cost; these lines have no target."""
    size = 10_000
    stored, new = rows(size), rows(OPERATIONS, start=size)
    kept = Floor(PlainPerson, stored), Mixstore(KeptPerson, stored)
    yield from _verbs("memory, TTL + Versioned + Timestamps", f"{size:,}", *kept, stored, new, rounds, {})
    stored, new = tagged(stored), tagged(new)
    listed = Floor(PlainTaggedPerson, stored), Mixstore(TaggedPerson, stored)
    yield from _verbs("memory, with a list[str]", f"{size:,}", *listed, stored, new, rounds, {})


def _verbs(
    group: str,
    size: str,
    floor: Floor,
    ours: Mixstore,
    stored: list[Row],
    new: list[Row],
    rounds: int,
    targets: dict[str, float],
) -> Iterator[Line]:
    keys = [one["id"] for one in random.Random(7).sample(stored, OPERATIONS)]
    new_keys = [one["id"] for one in new]
    sides: dict[str, Callable[[Any], Side]] = {
        "create": lambda it: Side("mixstore", it.create, prepare=lambda: new, restore=lambda: it.remove(new_keys)),
        "get": lambda it: Side("mixstore", it.get, prepare=lambda: keys),
        "update": lambda it: Side("mixstore", it.update, prepare=lambda: keys),
        "delete": lambda it: Side("mixstore", it.delete, prepare=lambda: (it.create(new), new_keys)[1]),
    }
    for verb, side in sides.items():
        yield from compare(
            group,
            f"{verb}, {size} records",
            side(floor),
            [side(ours)],
            operations=OPERATIONS,
            rounds=rounds,
            target=targets.get(verb),
        )


def _query(floor: Floor, ours: Mixstore, rounds: int) -> Iterator[Line]:
    cities = ["city-7", "city-500", "city-999"]
    yield from compare(
        "memory",
        "indexed equality, 100 of 100,000 records",
        Side("scan", floor.query, prepare=lambda: cities),
        [Side("mixstore", ours.query, prepare=lambda: cities)],
        operations=len(cities),
        rounds=rounds,
        target=TARGETS["query"],
    )
