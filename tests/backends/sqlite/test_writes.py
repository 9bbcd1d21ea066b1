"""Outcomes of writes: what the kernel is told, and that a unit happens whole or not at all."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest

from mixstore import BackendExtension, Field, Mixin, Model
from mixstore.expressions import Compare, Expr
from mixstore.write import REMOVE, Add, Outcome, Write
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.sqlite.conftest import Ask

Use = Callable[..., Any]


class User(Model):
    """A unique field, and numbers to add to."""

    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)
    age: int = 0
    score: float | None = None
    money: Decimal = Decimal(0)
    spent: timedelta | None = None
    notes: dict[str, int] = {}


class Guard(Model):
    """What side writes write."""

    id: str = Field(primary_key=True)


OLD = Compare(("age",), "gte", 100)
LEFT_TO_PYTHON = Compare(("age",), "over", 99, lambda found, operand: found > operand)


@pytest.fixture(autouse=True)
def users(use: Use) -> None:
    use(User, Guard)
    User.create(id="a", email="a@x", age=1)
    User.create(id="b", email="b@x", age=200)


def write(store: SQLiteBackend, op: Any, key: str, **parts: Any) -> Write:
    """A write; a record is given as the fields of a user."""
    bound = store.bound(User)
    if "record" in parts:
        parts["record"] = bound.encode(User(id=key, **parts["record"]))
    return Write(op, bound, (key,), **parts)


def done(store: SQLiteBackend, *writes: Write) -> list[tuple[str, str | None]]:
    outcomes: list[Outcome] = store.execute(store.compile_writes(writes[0].bound, writes))
    return [(one.status, one.field) for one in outcomes]


def one(store: SQLiteBackend, op: Any, key: str, **parts: Any) -> tuple[str, str | None]:
    return done(store, write(store, op, key, **parts))[0]


def test_create_tells_what_is_taken_the_key_first(store: SQLiteBackend) -> None:
    assert one(store, "create", "c", record={"email": "c@x"}) == ("ok", None)
    assert one(store, "create", "a", record={"email": "b@x"}) == ("exists", None)
    assert one(store, "create", "d", record={"email": "b@x"}) == ("unique", "email")


def test_upsert_replaces_the_whole_row_under_its_condition(store: SQLiteBackend) -> None:
    assert one(store, "upsert", "a", record={"age": 7}) == ("ok", None)
    assert User.get("a") == User(id="a", age=7)
    assert one(store, "upsert", "a", record={"age": 8}, condition=OLD) == ("condition", None)
    assert one(store, "upsert", "b", record={"age": 8}, condition=OLD) == ("ok", None)
    assert one(store, "upsert", "new", record={"age": 8}, condition=OLD) == ("ok", None)
    assert one(store, "upsert", "a", record={"email": "c@x"}, absent=True) == ("exists", None)
    assert one(store, "upsert", "c", record={"email": "c@x"}, absent=True) == ("ok", None)
    assert one(store, "upsert", "a", record={"email": "c@x"}) == ("unique", "email")
    assert one(store, "upsert", "a", record={"email": "c@x"}, condition=OLD) == ("condition", None)


@pytest.mark.parametrize("condition", [OLD, LEFT_TO_PYTHON])
def test_update_and_delete_tell_a_missing_row_from_a_condition(store: SQLiteBackend, condition: Expr) -> None:
    assert one(store, "update", "z", changes={"age": 5}) == ("missing", None)
    assert one(store, "update", "z", changes={"age": 5}, condition=condition) == ("missing", None)
    assert one(store, "update", "a", changes={"age": 5}, condition=condition) == ("condition", None)
    assert one(store, "update", "b", changes={"age": 300}, condition=condition) == ("ok", None)
    assert one(store, "update", "b", changes={"email": "a@x"}, condition=condition) == ("unique", "email")
    assert one(store, "delete", "a", condition=condition) == ("condition", None)
    assert one(store, "delete", "b", condition=condition) == ("ok", None)
    assert one(store, "delete", "b", condition=condition) == ("missing", None)
    assert one(store, "delete", "b") == ("missing", None)


def test_the_outcome_of_a_condition_has_the_row_that_is_stored(store: SQLiteBackend) -> None:
    bound = store.bound(User)
    refused = write(store, "update", "a", changes={"age": 5}, condition=OLD)
    (outcome,) = store.execute(store.compile_writes(bound, [refused]))
    assert bound.values_from_row(outcome.stored)["age"] == 1


@pytest.mark.parametrize("dead", [OLD, LEFT_TO_PYTHON])
def test_rows_that_count_as_absent_give_way(store: SQLiteBackend, dead: Expr) -> None:
    assert one(store, "create", "c", record={"email": "b@x"}, evict=dead) == ("ok", None)
    assert User.get("b") is None
    User.create(id="b", email="old@x", age=200)
    assert one(store, "create", "b", record={"email": "a@x"}, evict=dead) == ("unique", "email")
    assert User.get("b").age == 200
    assert one(store, "create", "a", record={}, evict=dead) == ("exists", None)
    assert one(store, "upsert", "b", record={}, evict=dead, absent=True) == ("ok", None)
    assert User.get("b").age == 0


def test_an_update_takes_a_unique_value_from_a_row_that_counts_as_absent(store: SQLiteBackend) -> None:
    changes = {"email": "b@x"}
    assert one(store, "update", "a", changes=changes, evict=OLD) == ("ok", None)
    assert User.get("b") is None
    assert User.get("a").email == "b@x"


def test_an_upsert_asks_no_condition_of_a_row_that_counts_as_absent(store: SQLiteBackend) -> None:
    young = Compare(("age",), "lt", 50)
    assert one(store, "upsert", "b", record={"age": 3}, condition=young, evict=OLD) == ("ok", None)


def test_numbers_are_added_to_in_the_engine(store: SQLiteBackend) -> None:
    changes = {"age": Add(2), "score": Add(0.5), "money": Add(Decimal("0.1")), "spent": Add(timedelta(seconds=1))}
    assert one(store, "update", "a", changes=changes) == ("ok", None)
    assert one(store, "update", "a", changes={"money": Add(Decimal("1e-30"))}) == ("ok", None)
    user = User.get("a")
    assert (user.age, user.score, user.spent) == (3, 0.5, timedelta(seconds=1))
    assert user.money == Decimal("0.100000000000000000000000000001")


def test_removing_a_plain_field_leaves_none(store: SQLiteBackend) -> None:
    assert one(store, "update", "a", changes={"email": REMOVE}) == ("ok", None)
    assert User.get("a").email is None


def test_a_unit_is_stored_whole_or_not_at_all(store: SQLiteBackend) -> None:
    good, bad = {"record": {"email": "c@x"}}, {"record": {"email": "b@x"}}
    unit = [write(store, "create", "c", **good), write(store, "delete", "a"), write(store, "create", "d", **bad)]
    assert done(store, *unit) == [("skipped", None), ("skipped", None), ("unique", "email")]
    assert (User.get("c"), User.get("a").id) == (None, "a")
    assert done(store, write(store, "delete", "zz"), write(store, "create", "c", **good)) == [
        ("missing", None),
        ("ok", None),
    ]


def test_writes_of_a_unit_see_those_before_them(store: SQLiteBackend) -> None:
    unit = [write(store, "delete", "a"), write(store, "create", "c", record={"email": "a@x"})]
    assert done(store, *unit) == [("ok", None), ("ok", None)]


def test_a_failing_side_write_fails_its_owner(store: SQLiteBackend) -> None:
    guards = store.bound(Guard)
    side = Write("create", guards, ("g",), {"id": "g"})
    gone = Write("delete", guards, ("nothing",))
    assert one(store, "create", "c", record={}, side_writes=(side, gone)) == ("ok", None)
    assert one(store, "create", "d", record={}, side_writes=(side,)) == ("exists", None)
    assert User.get("d") is None
    assert Guard.get("g") is not None


def test_a_batch_with_rows_that_fail_stores_the_others(store: SQLiteBackend) -> None:
    bound = store.bound(User)
    given = [("c", "c@x"), ("a", None), ("d", "b@x"), ("c", None), ("e", None)]
    batch = [write(store, "create", key, record={"email": email}) for key, email in given]
    outcomes = store.execute(store.compile_batch(bound, batch))
    assert [one.status for one in outcomes] == ["ok", "exists", "unique", "exists", "ok"]
    assert {one.id for one in User.where().all()} == {"a", "b", "c", "e"}


# -- what extensions store -----------------------------------------------------------------------------------------


class Sealed(Mixin):
    """Keeps `secret` in another form, and adds attributes of its own."""

    secret: str | None = None
    detail: dict[str, Any] = {}

    class Anywhere(BackendExtension):
        def opaque(self, model_class: type[Any]) -> Mapping[str, Literal["refuse", "residual"]]:
            return {"secret": "refuse", "detail": "residual"}

        def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
            if data["secret"] is not None:
                data["length"] = len(data["secret"])
                data["secret"] = base64.b64encode(data["secret"].encode())
            data["detail"] = {"sealed": data["detail"]}
            return data

        def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
            data.pop("length", None)
            if data["secret"] is not None:
                data["secret"] = base64.b64decode(data["secret"]).decode()
            data["detail"] = data["detail"]["sealed"]
            return data


class Letter(Sealed, Model):
    """Has something to hide."""

    id: str = Field(primary_key=True)
    age: int = 0


def test_replaced_and_added_values_come_back_as_they_were(use: Use, ask: Ask) -> None:
    use(Letter)
    Letter.create(id="a", secret="hush", detail={"x": [1, "ü"]})
    Letter.batch_create([{"id": "b"}])
    assert Letter.get("a") == Letter(id="a", secret="hush", detail={"x": [1, "ü"]})
    assert Letter.get("b").secret is None
    assert ask("SELECT secret, _extra FROM Letter ORDER BY id") == [(b"aHVzaA==", '{"length":4}'), (None, None)]


def test_added_attributes_change_and_go_with_their_row(use: Use, ask: Ask) -> None:
    use(Letter)
    letter = Letter.create(id="a", secret="hush")
    letter.update(secret="quiet")
    assert ask("SELECT _extra FROM Letter") == [('{"length":5}',)]
    letter.update(secret=None, age=3)
    assert ask("SELECT age, secret, _extra FROM Letter") == [(3, None, None)]
    assert Letter.get("a") == letter


def test_filters_on_replaced_values_stay_with_python(use: Use) -> None:
    use(Letter)
    Letter.batch_create([{"id": "a", "detail": {"k": 1}}, {"id": "b", "detail": {"k": 2}}])
    assert [one.id for one in Letter.where(detail__k=2).all()] == ["b"]
    assert Letter.where(detail__k=2).limit(1).count() == 1
    with pytest.raises(Exception, match="secret is stored opaque"):
        Letter.where(secret="x").all()


def test_a_table_gets_its_place_for_added_attributes_when_an_extension_comes(use: Use, store: SQLiteBackend) -> None:
    class Plain(Model):
        id: str = Field(primary_key=True)

        class Meta:
            entity = "Note"

    class Adds(Mixin):
        class Anywhere(BackendExtension):
            def serialize(self, data: dict[str, Any]) -> dict[str, Any]:
                return {**data, "added": 1}

            def deserialize(self, data: dict[str, Any]) -> dict[str, Any]:
                data.pop("added", None)
                return data

    class Added(Adds, Model):
        id: str = Field(primary_key=True)

        class Meta:
            entity = "Note"

    use(Plain).create(id="a")
    with SQLiteBackend(store.path) as again:
        Added.bind(again)
        again.initialize(Added)
        Added.create(id="b")
        assert [one.id for one in Added.where().order_by("id").all()] == ["a", "b"]
