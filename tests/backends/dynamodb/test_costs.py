"""What a write or a read with each mixin costs in requests of DynamoDB, as the pages of the mixins say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mixstore import Field, Model
from mixstore_extensions import TTL, Counters, Encrypted, History, SoftDelete, Tenant, Timestamps, Versioned, tenant
from tests.extensions.sealing import RING


class Base(Model):
    class Meta:
        abstract = True

    id: str = Field(primary_key=True)
    n: int = 0


class Plain(Base): ...


class Expiring(TTL, Base): ...


class Locked(Versioned, Base): ...


class Dated(Timestamps, Base): ...


class Hidden(SoftDelete, Base): ...


class Recorded(History, Base): ...


class Short(History, Base):
    class Meta:
        history_keep = 1


class Counted(Counters, Base): ...


class Mail(Base):
    email: str = Field("a@x", unique=True)


class Owned(Tenant, Base): ...


class Secret(Encrypted, Base):
    class Meta:
        encryption = RING

    s: str = Field("s", encrypted=True)


PUT, GET, UPDATE, DELETE, QUERY = ["PutItem"], ["GetItem"], ["UpdateItem"], ["DeleteItem"], ["Query"]


def transact(items: int) -> list[str]:
    return [f"TransactWriteItems of {items}"]


COSTS: dict[type[Base], tuple[list[str], list[str], list[str], list[str]]] = {
    Plain: (PUT, UPDATE, PUT, DELETE),
    Expiring: (PUT, UPDATE, PUT, DELETE),
    Locked: (PUT, UPDATE, GET + PUT, DELETE),
    Dated: (PUT, UPDATE, GET + PUT, DELETE),
    Hidden: (PUT, UPDATE, PUT, UPDATE),
    Recorded: (
        QUERY + transact(2),
        QUERY + GET + transact(2),
        QUERY + transact(2),
        QUERY + GET + transact(2),
    ),
    Short: (QUERY + transact(2), QUERY + GET + transact(3), QUERY + transact(3), QUERY + GET + transact(3)),
    Counted: (PUT, UPDATE, PUT, DELETE),
    Mail: (transact(2), GET + UPDATE, GET + transact(2), GET + transact(2)),
    Owned: (PUT, UPDATE, PUT, DELETE),
    Secret: (PUT, UPDATE, PUT, DELETE),
}
"""model -> the requests of create, update, upsert of a row that is there, delete."""


@pytest.fixture
def asked(store, monkeypatch):
    """The requests, as they are sent; a transaction with the number of its items."""
    told: list[str] = []

    def note(model: Any, params: Any, **_: Any) -> None:
        items = json.loads(params["body"]).get("TransactItems")
        told.append(model.name if items is None else f"{model.name} of {len(items)}")

    client = store.transport.client
    client.meta.events.register("before-call.dynamodb", note)
    yield told
    client.meta.events.unregister("before-call.dynamodb", note)


def sent(asked: list[str], call: Any) -> list[str]:
    """The requests of a call."""
    asked.clear()
    call()
    return list(asked)


@pytest.fixture(autouse=True)
def within_a_tenant():
    with tenant("a"):
        yield


@pytest.mark.parametrize("model", COSTS, ids=lambda model: model.__name__)
def test_each_write_takes_these_requests_and_a_read_by_key_one(use, asked, model):
    use(model)
    create, update, upsert, delete = COSTS[model]
    assert sent(asked, lambda: model.create(id="a")) == create
    assert sent(asked, lambda: model.get("a")) == GET
    row = model.get("a")
    assert sent(asked, lambda: row.update(n=1)) == update
    assert sent(asked, lambda: model.upsert(id="a", n=2)) == upsert
    row = model.get("a")
    assert sent(asked, row.delete) == delete


def test_a_sum_is_one_request(use, asked):
    row = use(Counted).create(id="a")
    assert sent(asked, lambda: row.increment("n")) == UPDATE


def test_a_unique_field_is_read_by_its_guard(use, asked):
    use(Mail).create(id="a")
    assert sent(asked, lambda: Mail.get(email="a@x")) == GET + GET
    row = Mail.get("a")
    assert sent(asked, lambda: row.update(email="b@x")) == GET + transact(3)


def test_taking_a_delete_back_is_one_write(use, asked):
    row = use(Hidden).create(id="a")
    row.delete()
    assert sent(asked, row.restore) == GET + UPDATE


@pytest.mark.parametrize(
    ("model", "create", "upsert"),
    [
        (Plain, transact(3), ["BatchWriteItem"]),
        (Expiring, transact(3), ["BatchWriteItem"]),
        (Locked, transact(3), ["BatchGetItem"] + PUT * 3),
        (Recorded, QUERY * 3 + transact(6), QUERY * 3 + transact(2) * 3),
    ],
)
def test_batches_share_requests_where_no_row_has_a_condition_of_its_own(use, asked, model, create, upsert):
    use(model)
    assert sent(asked, lambda: model.batch_create([{"id": f"a{n}"} for n in range(3)])) == create
    assert sent(asked, lambda: model.batch_upsert([{"id": f"b{n}"} for n in range(3)])) == upsert
