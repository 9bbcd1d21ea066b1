"""The OpenSearch backend against opensearch-py, with bodies that are ready and dicts back.

All talk to a server on loopback that answers with bytes which are ready; only the CPU time of this process counts.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from measuring import Line, Side, compare
from opensearchpy import OpenSearch, helpers
from people import Person, PlainPerson, Row, row
from stub import serving

from mixstore_backends.opensearch import OpenSearchBackend

INDEX = "person"
CITY = "city-1"
OPERATIONS = 60
"""Of index and get."""
MANY = 1000
ROUNDS = 15
TARGETS = {"index": 1.0, "get": 1.1, "bulk": 3.3, "search": 1.35}
OPERATION_NAMES = {
    "index": "index one",
    "get": "get one",
    "bulk": f"bulk of {MANY:,} models",
    "bulk_rows": f"bulk of {MANY:,} rows that are to be models first",
    "search": "search of 100 hits",
}


def document(one: Row) -> dict[str, Any]:
    """A row as it is stored, by whomever."""
    return {
        **one,
        "seen": one["seen"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "born": one["born"].isoformat(),
        "balance": str(one["balance"]),
    }


def lines_of(documents: Sequence[dict[str, Any]]) -> str:
    """The body of a bulk."""
    lines = [({"index": {"_id": one["id"]}}, one) for one in documents]
    return "".join([json.dumps(part, separators=(",", ":")) + "\n" for pair in lines for part in pair])


class Floor:
    """opensearch-py as it comes."""

    name = "opensearch-py"

    def __init__(self, port: int) -> None:
        self.client = OpenSearch([{"host": "127.0.0.1", "port": port}])

    def index(self, documents: list[dict[str, Any]]) -> None:
        """`client.index` of a ready document."""
        for one in documents:
            self.client.index(index=INDEX, id=one["id"], body=one)

    def get(self, ids: list[str]) -> None:
        """`client.get`, to a dict."""
        for one in ids:
            assert self.client.get(index=INDEX, id=one)["_source"]

    def bulk(self, body: str) -> None:
        """`client.bulk` of ready lines."""
        assert not self.client.bulk(index=INDEX, body=body)["errors"]

    bulk_rows = bulk

    def search(self, bodies: list[dict[str, Any]]) -> None:
        """`client.search`, to a hundred hits."""
        for body in bodies:
            assert len(self.client.search(index=INDEX, body=body)["hits"]["hits"]) == 100


class Mixstore:
    """By the face of the model: dicts go in, instances come out."""

    name = "mixstore"

    def __init__(self, port: int) -> None:
        self.backend = OpenSearchBackend(hosts=[{"host": "127.0.0.1", "port": port}], refresh=False)
        Person.bind(self.backend)

    def index(self, some: list[Row]) -> None:
        """`U.upsert(**data)`."""
        for data in some:
            Person.upsert(**data)

    def get(self, ids: list[str]) -> None:
        """`U.get(id)`."""
        for one in ids:
            assert Person.get(one)

    def bulk(self, some: list[Row]) -> None:
        """`U.batch_upsert(instances)`."""
        Person.batch_upsert(some)

    bulk_rows = bulk

    def search(self, cities: list[str]) -> None:
        """`U.where(city=...).limit(100).all()`."""
        for city in cities:
            assert len(Person.where(city=city).limit(100).all()) == 100


class ByHand(Floor):
    """What one writes with opensearch-py and pydantic."""

    name = "opensearch-py and pydantic"

    def index(self, some: list[Row]) -> None:
        """`client.index` of `U(**data)`."""
        for data in some:
            self.client.index(index=INDEX, id=data["id"], body=PlainPerson(**data).model_dump(mode="json"))

    def get(self, ids: list[str]) -> None:
        """`client.get`, to a model."""
        for one in ids:
            PlainPerson(**self.client.get(index=INDEX, id=one)["_source"])

    def bulk(self, some: list[Any]) -> None:
        """`helpers.bulk` of models."""
        actions = ({"_index": INDEX, "_id": one.id, "_source": one.model_dump(mode="json")} for one in some)
        helpers.bulk(self.client, actions, chunk_size=MANY)

    def bulk_rows(self, some: list[Row]) -> None:
        """`helpers.bulk` of `U(**data)`."""
        self.bulk([PlainPerson(**data) for data in some])

    def search(self, cities: list[str]) -> None:
        """`client.search`, to a hundred models."""
        for city in cities:
            hits = self.client.search(index=INDEX, body=asking(city))["hits"]["hits"]
            assert len([PlainPerson(**hit["_source"]) for hit in hits]) == 100


class DSL:
    """opensearch-py's Document."""

    name = "opensearch-py, Document"

    def __init__(self, port: int) -> None:
        of = importlib.import_module("opensearchpy")
        self.client = OpenSearch([{"host": "127.0.0.1", "port": port}])

        class Person(of.Document):  # type: ignore[misc,name-defined]
            id = of.Keyword()
            city = of.Keyword()
            name = of.Keyword()
            age = of.Long()
            score = of.Double()
            active = of.Boolean()
            seen = of.Date()
            born = of.Date()
            balance = of.Keyword()
            nickname = of.Keyword()

            class Index:
                name = INDEX

        self.model = Person

    def _made(self, data: Row) -> Any:
        return self.model(meta={"id": data["id"]}, **{**data, "balance": str(data["balance"])})

    def index(self, some: list[Row]) -> None:
        """`U(**data).save()`."""
        for data in some:
            self._made(data).save(using=self.client)

    def get(self, ids: list[str]) -> None:
        """`U.get(id)`."""
        for one in ids:
            self.model.get(one, using=self.client)

    def bulk(self, some: list[Any]) -> None:
        """`helpers.bulk` of `to_dict(include_meta=True)`."""
        helpers.bulk(self.client, (one.to_dict(True) for one in some), chunk_size=MANY)

    def bulk_rows(self, some: list[Row]) -> None:
        """The same of `U(**data)`."""
        self.bulk([self._made(data) for data in some])

    def search(self, cities: list[str]) -> None:
        """`U.search().filter("term", city=...)[:100].execute()`."""
        for city in cities:
            assert len(list(self.model.search(using=self.client).filter("term", city=city)[:100].execute())) == 100


