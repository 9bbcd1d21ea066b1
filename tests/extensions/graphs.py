"""Models that are nodes, and stores of theirs, for the tests of `Graph`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from mixstore import Field, Key, Model
from mixstore.registry import registry
from mixstore_extensions import TTL, Graph, SoftDelete, Tenant
from tests.backends.conftest import BACKENDS, dynamodb
from tests.backends.shared.support import Clock

KINDS = {"memory": BACKENDS["memory"], "sqlite": BACKENDS["sqlite-file"], "dynamodb": dynamodb}


class Node(Graph, Model):
    class Meta:
        abstract = True
        scan = "forbid"

    id: str = Field(primary_key=True)


class Person(Node): ...


class Band(Node): ...


class Concert(Graph, Model):
    class Meta:
        key = Key(partition="PLACE#{place}", sort="{day}")

    place: str
    day: date


class Dated(Graph, Model):
    day: date = Field(primary_key=True)
    number: int = Field(primary_key=True)


class Hidden(SoftDelete, Tenant, TTL, Graph, Model):
    class Meta:
        scan = "allow"  # a purge reads all rows

    id: str = Field(primary_key=True)


MODELS = (Person, Band, Concert, Dated, Hidden)


@pytest.fixture(params=KINDS)
def store(request) -> Iterator:
    """A store with an index for each order."""
    with registry(), KINDS[request.param](request) as made:
        for model in MODELS:
            model.bind(made)
        made.clock = Clock()
        made.initialize(*MODELS)
        made.scan_policy = "forbid"
        yield made
        for model in MODELS:
            model.bind(None)


def people(names):
    return [Person.create(id=name) for name in names]


def found(visits):
    return [(one.node.id, one.depth) for one in visits]


def ids(nodes):
    return [one.id for one in nodes]
