"""The DynamoDB backend against the low-level client of botocore, with requests and items written by hand.

Both talk to a server on loopback that answers with bytes which are ready; only the CPU time of this process counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from botocore.session import Session
from measuring import Line, Side, compare
from people import Row, row
from stub import serving

from mixstore import Field, Model
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend

TABLE = "people"
CITY = "city-1"
REGION = "eu-west-1"
OPERATIONS = 60
"""Of put and get."""
HUNDREDS = 20
"""Of those with many rows. The first after a collection fetches memory again that was given back, on both sides."""
ROUNDS = 15
TARGETS = {"put": 1.0, "create": 1.0, "get": 1.0, "query": 0.30, "batch_get": 0.27, "batch_25": 0.35, "batch_100": 0.35}
OPERATION_NAMES = {
    "put": "put: upsert of a row",
    "create": "put, if it is not there: create",
    "get": "get by key",
    "query": "query for 100 rows",
    "batch_get": "batch_get of 100 rows",
    "batch_25": "batch_upsert of 25 rows",
    "batch_100": "batch_upsert of 100 rows",
}
Item = dict[str, Any]


class NativePerson(Model):
    """In a table of its own, with its two key fields as its key: ten attributes, as the floor has them."""

    city: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    name: str
    age: int
    score: float
    active: bool
    seen: datetime
    born: date
    balance: Decimal
    nickname: str | None = None


class SharedPerson(NativePerson):
    """In one table with other models: its key is told in two attributes more, and its entity in another."""


class Store(Protocol):
    """What every side can do; each call is as many operations as there are things given, one after the other."""

    name: str

    def put(self, some: list[Row]) -> object:
        """Store each row, whatever is there."""

    def create(self, some: list[Row]) -> object:
        """Store each row, if there is none of its key."""

    def get(self, some: list[Row]) -> object:
        """Read each row by its key."""

    def query(self, cities: list[str]) -> object:
        """Read the hundred rows of each city."""

    def batch_get(self, some: list[list[Row]]) -> object:
        """Read the hundred rows of each list by their keys, in one request a list."""

    def batch(self, some: list[list[Row]]) -> object:
        """Store the rows of each list, 25 a request."""


def item_of(one: Row) -> Item:
    """A row as the floor writes it, with each value in the form in which mixstore stores it."""
    item: Item = {
        "city": {"S": one["city"]},
        "id": {"S": one["id"]},
        "name": {"S": one["name"]},
        "age": {"N": str(one["age"])},
        "score": {"N": repr(one["score"])},
        "active": {"BOOL": one["active"]},
        "seen": {"S": one["seen"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
        "born": {"S": one["born"].isoformat()},
        "balance": {"N": str(one["balance"])},
    }
    return item if one["nickname"] is None else {**item, "nickname": {"S": one["nickname"]}}


def in_one_table(one: Row) -> Item:
    """The same with the attributes that a table for all models has."""
    pk, sk = f"SHAREDPERSON#{one['city']}", f"ID#{one['id']}"
    key = {"pk": {"S": pk}, "sk": {"S": sk}, "entity_type": {"S": "SharedPerson"}}
    return {**key, **item_of(one)}


class Floor:
    """botocore's client as it comes; items go in and come out as DynamoDB has them, made off the clock."""

    name = "botocore"

    def __init__(self, endpoint: str, key: Sequence[str], item: Any = item_of) -> None:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.client = Session().create_client("dynamodb", REGION, endpoint_url=endpoint, **keys)
        self.key_names = key
        self.item = item

    def key(self, one: Row) -> Item:
        """The key of a row."""
        item = self.item(one)
        return {name: item[name] for name in self.key_names}

    def put(self, some: list[Item]) -> None:
        """`put_item`."""
        for item in some:
            self.client.put_item(TableName=TABLE, Item=item)

    def create(self, some: list[Item]) -> None:
        """`put_item` with a condition."""
        for item in some:
            self.client.put_item(
                TableName=TABLE,
                Item=item,
                ConditionExpression="attribute_not_exists(#0)",
                ExpressionAttributeNames={"#0": self.key_names[0]},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )

    def get(self, keys: list[Item]) -> None:
        """`get_item`, to an item."""
        for key in keys:
            assert self.client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]

    def query(self, cities: list[str]) -> None:
        """`query`, to a hundred items."""
        for city in cities:
            answer = self.client.query(
                TableName=TABLE,
                KeyConditionExpression="#0 = :0",
                ExpressionAttributeNames={"#0": self.key_names[0]},
                ExpressionAttributeValues={":0": {"S": city}},
                ConsistentRead=True,
            )
            assert len(answer["Items"]) == 100

    def batch_get(self, some: list[list[Item]]) -> None:
        """`batch_get_item`, to a hundred items."""
        for keys in some:
            answer = self.client.batch_get_item(RequestItems={TABLE: {"Keys": keys, "ConsistentRead": True}})
            assert len(answer["Responses"][TABLE]) == 100

    def batch(self, some: list[list[Item]]) -> None:
        """`batch_write_item` of 25 items each."""
        for items in some:
            for start in range(0, len(items), 25):
                puts = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
                assert not self.client.batch_write_item(RequestItems={TABLE: puts})["UnprocessedItems"]


