"""Transactions: a buffer of writes that happen all or not at all, at the end of the block."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    BatchError,
    Capability,
    ConflictError,
    DuplicateKeyError,
    Field,
    Model,
    NotFoundError,
    TransactionError,
    UnsupportedOperationError,
    ValidationError,
    after_save,
)
from mixstore_backends.memory import InMemoryBackend


class User(Model):
    id: str = Field(primary_key=True)
    name: str = ""
    email: str | None = Field(None, unique=True)


class Order(Model):
    user: str = Field(primary_key=True)
    number: int = Field(primary_key=True)


def everything() -> dict[Any, str]:
    return {user.id: user.name for user in User.all()} | {(order.user, order.number): "" for order in Order.all()}


@pytest.fixture
def rows(store):
    """Two users, "a" and "b"."""
    return User.batch_create([{"id": "a", "email": "a@x"}, {"id": "b"}])


def test_writes_of_several_models_happen_at_the_end_of_the_block(store, rows):
    first, second = rows
    with store.transaction():
        User.create(id="c")
        Order.create(user="a", number=1)
        first.update(name="x")
        second.delete()
        assert everything() == {"a": "", "b": ""}
    assert everything() == {"a": "x", "c": "", ("a", 1): ""}


def test_every_kind_of_write_is_buffered(store, rows):
    first, _ = rows
    with store.transaction():
        User(id="c").save()
        User.upsert(id="b", name="y")
        first.name = "x"
        first.save()
        User.batch_create([{"id": "d"}, {"id": "e"}])
        User.batch_upsert([{"id": "f"}])
        store.create(User, {"id": "g"})
    assert everything() == {"a": "x", "b": "y", "c": "", "d": "", "e": "", "f": "", "g": ""}


def test_writes_by_query_are_buffered(store, rows):
    with store.transaction():
        assert User.where(id="a").update(name="x") == 1
        assert User.where(id="b").delete() == 1
        assert everything() == {"a": "", "b": ""}
    assert everything() == {"a": "x"}


@pytest.mark.parametrize(
    ("spoil", "error", "named"),
    [
        (lambda: User.create(id="b"), DuplicateKeyError, "key='b'"),
        (lambda: User.create(id="z", email="a@x"), DuplicateKeyError, r"User\.email is unique"),
        (lambda: User(id="z").update(name="y"), NotFoundError, "key='z'"),
        (lambda: Order(user="a", number=1).update(), NotFoundError, r"model=Order, key=\{'user': 'a', 'number': 1\}"),
    ],
    ids=["key", "unique", "missing", "missing of another model"],
)
def test_one_write_that_fails_drops_all_and_is_named_at_the_end(store, rows, spoil, error, named):
    first, _ = rows
    reached = False
    with pytest.raises(error, match=named), store.transaction():  # noqa: PT012  (the transaction is the block)
        User.create(id="c")
        spoil()
        first.update(name="x")
        reached = True
    assert reached
    assert (everything(), first.name) == ({"a": "", "b": ""}, "")


def test_two_new_rows_with_one_unique_value_drop_all(store):
    with pytest.raises(DuplicateKeyError, match="email"), store.transaction():  # noqa: PT012  (see above)
        User.create(id="a", email="x")
        User.create(id="b", email="x")
    assert everything() == {}


def test_a_unique_value_may_move_from_one_row_to_another(store, rows):
    first, second = rows
    with store.transaction():
        first.update(email=None)
        second.update(email="a@x")
    assert User.get(email="a@x").id == "b"


def test_what_pydantic_refuses_fails_at_the_call(store):
    with store.transaction():
        with pytest.raises(ValidationError):
            User.create(id="a", name=5)
        User.create(id="b")
    assert everything() == {"b": ""}


def test_an_exception_in_the_block_drops_the_buffer(store):
    with pytest.raises(ZeroDivisionError), store.transaction():  # noqa: PT012  (see above)
        User.create(id="a")
        raise ZeroDivisionError
    assert everything() == {}


def test_an_empty_transaction_does_nothing(store):
    with store.transaction():
        pass
    assert everything() == {}


# -- one write per record


@pytest.mark.parametrize(
    "again",
    [
        lambda user: user.update(name="y"),
        lambda user: user.save(),
        lambda user: user.delete(),
        lambda user: User.create(id="a"),
        lambda user: User.upsert(id="a"),
    ],
    ids=["update", "save", "delete", "create", "upsert"],
)
def test_a_record_is_written_once_in_a_transaction(store, rows, again):
    user, _ = rows
    with pytest.raises(TransactionError, match=r"one write per record .*model=User, key='a'"), store.transaction():  # noqa: PT012  (see above)
        user.update(name="x")
        again(user)
    assert everything() == {"a": "", "b": ""}


def test_rows_of_two_models_with_one_key_are_two_records(store):
    class Guest(Model):
        id: str = Field(primary_key=True)

    with store.transaction():
        User.create(id="a")
        Guest.create(id="a")
    assert (User.count(), Guest.count()) == (1, 1)


def test_a_batch_with_one_record_twice_tells_which(store):
    with pytest.raises(BatchError) as caught, store.transaction():
        User.batch_create([{"id": "a"}, {"id": "b"}, {"id": "a"}])
    assert {index: type(error) for index, error in caught.value.failed.items()} == {2: TransactionError}
    assert everything() == {}


# -- reads


@pytest.mark.parametrize(
    "read",
    [
        lambda user: User.get("a"),
        lambda user: User.get(id="a"),
        lambda user: User.batch_get(["b", "a"]),
        lambda user: user.refresh(),
    ],
    ids=["get", "get by name", "batch_get", "refresh"],
)
def test_a_record_with_a_buffered_write_cannot_be_read(store, rows, read):
    user, _ = rows
    with pytest.raises(TransactionError, match=r"has a buffered write; .*model=User, key='a'"), store.transaction():  # noqa: PT012  (see above)
        user.update(name="x")
        read(user)


def test_other_records_can_be_read(store, rows):
    first, _ = rows
    with store.transaction():
        first.update(name="x")
        assert User.get("b").name == ""
        assert User.get("none") is None
        assert User.count() == 2


# -- rows that are not there


def test_deleting_what_is_not_there_fails_nothing(store, rows):
    first, second = rows
    User.get("a").delete()
    with store.transaction():
        assert first.delete() is True
        second.update(name="x")
        assert User(id="none").delete() is True
    assert everything() == {"b": "x"}


def test_deleting_only_what_is_not_there_fails_nothing(store):
    with store.transaction():
        User(id="none").delete()


def test_a_row_that_changes_before_the_commit_is_written_by_field(store, rows):
    first, _ = rows
    with store.transaction():
        first.update(name="x")
        Order.create(user="a", number=1)
        _outside(store, "a", email="new@x")
    user = User.get("a")
    assert (user.name, user.email) == ("x", "new@x")


def test_an_update_by_query_whose_row_no_longer_matches_drops_all(store, rows):
    with pytest.raises(ConflictError, match="no longer matches"), store.transaction():  # noqa: PT012  (see above)
        User.where(name="").update(name="x")
        _outside(store, "a", name="other")
    assert everything() == {"a": "other", "b": ""}


def _outside(store, key: str, **changes: Any) -> None:
    """Somebody else writes."""
    bound = store.bound(User)
    stored = store.execute(bound.engine.compile_get(bound, ((key,),)))[0]
    store.execute(bound.engine.compile_plain(bound, "update", (key,), {**stored, **changes}, changes))


# -- use


def test_transactions_do_not_nest(store):
    with pytest.raises(TransactionError, match="they don't nest"), store.transaction():  # noqa: PT012  (see above)
        User.create(id="a")
        with store.transaction():
            User.create(id="b")
    assert everything() == {}


def test_a_transaction_is_used_once(store):
    transaction = store.transaction()
    with transaction:
        User.create(id="a")
    with pytest.raises(TransactionError, match="is used once"), transaction:
        User.create(id="b")
    User.create(id="c")
    assert everything() == {"a": "", "c": ""}


def test_after_the_block_writes_happen_at_once_again(store):
    with store.transaction():
        User.create(id="a")
    User.create(id="b")
    assert everything() == {"a": "", "b": ""}


def test_an_instance_created_in_a_transaction_is_loaded_after_it(store):
    with store.transaction():
        user = User.create(id="a")
    user.update(name="x")
    assert everything() == {"a": "x"}


def test_an_instance_of_a_transaction_that_failed_is_new_still(store, rows):
    with pytest.raises(DuplicateKeyError), store.transaction():  # noqa: PT012  (see above)
        user = User.create(id="c")
        User.create(id="b")
    user.save()
    assert User.get("c") == user


def test_after_hooks_may_write(store):
    class Trail(Model):
        id: str = Field(primary_key=True)

    class Watched(Model):
        id: str = Field(primary_key=True)

        @after_save
        def trail(self) -> None:
            Trail.create(id=self.id)

    with store.transaction():
        Watched.create(id="a")
        assert Trail.count() == 0
    assert Trail.count() == 1


def test_a_backend_that_cannot_do_it_says_so(fresh):
    class Simple(InMemoryBackend):
        capabilities = Capability.CONDITIONS

    with pytest.raises(UnsupportedOperationError, match=r"memory has no transactions(?s:.*)ATOMIC_WRITES"):
        Simple().transaction()