def asking(city: str) -> dict[str, Any]:
    """The body of the search."""
    return {"query": {"term": {"city": city}}, "sort": ["_doc"], "size": 100, "track_total_hits": False}


def _written(one: dict[str, Any]) -> dict[str, Any]:
    shards = {"total": 2, "successful": 1, "failed": 0}
    place = {"_seq_no": 12, "_primary_term": 1}
    return {"_index": INDEX, "_id": one["id"], "_version": 1, "result": "created", "_shards": shards, **place}


def answers(some: Sequence[dict[str, Any]], many: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the engine says: all of it, or that of which mixstore says that it looks at it (`filter_path`)."""
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    hits = [{"_index": INDEX, "_id": one["id"], "_score": None, "_source": one, "sort": [0]} for one in some]
    found = [{"_source": one, "sort": [0]} for one in some]
    ready: dict[str, Any] = {
        "PUT _doc": _written(some[0]),
        "GET _doc": {"_index": INDEX, "_id": "x", "_version": 1, "_seq_no": 12, "_primary_term": 1, "found": True,
                     "_source": some[0]},
        "POST _search": {"took": 3, "timed_out": False, "_shards": shards, "hits": {"max_score": None, "hits": hits}},
        "POST _search filtered": {"hits": {"hits": found}},
    }  # fmt: skip
    for told in (some[:1], many):
        items = [{"index": {**_written(one), "status": 201}} for one in told]
        ready[f"POST _bulk {2 * len(told)}"] = {"took": 30, "errors": False, "items": items}
        brief = [{"index": {"status": 201}} for _ in told]
        ready[f"POST _bulk {2 * len(told)} filtered"] = {"items": brief}
    return ready


def lines(port: int, rounds: int) -> Iterator[Line]:
    """Every operation of the floor against mixstore's and the others'."""
    some, many = [row(number, CITY) for number in range(100)], [row(number, CITY) for number in range(MANY)]
    few, ids = some[:OPERATIONS], [one["id"] for one in some[:OPERATIONS]]
    floor, ours, by_hand, dsl = Floor(port), Mixstore(port), ByHand(port), DSL(port)
    body = lines_of([document(one) for one in many])
    instances = {
        ours: lambda: [Person(**one) for one in many],
        by_hand: lambda: [PlainPerson(**one) for one in many],
        dsl: lambda: [dsl._made(one) for one in many],
    }
    work: dict[str, tuple[Any, Any, int]] = {
        "index": ([document(one) for one in few], few, OPERATIONS),
        "get": (ids, ids, OPERATIONS),
        "bulk": (body, None, 1),
        "bulk_rows": (body, many, 1),
        "search": ([asking(CITY)] * 8, [CITY] * 8, 8),
    }
    for verb, (ready, given, operations) in work.items():
        sides = [
            Side(one.name, getattr(one, verb), instances[one] if given is None else lambda given=given: given)
            for one in (ours, by_hand, dsl)
        ]
        base = Side(floor.name, getattr(floor, verb), lambda ready=ready: ready)
        told = OPERATION_NAMES[verb]
        target = TARGETS.get(verb)
        yield from compare("opensearch", told, base, sides, operations=operations, rounds=rounds, target=target)


def measure(rounds: int = ROUNDS) -> Iterator[Line]:
    """Every line of the group, as it is measured."""
    documents = [document(row(number, CITY)) for number in range(MANY)]
    with serving(answers(documents[:100], documents)) as port:
        yield from lines(port, rounds)
        Person.bind(None)
