"""What extensions write beside a final row, after reading what they must know; and models that are only written so."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    BatchError,
    ConflictError,
    DuplicateKeyError,
    Field,
    HookError,
    Mixin,
    Model,
    SideWrite,
    WriteChange,
    bound_of,
    place_of,
    store_values,
)
from mixstore_backends.memory import InMemoryBackend

pytestmark = pytest.mark.usefixtures("store")


class Line(Model):
    class Meta:
        internal = True

    row: str = Field(primary_key=True, index=True)
    number: int = Field(primary_key=True)
    text: str = ""
    changed: list[str] = []


class Numbered(Mixin):
    """Writes numbered lines; `meddle` stands for other writers that come in between."""

    class Numbering(BackendExtension):
        meddle: list[Any] = []
        seen: list[Any] = []

        def side_models(self, model_class):
            return (Line,)

        def read_beside(self, operation, key):
            return self.backend.query(Line).filter(row=key[0]).order_by("-number").limit(1).query

        def write_beside(self, context, found):
            if self.meddle:
                self.meddle.pop()()
            self.seen.append(context)
            number = found[0]["number"] + 1 if found else 1
            record = context.record or {}
            line = Line(
                row=context.key[0], number=number, text=record.get("text", "?"), changed=sorted(context.changed)
            )
            yield SideWrite("create", line, contested=True)


class Shouting(Mixin):
    class Loud(BackendExtension):
        def before_write(self, context):
            return WriteChange({"text": context.values["text"].upper()})


class Song(Numbered, Shouting, Model):
    id: str = Field(primary_key=True)
    text: str = ""
    plays: int = 0


@pytest.fixture(autouse=True)
def nobody_meddles() -> None:
    Numbered.Numbering.meddle.clear()
    Numbered.Numbering.seen.clear()


def lines() -> list[tuple[int, str, list[str]]]:
    return [(line.number, line.text, line.changed) for line in Line.where().order_by("row", "number").all()]


def taken(number: int) -> Any:
    return lambda: Line.create(row="a", number=number, text="other")


def test_rows_beside_are_made_of_the_final_row():
    Song.create(id="a", text="la")
    assert lines() == [(1, "LA", ["id", "plays", "text"])]


def test_an_update_tells_what_it_writes_on_top_of_the_row_as_loaded():
    song = Song.create(id="a", text="la")
    song.update(plays=3)
    assert lines()[1] == (2, "LA", ["plays"])
    assert Numbered.Numbering.seen[1].record == {"id": "a", "text": "LA", "plays": 3}


def test_a_delete_tells_the_row_as_it_was():
    Song.create(id="a", text="la").delete()
    assert lines()[1] == (2, "LA", [])


def test_what_another_writer_took_in_between_is_prepared_anew():
    Song.create(id="a")
    Numbered.Numbering.meddle.extend([taken(3), taken(2)])
    Song.get("a").update(text="x")
    assert [(number, text) for number, text, _ in lines()] == [(1, ""), (2, "other"), (3, "other"), (4, "X")]
    assert Song.get("a").text == "X"


def test_a_batch_prepares_a_row_anew_by_itself():
    Numbered.Numbering.meddle.append(taken(1))
    Song.batch_create([{"id": "a"}, {"id": "b"}])
    assert [number for number, _, _ in lines()] == [1, 2, 1]


def test_a_transaction_that_was_overtaken_is_a_conflict(store):
    Numbered.Numbering.meddle.append(taken(1))
    with pytest.raises(ConflictError, match="Song changed while it was written"), store.transaction():
        Song.create(id="a")
    assert Song.count() == 0


def test_what_fails_for_another_reason_is_not_tried_again():
    Song.create(id="a")
    with pytest.raises(DuplicateKeyError, match="Song exists already"):
        Song.create(id="a")
    assert len(lines()) == 1


def test_a_key_that_a_hook_makes_is_known_from_the_second_attempt_on():
    class Keyed(Song):
        class Keys(BackendExtension):
            name = "keys"

            def before_write(self, context):
                return WriteChange({"id": "made"})

    Line.create(row="made", number=1)
    instance = Keyed.model_construct(id=None, text="", plays=0)
    instance.save()
    assert [number for number, _, _ in lines()] == [1, 2]


@pytest.mark.parametrize(
    ("hook", "problem"), [("read_beside", "a Query or None"), ("write_beside", "side writes that are a SideWrite")]
)
def test_a_hook_that_gives_something_else_is_named(hook, problem):
    class Odd(Mixin):
        class Ends(BackendExtension):
            def read_beside(self, operation, key):
                return 5 if hook == "read_beside" else None

            def write_beside(self, context, found):
                return (5,)

    class Thing(Odd, Model):
        id: str = Field(primary_key=True)

    with pytest.raises(HookError, match=rf"Ends.{hook} must give {problem}, not int"):
        Thing.create(id="a")
    with pytest.raises(BatchError):
        Thing.batch_create([{"id": "a"}])
    assert Thing.count() == 0


# -- what the caller has seen


def test_a_context_tells_what_was_loaded_beside_what_is_stored():
    told = []

    class Looking(Mixin):
        class Look(BackendExtension):
            reads = {"update": ()}

            def before_write(self, context):
                told.append([one and one["n"] for one in (context.loaded, context.previous)])

    class Counter(Looking, Model):
        id: str = Field(primary_key=True)
        n: int = 0

    stale = Counter.create(id="a")
    Counter.get("a").update(n=5)
    stale.update(n=7)
    assert told == [[None, None], [0, 0], [0, 5]]


# -- models that are only written beside others


def test_an_internal_model_is_set_up_with_those_that_write_it_only(fresh):
    assert Line not in fresh.models
    backend = InMemoryBackend()
    backend.initialize(Song)
    assert Line in backend._bounds


def test_a_subclass_of_an_internal_model_is_none_unless_it_says_so(fresh):
    class Verse(Line):
        pass

    assert Verse in fresh.models


# -- for verbs of mixins


def test_values_that_were_stored_before_are_stored_without_the_validators_of_the_model():
    from pydantic import field_validator

    class Account(Model):
        id: str = Field(primary_key=True)
        password: str

        @field_validator("password")
        @classmethod
        def hash(cls, value: str) -> str:
            return f"#{value}"

    account = Account.create(id="a", password="x")
    store_values(account, {"password": "#old"})
    assert (account.password, Account.get("a").password) == ("#old", "#old")


def test_an_instance_tells_where_it_came_from():
    elsewhere = InMemoryBackend()
    Song.bind(elsewhere)
    song = Song.create(id="a")
    Song.bind(None)
    assert place_of(song).backend is elsewhere
    assert place_of(Song(id="b")) is bound_of(Song)


def test_a_row_that_appears_after_it_was_looked_for_is_looked_at_before_it_is_deleted():
    found, meddle = [], []

    class Watching(Mixin):
        class Watch(BackendExtension):
            reads = {"delete": ()}

            def before_write(self, context):
                if context.operation == "delete":
                    found.append(context.previous and context.previous["n"])
                    if meddle:
                        meddle.pop()()

    class Gauge(Watching, Model):
        id: str = Field(primary_key=True)
        n: int = 0

    meddle.append(lambda: Gauge.create(id="a", n=5))
    assert Gauge(id="a").delete() is True
    assert (found, Gauge.count()) == ([None, 5], 0)
    assert Gauge(id="a").delete() is False
