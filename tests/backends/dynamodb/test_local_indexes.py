"""Local indexes: another order of the rows of one partition."""

from __future__ import annotations

import pytest

from mixstore import GSI, KEYS_ONLY, LSI, ConfigurationError, Field, Key, Model, SchemaError
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.dynamodb.conftest import using


class Bill(Model):
    class Meta:
        key = Key(partition="SHOP#{shop}", sort="BILL#{number:05d}")
        indexes = [
            LSI("by_total", sort="{total:08d}"),
            LSI("by_due", sort="DUE#{due}", projection=KEYS_ONLY),
        ]

    shop: str
    number: int
    total: int = 0
    due: str | None = None
    text: str = ""


ROWS = [
    {"shop": shop, "number": number, "total": 100 - number, "due": f"d{number}" if number % 2 else None, "text": "t"}
    for shop in "ab"
    for number in range(1, 7)
]


def test_a_local_index_is_made_with_its_table(store, use, dynamodb_client):
    use(Bill)
    table = dynamodb_client.describe_table(TableName=store.table_name)["Table"]
    assert not table.get("GlobalSecondaryIndexes")
    indexes = {one["IndexName"]: one for one in table["LocalSecondaryIndexes"]}
    keys = [one["AttributeName"] for one in indexes["by_total"]["KeySchema"]]
    assert keys == ["pk", "by_total_sk"]
    assert indexes["by_due"]["Projection"]["ProjectionType"] == "KEYS_ONLY"


def test_a_query_by_it_is_native_ordered_and_fresh(store, use):
    use(Bill)
    Bill.batch_create(ROWS)
    asked = Bill.where(shop="a", total__gte=96).order_by("-total")
    assert [bill.total for bill in asked] == [99, 98, 97, 96]
    told = Bill.where(shop="a", total__gte=96).order_by("-total").explain()
    assert (told.operation, told.index) == ("Query", "by_total")
    assert told.request["ConsistentRead"] is True
    assert not any("eventually" in note for note in told.notes)


def test_it_is_chosen_for_its_order_too(store, use):
    use(Bill)
    Bill.batch_create(ROWS)
    first = Bill.where(shop="a").order_by("total").limit(1)
    assert (first.explain().index, first.explain().request["ScanIndexForward"]) == ("by_total", True)
    assert [bill.total for bill in first.all()] == [94]
    assert Bill.where(shop="a").order_by("number").explain().index == "primary key"


def test_rows_of_an_index_that_holds_keys_are_read_whole_and_it_is_sparse(store, use):
    use(Bill)
    Bill.batch_create(ROWS)
    found = Bill.where(shop="b").using("by_due").order_by("due").all()
    assert [(bill.due, bill.text) for bill in found] == [("d1", "t"), ("d3", "t"), ("d5", "t")]


def test_a_change_moves_the_row_in_its_index(store, use, items):
    use(Bill)
    Bill.batch_create(ROWS)
    bill = Bill.get(shop="a", number=1)
    bill.update(total=7, due=None)
    assert Bill.where(shop="a").using("by_total").order_by("total").first() == bill
    assert [one.number for one in Bill.where(shop="a").using("by_due").order_by("due")] == [3, 5]
    stored = next(item for item in items() if item["pk"] == {"S": "SHOP#a"} and item["sk"] == {"S": "BILL#00001"})
    assert stored["by_total_sk"] == {"S": "00000007"}
    assert "by_due_sk" not in stored
    assert store.reindex(Bill) == 0


@pytest.mark.parametrize("other", [InMemoryBackend, lambda: SQLiteBackend(":memory:")])
def test_other_backends_answer_the_same(other):
    for use in using(other()):
        use(Bill)
        Bill.batch_create(ROWS)
        assert [bill.total for bill in Bill.where(shop="a", total__gte=96).order_by("-total")] == [99, 98, 97, 96]
        assert [bill.due for bill in Bill.where(shop="b").using("by_due").order_by("due")] == ["d1", "d3", "d5"]


def test_a_table_that_is_there_gets_none(store, dynamodb_client):
    class Plain(Model):
        class Meta:
            key = Key(partition="SHOP#{shop}", sort="BILL#{number:05d}")

        shop: str
        number: int

    store.initialize(Plain)
    with pytest.raises(ConfigurationError, match="has no index 'by_total', and a local one is made with its table"):
        store.initialize(Bill)


def test_a_local_index_needs_partitions_of_several_rows():
    class Alone(Model):
        class Meta:
            indexes = [LSI("by_age", sort="{age:03d}")]

        id: str = Field(primary_key=True)
        age: int = 0

    with pytest.raises(SchemaError, match="by_age is another order of the rows of a partition, and Alone has none"):
        InMemoryBackend().initialize(Alone)


def test_one_name_is_either_local_or_not(store):
    class Global(Model):
        class Meta:
            key = Key(partition="SHOP#{shop}", sort="G#{number:05d}")
            indexes = [GSI("by_total", partition="TOTAL#{number:05d}", sort="{number:05d}")]

        shop: str
        number: int

    with pytest.raises(SchemaError, match="one of them local"):
        store.initialize(Bill, Global)


def test_more_than_five_are_refused(store):
    class Many(Model):
        class Meta:
            key = Key(partition="SHOP#{shop}", sort="M#{number:05d}")
            indexes = [LSI(f"x{n}", sort="{number:05d}") for n in range(6)]

        shop: str
        number: int

    with pytest.raises(SchemaError, match="6 local indexes, and 5 is the most"):
        store.initialize(Many)
