"""The SQLite backend against `sqlite3` by hand: one WAL file each, the same table, the same durability."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from measuring import Line, Side, compare
from people import KeptPerson, Person, PlainPerson, Row, row, rows

from mixstore import Model
from mixstore_backends.sqlite import SQLiteBackend

SIZES = (10_000, 100_000)
OPERATIONS = 500
BATCH = 10_000
QUERIES = 20
ROUNDS = 15
SYNCHRONOUS = "full"
"""On both sides: each commit waits for the disk, which is mixstore's default."""
TARGETS = {"insert": 1.5, "batch": 1.3, "get": 2.5, "query": 3.5, "update": 3.0, "save": 3.0}
COLUMNS = tuple(PlainPerson.model_fields)


class Store(Protocol):
    """What every side can do; each call is many operations, one after the other."""

    name: str

    def insert(self, some: list[Row]) -> object:
        """Store each row in a transaction of its own."""

    def batch(self, some: list[Row]) -> object:
        """Store all rows in one transaction."""

    def get(self, keys: list[str]) -> object:
        """Read each row by its key."""

    def query(self, cities: list[str]) -> object:
        """Read the hundred rows of each city, by the index."""

    def update(self, keys: list[str]) -> object:
        """Read each row, change its age, store that."""

    def close(self) -> None:
        """Give the file back."""


def as_tuple(one: Any) -> tuple[Any, ...]:
    """A model by hand as parameters: each type in the form that SQLite can hold, and nothing looked at twice."""
    seen, born, balance = one.seen.isoformat(timespec="microseconds"), one.born.isoformat(), str(one.balance)
    return (one.id, one.city, one.name, one.age, one.score, one.active, seen, born, balance, one.nickname)


class Floor:
    """`sqlite3` by hand, in autocommit mode. It knows no model: tuples go in, tuples come out."""

    name = "sqlite3"

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
        for statement in schema:
            self.db.execute(statement)
        names = ", ".join(COLUMNS)
        self.insert_sql = f"INSERT INTO Person ({names}) VALUES ({', '.join('?' * len(COLUMNS))})"
        self.get_sql = f"SELECT {names} FROM Person WHERE id = ?"
        self.query_sql = f"SELECT {names} FROM Person WHERE city = ?"

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    def tuples(self, some: list[Row]) -> list[tuple[Any, ...]]:
        """Ready-made parameters; made off the clock."""
        return [as_tuple(PlainPerson(**data)) for data in some]

    def insert(self, some: list[tuple[Any, ...]]) -> None:
        """One INSERT a row, of a ready-made tuple."""
        execute, sql = self.db.execute, self.insert_sql
        for values in some:
            execute(sql, values)

    def batch(self, some: list[tuple[Any, ...]]) -> None:
        """One `executemany` of ready-made tuples in one transaction."""
        self.db.execute("BEGIN")
        self.db.executemany(self.insert_sql, some)
        self.db.execute("COMMIT")

    def batch_of_models(self, some: list[Row]) -> list[Any]:
        """The same from dicts: a pydantic model of each, then a tuple; returns the models, as `batch_create` does."""
        models = [PlainPerson(**data) for data in some]
        self.db.execute("BEGIN")
        self.db.executemany(self.insert_sql, map(as_tuple, models))
        self.db.execute("COMMIT")
        return models

    def get(self, keys: list[str]) -> None:
        """One SELECT, to a tuple."""
        execute, sql = self.db.execute, self.get_sql
        for key in keys:
            execute(sql, (key,)).fetchone()

    def query(self, cities: list[str]) -> None:
        """One SELECT, to a list of a hundred tuples."""
        execute, sql = self.db.execute, self.query_sql
        for city in cities:
            assert len(execute(sql, (city,)).fetchall()) == 100

    def update(self, keys: list[str]) -> None:
        """One SELECT to a tuple, one UPDATE of one column."""
        execute, sql = self.db.execute, self.get_sql
        for key in keys:
            values = execute(sql, (key,)).fetchone()
            execute("UPDATE Person SET age = ? WHERE id = ?", (values[3] + 1, key))

    def save(self, changes: list[tuple[int, str]]) -> None:
        """One UPDATE of one column, of a row that is not read first."""
        execute = self.db.execute
        for change in changes:
            execute("UPDATE Person SET age = ? WHERE id = ?", change)


class Mixstore:
    """The same work by the face of the model: dicts go in, instances come out."""

    name = "mixstore"

    def __init__(self, path: Path, model: type[Model]) -> None:
        self.model: Any = model
        self.backend = SQLiteBackend(path, synchronous=SYNCHRONOUS)
        model.bind(self.backend)
        self.backend.initialize(model)

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()

    def insert(self, some: list[Row]) -> None:
        """`U.create(**data)`."""
        create = self.model.create
        for data in some:
            create(**data)

    def batch(self, some: list[Row]) -> Any:
        """`U.batch_create(rows)`."""
        return self.model.batch_create(some)

    def get(self, keys: list[str]) -> None:
        """`U.get(id)`."""
        get = self.model.get
        for key in keys:
            get(key)

    def query(self, cities: list[str]) -> None:
        """`U.where(city=...).all()`."""
        where = self.model.where
        for city in cities:
            assert len(where(city=city).all()) == 100

    def update(self, keys: list[str]) -> None:
        """Get, assign one field, save."""
        get = self.model.get
        for key in keys:
            one = get(key)
            one.age += 1
            one.save()

    def loaded(self, keys: list[str]) -> list[Any]:
        """Instances to save; read off the clock."""
        return [self.model.get(key) for key in keys]

    def save(self, some: list[Any]) -> None:
        """Assign one field, save."""
        for one in some:
            one.age += 1
            one.save()


