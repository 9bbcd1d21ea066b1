"""The history of a row is a partition of its own: the newest revision is one item, whatever lies behind it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest
from botocore.session import Session

from mixstore import Field, Model
from mixstore_extensions import History
from mixstore_extensions.history import StoredRevision
from tests.backends.dynamodb.models import NOON

MANY = 30
LATER = datetime(2100, 1, 1, tzinfo=timezone.utc)


class Doc(History, Model):
    id: str = Field(primary_key=True)
    n: int = 0


class Fading(Doc):
    class Meta:
        history_for = timedelta(days=1)


@pytest.fixture
def asked(store):
    """(operation, its request), as they are sent."""
    told: list[tuple[str, dict]] = []

    def note(model, params, **_):
        told.append((model.name, json.loads(params["body"])))

    events = store.transport.client.meta.events
    events.register("before-call.dynamodb", note)
    yield told
    events.unregister("before-call.dynamodb", note)


@pytest.fixture
def looked_at(dynamodb_client):
    """`looked_at(request)`: how many items a Query looks at, by a client that mixstore has not touched."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    endpoint = dynamodb_client.meta.endpoint_url
    client = Session().create_client("dynamodb", "eu-west-1", endpoint_url=endpoint, **keys)
    yield lambda request: client.query(**request)["ScannedCount"]
    client.close()


def doc(use, model=Doc):
    row = use(model).create(id="a")
    for n in range(1, MANY):
        row.update(n=n)
    return row


def test_a_write_reads_the_newest_revision_and_no_other(use, asked, looked_at):
    row = doc(use)
    asked.clear()
    row.update(n=-1)
    (request,) = [request for operation, request in asked if operation == "Query"]
    assert (request["Limit"], request["ScanIndexForward"], looked_at(request)) == (1, False, 1)
    assert Doc.history("a")[0].number == MANY + 1


@pytest.mark.parametrize(
    ("read", "items"),
    [
        (lambda row: len(Doc.history("a")) == MANY, MANY),
        (lambda row: Doc.as_of(LATER, "a").n == MANY - 1, 20),  # a page, as the time is a filter
        (lambda row: row.diff(3, 4) == {"n": (2, 3)}, 3),  # BETWEEN includes the text after the last
    ],
    ids=["history", "as_of", "diff"],
)
def test_a_look_into_the_history_is_one_query_of_that_row(use, asked, looked_at, read, items):
    row = doc(use)
    asked.clear()
    assert read(row)
    ((operation, request),) = asked
    assert (operation, looked_at(request)) == ("Query", items)


def test_pruning_reads_the_table_once_and_removes_by_key(use, store, asked):
    moments = count()
    store.clock = lambda: NOON + timedelta(minutes=next(moments))
    use(Fading)
    for name in ("a", "b"):
        row = Fading.create(id=name)
        for n in range(5):
            row.update(n=n)
    store.clock = lambda: NOON + timedelta(days=2)
    asked.clear()
    assert Fading.prune_history() == 8
    reads = [(operation, request) for operation, request in asked if operation in ("Query", "Scan", "GetItem")]
    assert [operation for operation, _ in reads] == ["Scan", "Query", "Query"]
    assert all(request["KeyConditionExpression"] for operation, request in reads if operation == "Query")
    assert [one.number for one in Fading.history("a")] == [5]


def test_revisions_are_explained_as_queries_by_key(use, store):
    use(Doc)
    row = '["Doc","a"]'
    told = store.query(StoredRevision).filter(row=row).order_by("-number").limit(1).explain()
    assert (told.operation, told.index, told.residual, told.request["Limit"]) == ("Query", "primary key", "", 1)
    told = store.query(StoredRevision).filter(row=row, number__lte=12).explain()
    bounds = [one["S"] for one in told.request["ExpressionAttributeValues"].values() if "S" in one]
    assert [one for one in bounds if one.startswith("NUMBER")] == ["NUMBER#", "NUMBER#0000000013"]
