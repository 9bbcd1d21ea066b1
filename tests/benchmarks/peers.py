"""peewee and SQLAlchemy's ORM against the same floor as mixstore, so that its ratios can be read beside others'.

Each stores the same ten attributes in a file of its own with an index on `city`, in WAL mode, as durable as the floor.
They validate nothing, and their datetimes are naive, which spares them work. One that is not installed is left out.
"""

from __future__ import annotations

import decimal
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from measuring import Line
from people import Row, rows
from sqlite import BATCH, ROUNDS, SIZES, SYNCHRONOUS, Bench, Store, stores

SIZE = SIZES[0]


def measure(rounds: int = ROUNDS) -> Iterator[Line | str]:
    """The lines of the libraries that are installed; a text for each that is not."""
    makers: dict[str, Callable[[Path], Store]] = {"peewee": Peewee, "sqlalchemy": SQLAlchemy}
    for name in list(makers):
        if importlib.util.find_spec(name) is None:
            del makers[name]
            yield f"{name} is not installed and left out; pip install 'mixstore[bench]' brings it"
    if not makers:
        return
    with stores(SIZE) as (folder, floor, _), ExitStack() as stack:
        rivals = [stack.enter_context(closing(make(folder / f"{name}.db"))) for name, make in makers.items()]
        for one in rivals:
            one.batch(rows(SIZE))
        bench = Bench("peers", SIZE, floor, rivals, rounds, {})
        yield from bench.reads()
        yield from bench.writes(BATCH)
        yield from bench.batch_of_models()


def _naive(data: Row) -> Row:
    """The row with its datetime as these libraries keep it in SQLite."""
    return {**data, "seen": data["seen"].replace(tzinfo=None)}


class Peewee:
    """peewee in autocommit mode, writing only the fields that changed."""

    def __init__(self, path: Path) -> None:
        peewee = importlib.import_module("peewee")
        self.name = f"peewee {peewee.__version__}"
        self.db = peewee.SqliteDatabase(str(path), pragmas={"journal_mode": "wal", "synchronous": SYNCHRONOUS})
        self.model = _peewee_model(peewee, self.db)
        self.db.create_tables([self.model])

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    def insert(self, some: list[Row]) -> None:
        """`U.create(**data)`."""
        for data in some:
            self.model.create(**_naive(data))

    def batch(self, some: list[Row]) -> list[Any]:
        """`U.bulk_create()` of instances, by thousands, in one transaction."""
        people = [self.model(**_naive(data)) for data in some]
        with self.db.atomic():
            self.model.bulk_create(people, batch_size=1_000)
        return people

    def get(self, keys: list[str]) -> None:
        """`U.get_by_id(id)`."""
        for key in keys:
            self.model.get_by_id(key)

    def query(self, cities: list[str]) -> None:
        """`list(U.select().where(...))`."""
        model = self.model
        for city in cities:
            assert len(list(model.select().where(model.city == city))) == 100

    def update(self, keys: list[str]) -> None:
        """Get, assign one field, save."""
        for key in keys:
            one = self.model.get_by_id(key)
            one.age += 1
            one.save()


def _peewee_model(peewee: Any, db: Any) -> Any:
    class Person(peewee.Model):  # type: ignore[misc]
        id = peewee.CharField(primary_key=True)
        city = peewee.CharField(index=True)
        name = peewee.CharField()
        age = peewee.IntegerField()
        score = peewee.FloatField()
        active = peewee.BooleanField()
        seen = peewee.DateTimeField()
        born = peewee.DateField()
        balance = peewee.DecimalField(max_digits=20, decimal_places=2)
        nickname = peewee.CharField(null=True)

        class Meta:
            database = db
            only_save_dirty = True

    return Person


class SQLAlchemy:
    """SQLAlchemy's ORM, a session for each operation, as for each request of a service."""

    def __init__(self, path: Path) -> None:
        sql = importlib.import_module("sqlalchemy")
        orm = importlib.import_module("sqlalchemy.orm")
        self.name = f"SQLAlchemy {sql.__version__}"
        self.select, self.session = sql.select, orm.Session
        self.engine = sql.create_engine(f"sqlite:///{path}")

        @sql.event.listens_for(self.engine, "connect")  # type: ignore[untyped-decorator]
        def set_up(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")

        self.model = _sqlalchemy_model(sql, orm)
        self.model.metadata.create_all(self.engine)

    def close(self) -> None:
        """Close the connections of the pool."""
        self.engine.dispose()

    def insert(self, some: list[Row]) -> None:
        """`session.add()` and commit, a session each."""
        for data in some:
            with self.session(self.engine) as session:
                session.add(self.model(**_naive(data)))
                session.commit()

    def batch(self, some: list[Row]) -> list[Any]:
        """`session.add_all()` of instances, one commit."""
        people = [self.model(**_naive(data)) for data in some]
        with self.session(self.engine, expire_on_commit=False) as session:
            session.add_all(people)
            session.commit()
        return people

    def get(self, keys: list[str]) -> None:
        """`session.get()`, a session each."""
        for key in keys:
            with self.session(self.engine) as session:
                session.get(self.model, key)

    def query(self, cities: list[str]) -> None:
        """`session.scalars(select(U).where(...)).all()`."""
        model = self.model
        for city in cities:
            with self.session(self.engine) as session:
                assert len(session.scalars(self.select(model).where(model.city == city)).all()) == 100

    def update(self, keys: list[str]) -> None:
        """Get, assign one field, commit."""
        for key in keys:
            with self.session(self.engine) as session:
                one = session.get(self.model, key)
                one.age += 1
                session.commit()


def _sqlalchemy_model(sql: Any, orm: Any) -> Any:
    class Decimal(sql.TypeDecorator):  # type: ignore[misc]
        """Decimal as text; its own Numeric goes through float on SQLite, and warns."""

        impl = sql.String
        cache_ok = True

        def process_bind_param(self, value: Any, dialect: Any) -> Any:
            return str(value)

        def process_result_value(self, value: Any, dialect: Any) -> Any:
            return decimal.Decimal(value)

    class Person(orm.declarative_base()):  # type: ignore[misc]
        __tablename__ = "person"
        id = orm.mapped_column(sql.String, primary_key=True)
        city = orm.mapped_column(sql.String, nullable=False, index=True)
        name = orm.mapped_column(sql.String, nullable=False)
        age = orm.mapped_column(sql.Integer, nullable=False)
        score = orm.mapped_column(sql.Float, nullable=False)
        active = orm.mapped_column(sql.Boolean, nullable=False)
        seen = orm.mapped_column(sql.DateTime, nullable=False)
        born = orm.mapped_column(sql.Date, nullable=False)
        balance = orm.mapped_column(Decimal, nullable=False)
        nickname = orm.mapped_column(sql.String)

    return Person