class NewRows:
    """Rows that nobody has stored yet: each round the next ones, so that all sides grow alike."""

    def __init__(self, start: int, count: int, convert: Callable[[list[Row]], Any] = list) -> None:
        self.next = start
        self.count = count
        self.convert = convert

    def __call__(self) -> Any:
        first, self.next = self.next, self.next + self.count
        return self.convert([row(number, f"new-{number % 1000}") for number in range(first, self.next)])


@contextmanager
def stores(size: int) -> Iterator[tuple[Path, Floor, Mixstore]]:
    """A temporary folder, and in it the floor and mixstore with so many rows, in the table that mixstore made."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        ours = stack.enter_context(closing(Mixstore(folder / "mixstore.db", Person)))
        with closing(sqlite3.connect(folder / "mixstore.db")) as found:
            schema = [
                sql
                for (sql,) in found.execute(
                    "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name = 'Person' ORDER BY type DESC"
                )
            ]
        floor = stack.enter_context(closing(Floor(folder / "floor.db", schema)))
        some = rows(size)
        ours.batch(some)
        floor.batch(floor.tuples(some))
        yield folder, floor, ours


def measure(rounds: int = ROUNDS) -> Iterator[Line]:
    """Every line of the group, as it is measured."""
    for size in SIZES:
        with stores(size) as (_, floor, ours):
            bench = Bench("sqlite", size, floor, [ours], rounds, TARGETS)
            yield from bench.reads()
            yield from bench.saves(floor, ours)
            yield from bench.writes(BATCH)
            if size == SIZES[0]:
                yield from bench.batch_of_models()
    size = SIZES[0]
    with stores(size) as (folder, floor, _), closing(Mixstore(folder / "kept.db", KeptPerson)) as kept:
        kept.batch(rows(size))
        bench = Bench("sqlite, TTL + Versioned + Timestamps", size, floor, [kept], rounds, {})
        yield from bench.reads()
        yield from bench.writes(OPERATIONS)


@dataclass(frozen=True, slots=True)
class Bench:
    """The lines of one group on tables of one size."""

    group: str
    size: int
    floor: Floor
    rivals: Sequence[Store]
    rounds: int
    targets: Mapping[str, float]

    def reads(self) -> Iterator[Line]:
        """get, query and update: whatever leaves the number of rows as it is."""
        chosen = random.Random(7)
        keys = [f"person-{number:07d}" for number in chosen.sample(range(self.size), OPERATIONS)]
        cities = [f"city-{number}" for number in chosen.sample(range(self.size // 100), QUERIES)]
        yield from self._compare("get", "get by key", keys)
        yield from self._compare("query", "indexed query for 100 rows", cities)
        yield from self._compare("update", "update: get, change one field, store", keys)

    def _compare(self, verb: str, told: str, work: list[str]) -> Iterator[Line]:
        everyone: list[Any] = [self.floor, *self.rivals]
        sides = [Side(one.name, getattr(one, verb), prepare=lambda: work) for one in everyone]
        yield from self._lines(verb, told, sides, len(work))

    def writes(self, batch: int) -> Iterator[Line]:
        """insert and batch: each round new rows, none of them taken away again."""
        for verb, told, count, start in (
            ("insert", "insert, one transaction each", OPERATIONS, 1_000_000),
            ("batch", f"batch of {batch:,}, a row; floor: ready-made tuples", batch, 2_000_000),
        ):
            floor = Side(self.floor.name, getattr(self.floor, verb), NewRows(start, count, self.floor.tuples))
            rivals = [Side(one.name, getattr(one, verb), NewRows(start, count)) for one in self.rivals]
            yield from self._lines(verb, told, [floor, *rivals], count)

    def saves(self, floor: Floor, ours: Mixstore) -> Iterator[Line]:
        """What is left of an update when the instance is there."""
        keys = [f"person-{number:07d}" for number in random.Random(8).sample(range(self.size), OPERATIONS)]
        ages = itertools.count(1_000)  # SQLite writes nothing when the value is the one that is there
        sides = [
            Side(floor.name, floor.save, prepare=lambda: [(next(ages), key) for key in keys]),
            Side(ours.name, ours.save, prepare=lambda: ours.loaded(keys)),
        ]
        yield from self._lines("save", "update: save() of a loaded instance, one UPDATE", sides, OPERATIONS)

    def batch_of_models(self) -> Iterator[Line]:
        """The batch against a floor that makes models and tuples of the same dicts."""
        told = f"batch of {BATCH:,}, a row; floor: pydantic model and tuple of each dict"
        floor = Side(self.floor.name, self.floor.batch_of_models, NewRows(5_000_000, BATCH))
        rivals = [Side(one.name, one.batch, NewRows(5_000_000, BATCH)) for one in self.rivals]
        yield from self._lines("batch", told, [floor, *rivals], BATCH)

    def _lines(self, verb: str, told: str, sides: Sequence[Side], operations: int) -> Iterator[Line]:
        yield from compare(
            self.group,
            f"{told}, {self.size:,} stored",
            sides[0],
            sides[1:],
            operations=operations,
            rounds=self.rounds,
            target=self.targets.get(verb),
        )