class Mixstore:
    """The same work by the face of the model: dicts go in, instances come out."""

    name = "mixstore"

    def __init__(self, endpoint: str, model: Any, adapter: DynamoDBAdapter) -> None:
        keys = Session()
        keys.set_credentials("testing", "testing")
        self.model = model
        self.backend = DynamoDBBackend(TABLE, adapter, session=keys, region_name=REGION, endpoint_url=endpoint)
        model.bind(self.backend)

    def put(self, some: list[Row]) -> None:
        """`U.upsert(**data)`."""
        for data in some:
            self.model.upsert(**data)

    def create(self, some: list[Row]) -> None:
        """`U.create(**data)`."""
        for data in some:
            self.model.create(**data)

    def get(self, some: list[Row]) -> None:
        """`U.get(city=..., id=...)`."""
        for one in some:
            assert self.model.get(city=one["city"], id=one["id"])

    def query(self, cities: list[str]) -> None:
        """`U.where(city=...).all()`."""
        for city in cities:
            assert len(self.model.where(city=city).all()) == 100

    def batch_get(self, some: list[list[Row]]) -> None:
        """`U.batch_get(keys)`."""
        for rows in some:
            assert all(self.model.batch_get([(one["city"], one["id"]) for one in rows]))

    def batch(self, some: list[list[Row]]) -> None:
        """`U.batch_upsert(rows)`."""
        for rows in some:
            self.model.batch_upsert(rows)


@contextmanager
def answering(items: Sequence[Item]) -> Iterator[str]:
    """The address of a server that has these items for whoever reads, and takes whatever is written."""
    ready = {
        "PutItem": {},
        "GetItem": {"Item": items[0]},
        "Query": {"Items": items, "Count": len(items), "ScannedCount": len(items)},
        "BatchGetItem": {"Responses": {TABLE: items}, "UnprocessedKeys": {}},
        "BatchWriteItem": {"UnprocessedItems": {}},
        "DescribeTable": {"Table": {"TableName": TABLE, "TableStatus": "ACTIVE"}},
    }
    with serving(ready) as port:
        yield f"http://127.0.0.1:{port}"


def hundred() -> list[Row]:
    """The rows of a city, in the order of their keys."""
    return [row(number, CITY) for number in range(100)]


def lines(
    group: str, floor: Floor, rivals: Sequence[Any], rounds: int, targets: Mapping[str, float] = TARGETS
) -> Iterator[Line]:
    """Every operation of the floor against those of its rivals that have it."""
    some = hundred()
    few, many = some[:OPERATIONS], [some] * HUNDREDS
    work: dict[str, tuple[str, Any, Any, int]] = {
        "put": ("put", [floor.item(one) for one in few], few, OPERATIONS),
        "create": ("create", [floor.item(one) for one in few], few, OPERATIONS),
        "get": ("get", [floor.key(one) for one in few], few, OPERATIONS),
        "query": ("query", [CITY] * HUNDREDS, [CITY] * HUNDREDS, HUNDREDS),
        "batch_get": ("batch_get", [[floor.key(one) for one in some]] * HUNDREDS, many, HUNDREDS),
        "batch_25": ("batch", [[floor.item(one) for one in some[:25]]] * HUNDREDS, [some[:25]] * HUNDREDS, HUNDREDS),
        "batch_100": ("batch", [[floor.item(one) for one in some]] * HUNDREDS, many, HUNDREDS),
    }
    for told, (verb, by_hand, asked, operations) in work.items():
        able = [one for one in rivals if hasattr(one, verb)]
        sides = [Side(one.name, getattr(one, verb), prepare=lambda given=asked: given) for one in able]
        base = Side(floor.name, getattr(floor, verb), prepare=lambda given=by_hand: given)
        if sides:
            yield from compare(
                group,
                OPERATION_NAMES[told],
                base,
                sides,
                operations=operations,
                rounds=rounds,
                target=targets.get(told),
            )


def native(endpoint: str) -> tuple[Floor, Mixstore]:
    """The floor and mixstore on a table for one model."""
    adapter = DynamoDBAdapter(single_table=False)
    return Floor(endpoint, ("city", "id")), Mixstore(endpoint, NativePerson, adapter)


def measure(rounds: int = ROUNDS) -> Iterator[Line]:
    """Every line of the group, as it is measured."""
    with answering([item_of(one) for one in hundred()]) as endpoint:
        floor, ours = native(endpoint)
        yield from lines("dynamodb", floor, [ours], rounds)
    with answering([in_one_table(one) for one in hundred()]) as endpoint:
        shared = Mixstore(endpoint, SharedPerson, DynamoDBAdapter())
        yield from lines(
            "dynamodb, one table for all models", Floor(endpoint, ("pk", "sk"), in_one_table), [shared], rounds, {}
        )
