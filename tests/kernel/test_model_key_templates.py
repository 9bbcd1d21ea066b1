"""Keys of models that are rendered, by templates or by methods, and never show."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest

from mixstore import (
    BatchError,
    DuplicateKeyError,
    Key,
    Model,
    QueryError,
    SchemaError,
    ValidationError,
    partition_key,
    sort_key,
)
from mixstore.schema import schema_of

pytestmark = pytest.mark.usefixtures("store")

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


class Color(Enum):
    RED = "red"


# -- templates


class Todo(Model):
    class Meta:
        key = Key(partition="USER#{user_id}", sort="TODO#{created_at}#{todo_id}")

    user_id: str
    created_at: datetime = NOON
    todo_id: str
    title: str = ""


def todo(todo_id: str = "t1", user_id: str = "u1", **told: Any) -> Todo:
    return Todo.create(user_id=user_id, todo_id=todo_id, **told)


def test_a_template_makes_the_key_of_fields():
    made = todo(title="x")
    found = Todo.get(user_id="u1", created_at=NOON, todo_id="t1")
    assert (found, found.title) == (made, "x")
    assert Todo.get(("u1", NOON, "t1")) == made
    with pytest.raises(DuplicateKeyError, match=r"'_pk': 'USER#u1'"):
        todo()


def test_schema_renders_the_key_of_values():
    schema = schema_of(Todo)
    values = {"user_id": "u1", "created_at": NOON, "todo_id": "t1"}
    assert schema.key_from(values) == ("USER#u1", "TODO#2026-01-01T12:00:00.000000Z#t1")
    assert schema.key_from({"user_id": "u1"}) is None


def test_the_adapter_tells_rendered_keys_by_their_short_names(store):
    assert store.adapter.get_primary_key_value(todo()) == {
        "pk": "USER#u1",
        "sk": "TODO#2026-01-01T12:00:00.000000Z#t1",
    }


def test_separators_in_values_cannot_make_two_rows_one():
    class Pair(Model):
        class Meta:
            key = Key(partition="{left}#{right}")

        left: str
        right: str

    Pair.create(left="x#y", right="z")
    Pair.create(left="x", right="y#z")
    Pair.create(left="x%23y", right="z")
    assert Pair.count() == 3
    assert Pair.get(left="x", right="y#z").right == "y#z"


def test_hidden_keys_do_not_show(store):
    made = todo()
    hidden = {"_pk", "_sk"}
    for loaded in (made, Todo.get(("u1", NOON, "t1")), Todo.all()[0], *Todo.where(), *Todo.where().limit(3).paginate()):
        assert not hidden & {*vars(loaded), *loaded.model_dump(), *loaded.model_fields_set}
    assert set(Todo.where().select().all()[0]) == {"user_id", "created_at", "todo_id", "title"}
    assert set(store.get(Todo, user_id="u1", created_at=NOON, todo_id="t1")) == set(Todo.model_fields)
    assert not hidden & set(store.create(Todo, {"user_id": "u2", "todo_id": "t"}))


def test_hidden_keys_cannot_be_asked_for():
    for name in ("_pk", "_sk"):
        with pytest.raises(QueryError, match=name):
            Todo.where(**{name: "USER#u1"})
        with pytest.raises(QueryError, match=name):
            Todo.where().order_by(name)
        with pytest.raises(QueryError, match=name):
            Todo.where().select(name)


def test_rows_with_templates_are_queried_updated_and_deleted_like_any():
    for n in range(5):
        todo(f"t{n}", created_at=NOON + timedelta(days=n))
    assert [one.todo_id for one in Todo.where(user_id="u1").order_by("-created_at").limit(2).all()] == ["t4", "t3"]
    assert Todo.where(todo_id="t3").update(title="x") == 1
    assert Todo.where(created_at__lt=NOON + timedelta(days=2)).delete() == 2
    assert [one.title for one in Todo.where()] == ["", "x", ""]
    page = Todo.where().limit(2).paginate()
    assert [one.todo_id for one in Todo.where().limit(2).cursor(page.cursor).paginate()] == ["t4"]


def test_a_field_of_the_template_cannot_change():
    made = todo()
    for change in ({"user_id": "u2"}, {"todo_id": "t2"}, {"created_at": NOON + timedelta(1)}):
        with pytest.raises(ValidationError, match="the key of a saved Todo can't change"):
            made.update(**change)
    made.update(title="x")
    assert Todo.count() == 1


def test_a_value_that_does_not_fit_its_template_is_an_error_that_names_it():
    class Page(Model):
        class Meta:
            key = Key(partition="PAGE#{number:03d}")

        number: int

    Page.create(number=7)
    assert Page.get(7).number == 7
    with pytest.raises(ValidationError, match="number"):
        Page.create(number=1000)
    for batch in (Page.batch_create, Page.batch_upsert):
        with pytest.raises(BatchError, match="number") as caught:
            batch([{"number": -1}, {"number": 8}, {"number": -1}])
        assert set(caught.value.failed) >= {0, 2}
    with pytest.raises(QueryError, match="number"):
        Page.get(1000)
    assert Page.count() == 2
    with pytest.raises(ValidationError, match="valid integer"):
        Page.create(number="many")


def test_a_template_of_an_unknown_field_names_the_nearest_one():
    class Odd(Model):
        class Meta:
            key = Key(partition="USER#{user_di}")

        user_id: str

    with pytest.raises(SchemaError, match=r"(?s)'user_di'.*did you mean 'user_id'"):
        Odd.create(user_id="x")


def test_a_template_of_a_nullable_field_is_refused():
    class Odd(Model):
        class Meta:
            key = Key(partition="USER#{user_id}")

        user_id: str | None = None

    with pytest.raises(SchemaError, match=r"Odd\.user_id: a key is one plain value"):
        Odd.create(user_id="x")


# -- methods


class Order(Model):
    tenant: str
    number: int
    note: str = ""

    @partition_key
    def pk(self) -> str:
        return f"TENANT#{self.tenant}"

    @sort_key
    def sk(self) -> str:
        return f"ORDER#{self.number:06d}"


def test_methods_make_the_key():
    made = Order.create(tenant="x", number=7)
    assert Order.get(tenant="x", number=7) == made
    assert schema_of(Order).key_from({"tenant": "x", "number": 7}) == ("TENANT#x", "ORDER#000007")
    with pytest.raises(DuplicateKeyError):
        Order.create(tenant="x", number=7, note="other")
    made.update(note="y")
    assert (made.delete(), Order.count()) == (True, 0)


def test_methods_are_inherited():
    class Express(Order):
        fast: bool = True

    assert Express.create(tenant="x", number=1) == Express.get(tenant="x", number=1)


def test_get_without_what_the_methods_need_says_so():
    with pytest.raises(QueryError, match="this is not the key of a Order"):
        Order.get(tenant="x")
    with pytest.raises(QueryError, match="did you mean 'number'"):
        Order.get(tenant="x", numbr=7)
    with pytest.raises(QueryError, match="by name"):
        Order.get("x")


def test_a_method_that_gives_none_is_a_missing_part_of_the_key():
    class Draft(Model):
        name: str | None = None

        @partition_key
        def pk(self) -> str | None:
            return self.name

    with pytest.raises(ValidationError, match="a part of the key is missing"):
        Draft.create()
    assert Draft.create(name="x").name == "x"


def test_a_method_that_fails_is_an_error_that_names_it():
    class Odd(Model):
        name: str

        @partition_key
        def pk(self) -> str:
            return str({}[self.name])

    for name in ("x", 5):
        with pytest.raises(ValidationError, match=r"Odd\.pk" if name == "x" else "valid string"):
            Odd.create(name=name)
    with pytest.raises(QueryError, match=r"Odd\.pk"):
        Odd.get(name="x")


def test_the_fields_that_methods_use_cannot_change_the_key():
    made = Order.create(tenant="x", number=7)
    with pytest.raises(ValidationError, match="can't change"):
        made.update(number=8)
    assert Order.get(tenant="x", number=7).number == 7


def test_an_async_key_method_is_refused():
    with pytest.raises(SchemaError, match="async"):

        class Odd(Model):
            name: str

            @partition_key
            async def pk(self) -> str:
                return self.name


def test_a_format_that_does_not_fit_its_field_is_refused_when_the_model_is_first_used(store):
    class Plan(Model):
        class Meta:
            key = Key(partition="PLAN#{name:010d}")

        name: str

    with pytest.raises(SchemaError, match=r"Plan\.Meta\.key: the format '010d' does not fit 'name', a str"):
        Plan.where()
