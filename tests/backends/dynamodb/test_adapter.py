"""What is stored: the keys and attributes of an item, what comes back, and what is refused by its field's name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mixstore import ConfigurationError, CorruptRecordError, Envelope, Field, Key, Model, SchemaError, ValidationError
from mixstore_backends.dynamodb import DynamoDBAdapter, DynamoDBBackend
from mixstore_backends.dynamodb.wire import from_wire, to_wire
from tests.backends.dynamodb.conftest import using
from tests.backends.dynamodb.models import NOON, Member, Reading, Todo, User


def stored(items: Any) -> dict[str, Any]:
    (item,) = items()
    return item


def test_a_record_of_a_single_table_has_two_key_texts_and_its_entity():
    record = DynamoDBAdapter().model_to_storage(User(id="123", name="Ann"))
    assert record["pk"] == "USER#123"
    assert (record["sk"], record["entity_type"], record["id"]) == ("METADATA", "User", "123")


def test_the_attributes_have_the_names_that_the_adapter_is_given():
    adapter = DynamoDBAdapter(partition="PK", sort="SK", entity="kind")
    record = adapter.model_to_storage(Member(group="g", name="n"))
    assert (record["PK"], record["SK"], record["kind"]) == ("MEMBER#g", "NAME#n", "Member")


def test_a_template_says_the_key_itself():
    record = DynamoDBAdapter().model_to_storage(Todo(user="al#1", number=7))
    assert record["pk"] == "USER#al%231"
    assert record["sk"] == "TODO#2025-06-01T12:00:00.000000Z#7"
    assert DynamoDBAdapter().get_primary_key_value(Todo(user="a", number=7))["pk"] == "USER#a"


def test_attributes_travel_in_their_own_types_and_none_is_left_out(use, items):
    use(User).create(id="1", age=3, price=Decimal("0.10"), raw=b"\0", joined=NOON, tags={"b", "a"}, limit=None)
    item = stored(items)
    assert item["age"] == {"N": "3"}
    assert item["price"] == {"N": "0.1"}
    assert item["raw"] == {"B": b"\0"}
    assert item["joined"] == {"S": "2025-06-01T12:00:00.000000Z"}
    assert item["tags"] == {"L": [{"S": "a"}, {"S": "b"}]}
    assert item["limit"] == {"NULL": True}, "without the attribute it would be read as its default"
    assert "score" not in item


@pytest.mark.parametrize(
    "values",
    [
        {"price": Decimal("12345678901234567890123456789012345678")},
        {"price": Decimal("1E+125")},
        {"price": Decimal("1E-130")},
        {"score": 0.1 + 0.2},
        {"score": 1e-9},
        {"age": -(10**38) + 1},
        {"age": 10**40},
        {"raw": b""},
        {"name": ""},
        {"name": "\0"},
        {"tags": set()},
        {"home": {"a": [1, None, {"b": True}], "c": "", "d": 0.5}},
        {"limit": None},
    ],
)
def test_a_value_comes_back_as_it_was(use, values):
    made = use(User).create(id="1", **values)
    assert User.get("1") == made == User(id="1", **values)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", Decimal("123456789012345678901234567890123456789")),
        ("price", Decimal("1E+126")),
        ("price", Decimal("1E-131")),
        ("age", 10**38 + 1),
        ("age", 10**200),
        ("score", float("inf")),
        ("score", 1e300),
        ("score", 5e-324),
        ("name", "\ud800"),
        ("home", {"a": "\ud800"}),
        ("home", {"a": 10**38 + 1}),
        ("home", {"a": 1e300}),
    ],
)
def test_what_can_not_be_stored_is_refused_by_the_fields_name(use, items, field, value):
    use(User)
    for write in (User.create, User.upsert):
        with pytest.raises(ValidationError) as caught:
            write(id="1", **{field: value})
        assert caught.value.field == field
    assert items() == []


@pytest.mark.parametrize("key", ["x" * 3000, "\ud800"])
def test_a_key_that_no_item_can_have_is_refused_when_written_and_not_there_when_read(use, key):
    use(User)
    with pytest.raises(ValidationError, match="User"):
        User.create(id=key)
    assert User.get(key) is None
    assert User.batch_get([key, key]) == [None, None]


def test_a_query_by_a_key_that_no_item_can_have_finds_nothing(use):
    assert use(User).where(id="x" * 3000).all() == []
    assert User.where(id="x" * 3000).count() == 0


def test_an_empty_text_of_a_key_is_refused(dynamodb_client):
    class Bare(Model):
        class Meta:
            key = Key(partition="{name}")

        name: str

    for use in using(DynamoDBBackend("bare", client=dynamodb_client)):
        use(Bare)
        with pytest.raises(ValidationError, match="empty"):
            Bare.create(name="")
        assert Bare.get(name="") is None


def test_entities_of_one_table_never_see_each_other(use, items):
    class Note(Model):
        class Meta:
            key = Key(partition="USER#{user}", sort="TODO#{text}")

        user: str
        text: str

    use(Todo, Note, User)
    todo, user = Todo.create(user="a"), User.create(id="a")
    note = Note.create(user="a", text="x")
    assert (Todo.all(), Note.all(), User.all()) == ([todo], [note], [user])
    assert (Todo.where(user="a").count(), Note.where(user="a").count()) == (1, 1)
    assert len(items()) == 3


def test_a_key_that_another_entity_has_is_taken_and_not_overwritten(use):
    class Twin(Model):
        class Meta:
            key = Key(partition="USER#{user}", sort="TODO#2025-06-01T12:00:00.000000Z#0")

        user: str

    use(Todo, Twin)
    todo = Todo.create(user="a")
    twin = Twin(user="a")
    for write in (lambda: Twin.create(user="a"), lambda: Twin.upsert(user="a"), twin.save):
        with pytest.raises(Exception, match="exists"):
            write()
    assert Twin.get(user="a") is None
    assert twin.delete() is False
    assert Todo.get(user="a", created=NOON, number=0) == todo


def test_two_entities_whose_keys_would_begin_alike_are_refused(store):
    class Thing(Model):
        id: str = Field(primary_key=True)

    class Other(Model):
        class Meta:
            entity = "THING"

        id: str = Field(primary_key=True)

    store.bound(Thing)
    with pytest.raises(ConfigurationError, match="THING"):
        store.bound(Other)


def test_a_field_that_is_called_like_an_attribute_of_the_table_is_refused(store):
    class Odd(Model):
        id: str = Field(primary_key=True)
        pk: str = ""

    with pytest.raises(SchemaError, match="partition"):
        store.bound(Odd)
    assert DynamoDBBackend("t", DynamoDBAdapter(partition="PK")).bound(Odd).native.key_attributes == ("PK", "sk")


def test_a_table_of_its_own_has_the_key_fields_in_their_own_types(dynamodb_client):
    backend = DynamoDBBackend("own-{entity}", DynamoDBAdapter(single_table=False), client=dynamodb_client)
    for use in using(backend):
        use(Reading)
        Reading.batch_create([{"sensor": 1, "moment": Decimal(n) / 2, "value": n} for n in range(5)])
        (first, *_) = dynamodb_client.scan(TableName="own-Reading")["Items"]
        assert first.keys() == {"sensor", "moment", "value"}
        assert first["sensor"] == {"N": "1"}
        found = Reading.where(sensor=1, moment__gte="1").order_by("-moment")
        assert found.explain().operation == "Query"
        assert [row.value for row in found] == [4, 3, 2]
        assert Reading.where(sensor=1, moment__between=("0.5", "1"), value__gt=1).one().moment == 1
        assert Reading.where(sensor=1, moment__lt=1, moment__gt=0).one().moment == Decimal("0.5")
        assert Reading.get((1, Decimal("0.50"))).value == 1


def test_a_table_for_one_entity_is_not_shared():
    backend = DynamoDBBackend("one", DynamoDBAdapter(single_table=False))
    backend.bound(User)
    with pytest.raises(ConfigurationError, match=r"\{entity\}"):
        backend.bound(Member)


def test_a_key_of_three_fields_needs_a_single_table():
    class Three(Model):
        a: str = Field(primary_key=True)
        b: str = Field(primary_key=True)
        c: str = Field(primary_key=True)

    with pytest.raises(SchemaError, match="Three"):
        DynamoDBBackend("t", DynamoDBAdapter(single_table=False)).bound(Three)
    record = DynamoDBAdapter().model_to_storage(Three(a="x", b="y#", c="z"))
    assert (record["pk"], record["sk"]) == ("THREE#x", "B#y%23#z")


def test_a_damaged_attribute_is_named_with_its_row(use, store, dynamodb_client):
    use(User).create(id="1")
    key = {"pk": {"S": "USER#1"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "User"}, "id": {"S": "1"}}
    for damaged in ({"name": {"N": "5"}}, {"name": {"S": ""}, "age": {"S": "x"}}):
        dynamodb_client.put_item(TableName=store.table_name, Item={**key, **damaged})
        with pytest.raises(CorruptRecordError) as caught:
            User.get("1")
        assert caught.value.field == list(damaged)[-1]


def test_an_adapter_of_somebody_else_is_heard(dynamodb_client):
    class Stamped(DynamoDBAdapter):
        def model_to_storage(self, instance: Any) -> dict[str, Any]:
            return {**super().model_to_storage(instance), "stamp": "mine"}

        def storage_to_model(self, model_class: Any, data: Any) -> dict[str, Any]:
            assert data["stamp"] == "mine"
            return super().storage_to_model(model_class, data)

    for use in using(DynamoDBBackend("stamped", Stamped(), client=dynamodb_client)):
        use(User, Todo)
        user, todo = User.create(id="1"), Todo.create(user="a")
        user.update(name="x")
        todo.update(text="y")
        assert User.get("1") == user
        assert Todo.where(user="a").one() == todo
        assert all(item["stamp"] == {"S": "mine"} for item in dynamodb_client.scan(TableName="stamped")["Items"])


@pytest.mark.parametrize("options", [{"partition": ""}, {"sort": "pk"}, {"index_partition": "gsi"}])
def test_attributes_need_names_that_differ(options):
    with pytest.raises(ConfigurationError):
        DynamoDBAdapter(**options)


@pytest.mark.parametrize("value", [3.602879701896397e16, -(2.0**60), 1e37, 1e38, 1e100, 2**53 + 1, 10**37, 1.5, 1e-100])
def test_a_number_in_a_free_value_comes_back_equal(value):
    """The engine keeps no notation: it answers all digits, and 38 of them are exact."""
    sent = to_wire({"n": value})["M"]["n"]["N"]
    assert from_wire({"N": sent}) == value
    assert from_wire({"N": format(Decimal(sent), "f")}) == value


def test_bytes_that_look_as_if_an_extension_had_stored_them_are_refused_and_others_come_back(use):
    use(User)
    for raw in (b"\0mixstore:", b"\0mixstore:" + b"x" * 200, b"\0"):
        assert User.create(id=raw.hex(), raw=raw) == User.get(raw.hex())
    with pytest.raises(ValidationError, match=r"User\.raw can't be stored: bytes that begin as"):
        User.create(id="x", raw=Envelope.of("encrypted", b"secret"))
