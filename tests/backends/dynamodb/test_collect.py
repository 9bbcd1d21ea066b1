"""`collect()` on DynamoDB: one Query a page for all models of a partition, or a query a model where they lie apart."""

from __future__ import annotations

import os
from typing import Any

import pytest

from mixstore import Field, Key, Model
from mixstore.testing import captured_plans, count_requests
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend
from mixstore_extensions import Encrypted, KeyRing, Tenant, tenant
from tests.backends.dynamodb.conftest import using


class Customer(Model):
    class Meta:
        key = Key(partition="CUSTOMER#{customer}", sort="A")

    customer: str
    text: str = ""


class Order(Model):
    class Meta:
        key = Key(partition="CUSTOMER#{customer}", sort="ORDER#{number:06d}")

    customer: str
    number: int
    text: str = ""


class Other(Order):
    """Of the same partition, and never asked for."""

    class Meta:
        key = Key(partition="CUSTOMER#{customer}", sort="OTHER#{number:06d}")


@pytest.fixture
def sent(store, monkeypatch):
    """The requests that are sent."""
    found: list[tuple[str, dict[str, Any]]] = []
    call = store.transport.call

    def told(operation: str, table: str, request: dict[str, Any], repeatable: bool = True) -> Any:
        found.append((operation, request))
        return call(operation, table, request, repeatable)

    monkeypatch.setattr(store.transport, "call", told)
    return found


def test_one_request_reads_the_rows_of_all_models(store, use, sent):
    use(Customer, Order, Other)
    Customer.create(customer="ada")
    for number in (2, 1):
        Order.create(customer="ada", number=number)
        Other.create(customer="ada", number=number)
        Order.create(customer="bob", number=number)
    sent.clear()
    with count_requests(most=1):
        found = list(store.collect(Order, Customer, customer="ada"))
    assert [getattr(row, "number", None) for row in found] == [None, 1, 2]
    assert [type(row) for row in found] == [Customer, Order, Order]
    ((operation, request),) = sent
    assert (operation, request["KeyConditionExpression"], request["ConsistentRead"]) == ("query", "#n0 = :v0", True)


def test_each_page_is_one_request(store, use, sent):
    use(Customer, Order)
    Customer.create(customer="ada")
    large = "x" * 300_000
    Order.batch_upsert([{"customer": "ada", "number": number, "text": large} for number in range(8)])
    sent.clear()
    with captured_plans() as plans:
        rows = store.collect(Customer, Order, customer="ada")
        assert next(rows) == Customer(customer="ada")
        assert len(sent) == 1
        assert [row.number for row in rows] == list(range(8))
    assert [operation for operation, _ in sent] == ["query"] * len(plans)
    assert len(plans) >= 3  # a megabyte a page
    starts = [request.get("ExclusiveStartKey") for _, request in sent]
    assert starts[0] is None
    assert None not in starts[1:]


def test_models_in_tables_of_their_own_are_asked_one_by_one(dynamodb_client):
    backend = DynamoDBBackend("own-{entity}", DynamoDBAdapter(single_table=False), client=dynamodb_client)
    for use in using(backend):
        use(Customer, Order)
        Customer.create(customer="ada")
        Order.batch_create([{"customer": "ada", "number": number} for number in (2, 1)])
        with count_requests(most=2), captured_plans() as plans:
            found = list(backend.collect(Order, Customer, customer="ada"))
        assert [type(row) for row in found] == [Customer, Order, Order]
        assert [one.plan.operation for one in plans] == ["Query", "GetItem"]


def test_encrypted_fields_come_out_and_other_tenants_rows_do_not(store, use, items):
    class Note(Tenant, Encrypted, Model):
        class Meta:
            key = Key(partition="CUSTOMER#{customer}", sort="NOTE#{number:03d}")
            encryption = KeyRing({"a": os.urandom(32)})

        customer: str
        number: int
        text: str = Field("", encrypted=True)

    use(Customer, Note)
    Customer.create(customer="ada")
    for number, name in enumerate(("acme", "other", "acme")):
        with tenant(name):
            Note.create(customer="ada", number=number, text=f"secret {number}")
    assert not any(item.get("text") == {"S": "secret 0"} for item in items())
    with tenant("acme"):
        found = list(store.collect(Customer, Note, customer="ada"))
    assert [row.text for row in found] == ["", "secret 0", "secret 2"]
