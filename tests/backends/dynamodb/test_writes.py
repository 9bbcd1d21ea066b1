"""Writes: what is sent, under which condition, and what each refusal means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mixstore import (
    BatchError,
    ConflictError,
    DuplicateKeyError,
    Field,
    Key,
    Model,
    NotFoundError,
    TransactionError,
    VersionConflictError,
)
from mixstore_extensions import TTL, Counters, Versioned
from tests.backends.dynamodb.answers import cancelled, failed
from tests.backends.dynamodb.models import Task, User
from tests.backends.shared.support import Clock


class Locked(Versioned, Model):
    id: str = Field(primary_key=True)
    text: str = ""


class Lease(TTL, Model):
    id: str = Field(primary_key=True)
    holder: str = ""


class Counter(Counters, Model):
    id: str = Field(primary_key=True)
    hits: int = 0
    maybe: int | None = 3


def refused(item: dict[str, Any], retries: int = 0) -> Exception:
    return failed("ConditionalCheckFailedException", retries=retries, Item=item)


def user(**also: Any) -> dict[str, Any]:
    """An item of a user as it is stored."""
    item = {"pk": {"S": "USER#1"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "User"}, "id": {"S": "1"}}
    return {**item, **also}


def test_a_create_is_conditional_and_asks_what_is_there(answering):
    backend, client = answering({})
    backend.create(User, {"id": "1"})
    ((method, request),) = client.asked
    assert method == "put_item"
    assert request["ConditionExpression"] == "attribute_not_exists(#n0)"
    assert request["ExpressionAttributeNames"] == {"#n0": "pk"}
    assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_an_update_sends_what_changed_and_its_token_and_nothing_else(use, store, monkeypatch):
    use(User)
    mine, yours = User.create(id="1", name="a", age=1), User.get("1")
    asked = []
    call = store.transport.call
    monkeypatch.setattr(store.transport, "call", lambda *told, **also: asked.append(told) or call(*told, **also))
    mine.update(name="b")
    yours.update(age=None)
    assert [told[2]["UpdateExpression"] for told in asked] == [
        "SET #n1 = :v0, #n2 = :v1",
        "SET #n1 = :v0 REMOVE #n2",
    ]
    assert [set(told[2]["ExpressionAttributeNames"].values()) for told in asked] == [
        {"pk", "name", "_w"},
        {"pk", "age", "_w"},
    ]
    assert (User.get("1").name, User.get("1").age) == ("b", None)


def test_a_refused_condition_tells_the_stored_row_without_a_read(use, store, monkeypatch):
    use(Locked)
    mine, yours = Locked.create(id="1"), Locked.get("1")
    mine.update(text="x")
    asked = []
    call = store.transport.call
    monkeypatch.setattr(store.transport, "call", lambda *told, **also: asked.append(told[0]) or call(*told, **also))
    with pytest.raises(VersionConflictError) as caught:
        yours.update(text="y")
    assert (caught.value.expected, caught.value.stored) == (1, 2)
    assert asked == ["update_item"]


def test_an_expired_row_counts_as_absent_to_a_create(use, store):
    use(Lease)
    store.clock = clock = Clock()
    Lease.create(id="1", holder="a", expires_in=timedelta(minutes=1))
    with pytest.raises(DuplicateKeyError):
        Lease.create(id="1", holder="b")
    clock.forward(minutes=1)
    assert Lease.create(id="1", holder="b").holder == Lease.get("1").holder == "b"


def test_a_condition_that_can_not_be_said_is_looked_at_and_holds_all_the_same(use):
    use(User)
    User.create(id="1", name="Ann")
    User.create(id="2", name="Bob")
    assert User.where(name__icontains="ANN").update(age=1) == 1
    assert User.where(name__icontains="ANN", age=1).delete() == 1
    assert [row.id for row in User.all()] == ["2"]


def test_a_row_that_changes_while_it_is_looked_at_is_looked_at_again(answering):
    stored, changed = user(name={"S": "Ann"}, age={"N": "1"}), user(name={"S": "anna"}, age={"N": "1"})
    other = user(name={"S": "Bob"})
    backend, client = answering({"Item": stored}, {"Item": stored}, refused(changed), refused(other), {})
    assert backend.query(User).filter(id="1", name__icontains="ANN").update(age=2) == 0
    updates = [request["ExpressionAttributeValues"].values() for name, request in client.asked if name == "update_item"]
    assert [{"S": name} in values for name, values in zip(("Ann", "anna"), updates, strict=True)] == [True, True]


def test_sums_are_made_by_the_engine_and_nothing_counts_as_zero(use, items):
    use(Counter)
    counter, other = Counter.create(id="1"), Counter.get("1")
    counter.increment("hits", by=2)
    other.increment("hits")
    assert (other.hits, Counter.get("1").hits) == (3, 3)
    counter.update(maybe=None)
    assert items()[0]["maybe"] == {"NULL": True}
    assert counter.increment("maybe", by=4).maybe == 4


def test_a_transaction_is_one_request_and_rolls_back_as_one(use, store, monkeypatch):
    use(User, Task)
    User.create(id="taken")
    asked = []
    call = store.transport.call
    monkeypatch.setattr(store.transport, "call", lambda *told, **also: asked.append(told[0]) or call(*told, **also))
    with store.transaction():
        User.create(id="1")
        Task.create(id="1", owner="ann")
    assert asked == ["transact_write_items"]
    with pytest.raises(DuplicateKeyError) as caught, store.transaction():  # noqa: PT012
        Task.create(id="2")
        User.create(id="taken")
    assert caught.value.key == "taken"
    assert Task.get("2") is None


def test_a_transaction_of_more_than_a_hundred_items_is_refused_before_it_is_sent(answering):
    backend, client = answering()
    User.bind(backend)
    try:
        with pytest.raises(TransactionError, match="101 items"), backend.transaction():  # noqa: PT012
            for number in range(101):
                User.create(id=str(number))
    finally:
        User.bind(None)
    assert client.asked == []


def test_a_transaction_that_meets_another_is_tried_again_with_a_new_token(answering):
    backend, client = answering(cancelled({"Code": "TransactionConflict"}, {"Code": "None"}), {})
    User.bind(backend)
    try:
        with backend.transaction():
            User.create(id="1")
            User.create(id="2")
    finally:
        User.bind(None)
    tokens = [request["ClientRequestToken"] for _, request in client.asked]
    assert len(set(tokens)) == 2


def test_a_lost_answer_of_a_transaction_is_asked_for_by_the_same_token(answering):
    backend, client = answering(failed("InternalServerError", status=500), {})
    User.bind(backend)
    try:
        with backend.transaction():
            User.create(id="1")
            User.create(id="2")
    finally:
        User.bind(None)
    first, second = (request["ClientRequestToken"] for _, request in client.asked)
    assert first == second


def test_a_create_whose_answer_was_lost_is_no_duplicate_of_itself(answering):
    backend, client = answering(failed("InternalServerError", status=500), lambda request: _already(request))
    backend.create(User, {"id": "1", "age": 3})
    assert len(client.asked) == 2


def _already(request: dict[str, Any], **also: Any) -> Any:
    raise refused(request["Item"], **also)


def test_a_create_whose_answer_was_lost_is_a_duplicate_of_another_row(answering):
    backend, _ = answering(failed("InternalServerError", status=500), refused(user(name={"S": "other"})))
    with pytest.raises(DuplicateKeyError):
        backend.create(User, {"id": "1"})


def test_botocores_own_retries_are_taken_into_account(answering):
    stored = plain_item()
    backend, _ = answering(lambda request: _already(request, retries=1), refused(stored, retries=1))
    assert backend.create(User, {"id": "1"})["id"] == "1"
    with pytest.raises(DuplicateKeyError):
        backend.create(User, {"id": "1"})


def plain_item() -> dict[str, Any]:
    """The item of a user of whom nothing is known but the id, as an engine might write its number."""
    return user(name={"S": ""}, active={"BOOL": True}, limit={"N": "5.0"}, tags={"L": []}, home={"M": {}})


def test_batch_upsert_sends_25_at_a_time_and_what_was_left_again(answering):
    def first_left(request: dict[str, Any]) -> dict[str, Any]:
        return {"UnprocessedItems": {"app": request["RequestItems"]["app"][:5]}}

    backend, client = answering(first_left, {}, {})
    User.bind(backend)
    try:
        User.batch_upsert([{"id": str(number)} for number in range(30)] + [{"id": "0", "name": "last"}])
    finally:
        User.bind(None)
    sizes = [len(request["RequestItems"]["app"]) for _, request in client.asked]
    assert sizes == [25, 10]
    assert len(client.pauses) == 1


def test_batch_create_names_the_rows_that_exist_and_stores_the_rest(use):
    use(User)
    User.create(id="3", name="old")
    with pytest.raises(BatchError) as caught:
        User.batch_create([{"id": str(number)} for number in range(120)])
    assert list(caught.value.failed) == [3]
    assert isinstance(caught.value.failed[3], DuplicateKeyError)
    assert User.count() == 120
    assert User.get("3").name == "old"


def test_batch_get_asks_100_at_a_time_keeps_the_order_and_asks_again(answering):
    def all_but_one(request: dict[str, Any]) -> dict[str, Any]:
        keys = request["RequestItems"]["app"]["Keys"]
        items = [{**key, "entity_type": {"S": "User"}, "id": {"S": key["pk"]["S"][5:]}} for key in keys]
        left = {"app": {"Keys": keys[:1]}} if len(keys) > 1 else {}
        return {"Responses": {"app": items[::-1][: -1 if left else None]}, "UnprocessedKeys": left}

    backend, client = answering(*[all_but_one] * 5)
    keys = [str(number) for number in range(150)] + ["0", "7"]
    found = backend.batch_get(User, keys)
    assert [row["id"] for row in found] == keys
    sizes = [len(request["RequestItems"]["app"]["Keys"]) for _, request in client.asked]
    assert sizes[0] == 100
    assert sum(sizes) == 150 + len([size for size in sizes if size > 1])


def test_an_update_keeps_the_keys_of_indexes_and_a_row_without_one_leaves_it(use, items):
    use(Task)
    task = Task.create(id="1", owner="ann", rank=3)
    (item,) = items()
    assert (item["by_owner_pk"], item["by_owner_sk"]) == ({"S": "OWNER#ann"}, {"S": "003"})
    task.update(rank=4)
    assert items()[0]["by_owner_sk"] == {"S": "004"}
    task.update(owner=None)
    assert "by_owner_pk" not in items()[0]
    assert "by_owner_sk" not in items()[0]


def test_two_writers_of_one_index_leave_it_right(use, items):
    use(Task)
    mine, yours = Task.create(id="1", owner="ann", rank=1), Task.get("1")
    mine.update(owner="bob")
    yours.update(rank=9)
    (item,) = items()
    assert (item["by_owner_pk"], item["by_owner_sk"]) == ({"S": "OWNER#bob"}, {"S": "009"})
    assert Task.where(owner="bob", rank=9).count() == 1


def test_update_and_delete_of_what_is_not_there(use):
    use(User)
    row = User.create(id="1")
    assert row.delete() is True
    assert row.delete() is False
    with pytest.raises(NotFoundError):
        row.update(name="x")


def test_a_row_that_others_keep_changing_is_a_conflict_in_the_end(answering):
    def again(request: dict[str, Any]) -> Any:
        if "UpdateExpression" not in request:
            return {"Item": user()}
        raise refused(user(age={"N": str(len(client.asked))}))

    backend, client = answering(*[again] * 400)
    with pytest.raises(ConflictError):
        backend.query(User).filter(id="1", name__icontains="").update(age=9)


def test_rendered_keys_ask_for_their_entity(answering):
    class Note(Model):
        class Meta:
            key = Key(partition="{user}")

        user: str

    backend, client = answering({})
    backend.upsert(Note, {"user": "a"})
    ((_, request),) = client.asked
    assert request["ConditionExpression"] == "attribute_not_exists(#n1) OR (#n0 = :v0)"
    assert set(request["ExpressionAttributeNames"].values()) == {"pk", "entity_type"}


def test_writes_by_query_read_the_table_once(use, store, monkeypatch):
    use(User)
    User.batch_upsert([{"id": str(number), "age": number} for number in range(12)])
    monkeypatch.setattr("mixstore.pages.STREAM_PAGE", 3)
    asked = []
    call = store.transport.call
    monkeypatch.setattr(store.transport, "call", lambda *told, **also: asked.append(told[0]) or call(*told, **also))
    assert User.where(age__gte=2, name__icontains="").update(name="x") == 10
    assert asked.count("scan") == 1
    assert User.where(name="x").delete() == 10
    assert asked.count("scan") == 2
    assert User.count() == 2
