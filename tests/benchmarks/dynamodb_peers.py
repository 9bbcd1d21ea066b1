"""PynamoDB and pydynox against the same floor as mixstore, each on a server that answers what it would have stored.

They validate nothing; one that is not installed is left out.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from dynamodb import REGION, ROUNDS, TABLE, Item, answering, hundred, item_of, lines, native
from measuring import Line
from people import Row


def measure(rounds: int = ROUNDS) -> Iterator[Line | str]:
    """The lines of the libraries that are installed; a text for each that is not."""
    makers: dict[str, Callable[[str], Any]] = {"pynamodb": PynamoDB, "pydynox": Pydynox}
    for name, make in makers.items():
        if importlib.util.find_spec(name) is None:
            yield f"{name} is not installed and left out; pip install 'mixstore[bench]' brings it"
            continue
        with answering([_its_own(item_of(one), one, name) for one in hundred()]) as endpoint:
            floor, _ = native(endpoint)
            yield from lines("dynamodb-peers", floor, [make(endpoint)], rounds, {})


def _its_own(item: Item, one: Row, name: str) -> Item:
    """The item with its datetime as the library writes it."""
    form = "%Y-%m-%dT%H:%M:%S.%f+0000" if name == "pynamodb" else "%Y-%m-%dT%H:%M:%S+00:00"
    return {**item, "seen": {"S": one["seen"].strftime(form)}}


def _plain(one: Row) -> Row:
    """The row with the date as text and the decimal as a float, for which they have nothing better."""
    return {**one, "born": one["born"].isoformat(), "balance": float(one["balance"])}


class PynamoDB:
    """PynamoDB's models."""

    def __init__(self, endpoint: str) -> None:
        pynamodb = importlib.import_module("pynamodb")
        self.name = f"PynamoDB {pynamodb.__version__}"
        of = importlib.import_module("pynamodb.attributes")
        models = importlib.import_module("pynamodb.models")

        class Person(models.Model):  # type: ignore[misc,name-defined]
            class Meta:
                table_name = TABLE
                host = endpoint
                region = REGION
                aws_access_key_id = "testing"
                aws_secret_access_key = "testing"

            city = of.UnicodeAttribute(hash_key=True)
            id = of.UnicodeAttribute(range_key=True)
            name = of.UnicodeAttribute()
            age = of.NumberAttribute()
            score = of.NumberAttribute()
            active = of.BooleanAttribute()
            seen = of.UTCDateTimeAttribute()
            born = of.UnicodeAttribute()
            balance = of.NumberAttribute()
            nickname = of.UnicodeAttribute(null=True)

        self.model = Person

    def put(self, some: list[Row]) -> None:
        """`U(**data).save()`."""
        for one in some:
            self.model(**_plain(one)).save()

    def get(self, some: list[Row]) -> None:
        """`U.get(city, id)`."""
        for one in some:
            self.model.get(one["city"], one["id"], consistent_read=True)

    def query(self, cities: list[str]) -> None:
        """`list(U.query(city))`."""
        for city in cities:
            assert len(list(self.model.query(city, consistent_read=True))) == 100

    def batch_get(self, some: list[list[Row]]) -> None:
        """`list(U.batch_get(keys))`."""
        for rows in some:
            assert len(list(self.model.batch_get([(one["city"], one["id"]) for one in rows]))) == 100

    def batch(self, some: list[list[Row]]) -> None:
        """`with U.batch_write()`, saving instances."""
        for rows in some:
            with self.model.batch_write() as batch:
                for one in rows:
                    batch.save(self.model(**_plain(one)))


class Pydynox:
    """pydynox's models, whose core is in Rust."""

    def __init__(self, endpoint: str) -> None:
        pydynox = importlib.import_module("pydynox")
        self.name = f"pydynox {pydynox.__version__}"
        of = importlib.import_module("pydynox.attributes")
        self.writer = pydynox.SyncBatchWriter
        keys = {"access_key": "testing", "secret_key": "testing"}
        self.client = client = pydynox.DynamoDBClient(region=REGION, endpoint_url=endpoint, **keys)

        class Person(pydynox.Model):  # type: ignore[misc,name-defined]
            model_config = pydynox.ModelConfig(table=TABLE, client=client)
            city = of.StringAttribute(partition_key=True)
            id = of.StringAttribute(sort_key=True)
            name = of.StringAttribute()
            age = of.NumberAttribute()
            score = of.NumberAttribute()
            active = of.BooleanAttribute()
            seen = of.DatetimeAttribute()
            born = of.StringAttribute()
            balance = of.NumberAttribute()
            nickname = of.StringAttribute()

        self.model = Person

    def put(self, some: list[Row]) -> None:
        """`U(**data).sync_save()`."""
        for one in some:
            self.model(**_plain(one)).sync_save()

    def get(self, some: list[Row]) -> None:
        """`U.sync_get(city=..., id=...)`."""
        for one in some:
            assert self.model.sync_get(city=one["city"], id=one["id"])

    def query(self, cities: list[str]) -> None:
        """`list(U.sync_query(city))`."""
        for city in cities:
            assert len(list(self.model.sync_query(partition_key=city))) == 100

    def batch_get(self, some: list[list[Row]]) -> None:
        """`U.sync_batch_get(keys)`."""
        for rows in some:
            keys = [{"city": one["city"], "id": one["id"]} for one in rows]
            assert len(list(self.model.sync_batch_get(keys))) == 100

    def batch(self, some: list[list[Row]]) -> None:
        """`SyncBatchWriter.put()` of the items of instances."""
        for rows in some:
            with self.writer(self.client, TABLE) as batch:
                for one in rows:
                    batch.put(self.model(**_plain(one)).to_dict())
