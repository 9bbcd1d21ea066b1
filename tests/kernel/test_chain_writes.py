"""What extensions do to writes: changed values and conditions; and that no path goes around them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    BatchError,
    Condition,
    ConflictError,
    Field,
    HookError,
    Mixin,
    Model,
    Q,
    SchemaError,
    ValidationError,
    WriteChange,
)

pytestmark = pytest.mark.usefixtures("store")


# -- changed values


class Counted(Mixin):
    """Counts the writes of a row, and writes down each: (operation, asked, key, previous count)."""

    writes: int = 0

    class Anywhere(BackendExtension):
        log: list[tuple[Any, ...]] = []

        def before_write(self, context):
            before = None if context.previous is None else context.previous["writes"]
            self.log.append((context.operation, context.asked, context.key, before))
            return None if context.operation == "delete" else WriteChange({"writes": (before or 0) + 1})


class Note(Counted, Model):
    id: str = Field(primary_key=True)
    text: str = ""


@pytest.fixture
def writes() -> list[tuple[Any, ...]]:
    Counted.Anywhere.log.clear()
    return Counted.Anywhere.log


def create(store):
    Note.create(id="a")


def save_new(store):
    Note(id="a").save()


def save_loaded(store):
    note = Note.create(id="a")
    note.text = "x"
    note.save()


def update(store):
    Note.create(id="a").update(text="x")


def upsert(store):
    Note.upsert(id="a")


def delete(store):
    Note.create(id="a").delete()


def batch_create(store):
    Note.batch_create([{"id": "a"}])


def batch_upsert(store):
    Note.batch_upsert([{"id": "a"}])


def update_by_query(store):
    Note.create(id="a")
    Note.where().update(text="x")


def delete_by_query(store):
    Note.create(id="a")
    Note.where().delete()


def transaction(store):
    with store.transaction():
        Note.create(id="a")


@pytest.mark.parametrize(
    ("act", "seen"),
    [
        (create, [("create", "create", ("a",), None)]),
        (save_new, [("create", "create", ("a",), None)]),
        (save_loaded, [("create", "create", ("a",), None), ("update", "update", ("a",), 1)]),
        (update, [("create", "create", ("a",), None), ("update", "update", ("a",), 1)]),
        (upsert, [("upsert", "upsert", ("a",), None)]),
        (delete, [("create", "create", ("a",), None), ("delete", "delete", ("a",), 1)]),
        (batch_create, [("create", "create", ("a",), None)]),
        (batch_upsert, [("upsert", "upsert", ("a",), None)]),
        (update_by_query, [("create", "create", ("a",), None), ("update", "update", ("a",), 1)]),
        (delete_by_query, [("create", "create", ("a",), None), ("delete", "delete", ("a",), 1)]),
        (transaction, [("create", "create", ("a",), None)]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_path_goes_around_the_chain(store, writes, act, seen):
    act(store)
    assert writes == seen


def test_changed_values_are_stored_and_come_back_to_the_instance():
    note = Note.create(id="a")
    note.update(text="x")
    assert (note.writes, Note.get("a").writes) == (2, 2)


def test_an_extension_that_sets_a_field_which_is_not_there_is_an_error_that_names_it():
    class Odd(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                return WriteChange({"wrtes": 1})

    class Thing(Odd, Model):
        id: str = Field(primary_key=True)
        writes: int = 0

    with pytest.raises(SchemaError, match=r"(?s)Thing lacks the field that .*Odd\.Anywhere sets: 'wrtes'.*'writes'"):
        Thing.create(id="a")


def test_values_that_an_extension_sets_are_validated():
    class Odd(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                return WriteChange({"size": "many"})

    class Thing(Odd, Model):
        id: str = Field(primary_key=True)
        size: int = 0

    with pytest.raises(ValidationError, match="size"):
        Thing.create(id="a")
    assert Thing.count() == 0


def test_an_extension_sees_the_values_that_those_before_it_set():
    class First(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                return WriteChange({"text": "first"})

    class Second(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                return WriteChange({"text": context.values["text"] + " second"})

    class Thing(First, Second, Model):
        id: str = Field(primary_key=True)
        text: str = ""

    assert Thing.create(id="a").text == "first second"


def test_the_context_of_a_write_cannot_be_changed():
    class Odd(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                context.values["text"] = "x"

    class Thing(Odd, Model):
        id: str = Field(primary_key=True)
        text: str = ""

    with pytest.raises(HookError, match="TypeError"):
        Thing.create(id="a")


def test_all_extensions_of_a_write_are_told_one_moment(store):
    moments: list[datetime] = []

    class Timed(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                store.clock.advance(seconds=1)
                moments.append(context.now)

            def after_write(self, context, outcome):
                moments.append(context.now)

    class AlsoTimed(Mixin):
        class Anywhere(Timed.Anywhere):
            name = "also_timed"

    class Thing(Timed, AlsoTimed, Model):
        id: str = Field(primary_key=True)

    Thing.create(id="a")
    assert len(moments) == 4
    assert len(set(moments)) == 1


# -- conditions


class Full(ConflictError):
    """The error of the extension below."""


class Limited(Mixin):
    size: int = 0

    class Anywhere(BackendExtension):
        def before_write(self, context):
            if context.operation == "create":
                return None
            return WriteChange(condition=Condition(Q(size__lt=3), lambda stored: Full(f"full at {stored['size']}")))


class Box(Limited, Model):
    id: str = Field(primary_key=True)
    label: str = ""


def test_a_condition_that_does_not_hold_on_the_stored_row_raises_its_own_error():
    box = Box.create(id="a")
    Box.get("a").update(size=3)
    with pytest.raises(Full, match=r"full at 3.*model=Box, key='a', backend=memory"):
        box.update(label="x")
    with pytest.raises(Full):
        box.delete()
    assert (Box.get("a").label, box.label) == ("", "")


def test_a_condition_is_checked_in_batches_and_transactions_too(store):
    Box.create(id="a", size=5)
    with pytest.raises(BatchError) as caught:
        Box.batch_upsert([{"id": "a"}, {"id": "b"}])
    assert {index: type(error) for index, error in caught.value.failed.items()} == {0: Full}
    box = Box.get("a")
    with pytest.raises(Full), store.transaction():  # noqa: PT012  (the transaction is the block)
        Box.create(id="c")
        box.update(label="x")
    assert sorted(one.id for one in Box.all()) == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "told"),
    [(lambda stored: stored["nothing"], "raised KeyError"), (lambda stored: None, "must give an exception, not None")],
)
def test_a_condition_that_cannot_make_its_error_is_named(error, told):
    class Odd(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                return WriteChange(condition=Condition(Q(id="other"), error))

    class Thing(Odd, Model):
        id: str = Field(primary_key=True)

    thing = Thing.create(id="a")
    with pytest.raises(HookError, match=rf"Condition\(id = 'other'\)\.error {told}"):
        thing.delete()
    assert Thing.exists(id="a")


def test_a_condition_on_an_unknown_field_names_it():
    class Odd(Mixin):
        class Anywhere(BackendExtension):
            def before_write(self, context):
                return WriteChange(condition=Condition(Q(szie=3), lambda stored: Full()))

    class Thing(Odd, Model):
        id: str = Field(primary_key=True)
        size: int = 0

    with pytest.raises(Exception, match="szie"):
        Thing.create(id="a")


# -- what an extension must not do


class Meddling(Mixin):
    class Anywhere(BackendExtension):
        def serialize(self, data):
            return {**data, "name": data["name"].upper()}


def test_serialize_that_changes_a_field_which_it_does_not_declare_is_an_error():
    class Thing(Meddling, Model):
        id: str = Field(primary_key=True)
        name: str = ""

    with pytest.raises(HookError, match=r"Meddling\.Anywhere\.serialize changed 'name'.*opaque") as caught:
        Thing.create(id="a", name="x")
    assert (caught.value.model, caught.value.key, Thing.count()) == (Thing, "a", 0)


def test_serialize_that_drops_a_field_is_an_error():
    class Dropping(Mixin):
        class Anywhere(BackendExtension):
            def serialize(self, data):
                return {"id": data["id"]}

    class Thing(Dropping, Model):
        id: str = Field(primary_key=True)
        name: str = ""

    with pytest.raises(HookError, match="changed 'name'"):
        Thing.create(id="a")


def test_serialize_may_add_attributes_which_an_update_writes_and_takes_away():
    class Sized(Mixin):
        class Anywhere(BackendExtension):
            def serialize(self, data):
                return {**data, "_length": len(data["name"])} if data["name"] else data

            def deserialize(self, data):
                return {name: value for name, value in data.items() if name != "_length"}

    class Thing(Sized, Model):
        id: str = Field(primary_key=True)
        name: str = ""

    def stored() -> dict[str, Any]:
        bound = thing.__class__.where()._bound()
        return bound.engine.execute(bound.engine.compile_get(bound, (("a",),)))[0]

    thing = Thing.create(id="a", name="four")
    assert stored() == {"id": "a", "name": "four", "_length": 4}
    thing.update(name="seven77")
    assert stored()["_length"] == 7
    thing.update(name="")
    assert stored() == {"id": "a", "name": ""}
    assert Thing.get("a") == thing
