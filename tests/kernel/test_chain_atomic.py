"""Side writes happen with their row or not at all, and writes that depend on a read hold or are tried again."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    BatchError,
    ConflictError,
    DuplicateKeyError,
    Field,
    Mixin,
    Model,
    NotFoundError,
    SideWrite,
    WriteChange,
)

pytestmark = pytest.mark.usefixtures("store")


# -- side writes


class Trail(Model):
    """The internal model of the extension below."""

    id: str = Field(primary_key=True)
    text: str = ""


class Trailed(Mixin):
    class Anywhere(BackendExtension):
        def before_write(self, context):
            key = f"{context.key[0]}:{context.asked}"
            return WriteChange(side_writes=(SideWrite("create", Trail(id=key, text=context.values["text"])),))


class Walk(Trailed, Model):
    id: str = Field(primary_key=True)
    text: str = ""
    tag: str | None = Field(None, unique=True)


def trails() -> list[str]:
    return sorted(trail.id for trail in Trail.all())


def test_side_writes_are_stored_with_the_row():
    walk = Walk.create(id="a", text="x")
    walk.update(text="y")
    walk.delete()
    assert trails() == ["a:create", "a:delete", "a:update"]


def test_side_writes_are_not_stored_when_the_row_is_not():
    Walk.create(id="a", tag="x")
    with pytest.raises(DuplicateKeyError):
        Walk.create(id="a")
    with pytest.raises(DuplicateKeyError):
        Walk.create(id="b", tag="x")
    with pytest.raises(NotFoundError):
        Walk(id="c").update(text="y")
    assert trails() == ["a:create"]


def test_the_row_is_not_stored_when_a_side_write_is_not():
    Trail.create(id="a:create")
    with pytest.raises(DuplicateKeyError, match="Trail"):
        Walk.create(id="a")
    assert Walk.count() == 0


def test_a_row_of_a_batch_is_stored_with_its_side_writes_or_not_at_all():
    Trail.create(id="b:create")
    with pytest.raises(BatchError) as caught:
        Walk.batch_create([{"id": "a"}, {"id": "b"}, {"id": "c"}])
    assert list(caught.value.failed) == [1]
    assert (sorted(walk.id for walk in Walk.all()), trails()) == (["a", "c"], ["a:create", "b:create", "c:create"])


def test_side_writes_of_a_transaction_are_stored_all_or_not(store):
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012  (the transaction is the block)
        Walk.create(id="a")
        raise KeyError("out")
    assert trails() == []
    with store.transaction():
        Walk.create(id="a")
        Walk.create(id="b")
    assert trails() == ["a:create", "b:create"]


# -- reads


class Reading(Mixin):
    """Counts on with what is stored; `meddle` stands for other writers that come in between."""

    total: int = 0

    class Anywhere(BackendExtension):
        reads = {"upsert": ("total",), "update": ("total",)}
        previous: list[Any] = []
        meddle: list[Any] = []

        def before_write(self, context):
            self.previous.append(context.previous and context.previous["total"])
            if self.meddle:
                self.meddle.pop()()
            if context.operation == "create":
                return None
            return WriteChange({"total": 1 if context.previous is None else context.previous["total"] + 1})


class Meter(Reading, Model):
    id: str = Field(primary_key=True)
    text: str = ""


@pytest.fixture
def meddle(store) -> Any:
    """Makes the next writes find that somebody else was there: `meddle(times)`."""
    Reading.Anywhere.previous.clear()
    Reading.Anywhere.meddle.clear()

    def change() -> None:
        bound = store.bound(Meter)
        stored = store.execute(bound.engine.compile_get(bound, (("a",),)))[0]
        record = {**stored, "total": stored["total"] + 10} if stored else {"id": "a", "text": "", "total": 10}
        store.execute(bound.engine.compile_plain(bound, "upsert", ("a",), record, None))

    return lambda times: Reading.Anywhere.meddle.extend([change] * times)


def test_an_extension_may_read_the_stored_row_first(meddle):
    Meter.upsert(id="a")
    Meter.upsert(id="a")
    Meter.get("a").update(text="x")
    assert Reading.Anywhere.previous == [None, 1, 2]
    assert Meter.get("a").total == 3


def test_a_write_is_tried_again_when_the_row_changed_after_it_was_read(meddle):
    Meter.upsert(id="a")
    meddle(2)
    Meter.upsert(id="a")
    assert Reading.Anywhere.previous == [None, 1, 11, 21]
    assert Meter.get("a").total == 22


def test_a_write_is_tried_again_when_the_row_appeared_after_it_was_read(meddle):
    meddle(1)
    Meter.upsert(id="a", text="x")
    assert Reading.Anywhere.previous == [None, 10]
    assert (Meter.get("a").total, Meter.get("a").text) == (11, "x")


def test_a_write_is_given_up_after_five_attempts(meddle):
    Meter.upsert(id="a")
    meddle(5)
    with pytest.raises(ConflictError, match=r"changed under 5 attempts to upsert it .*model=Meter, key='a'"):
        Meter.upsert(id="a", text="x")
    assert (len(Reading.Anywhere.previous), Meter.get("a").text) == (6, "")


def test_four_disturbed_attempts_are_not_too_many(meddle):
    Meter.upsert(id="a")
    meddle(4)
    Meter.upsert(id="a", text="x")
    assert Meter.get("a").text == "x"


def test_a_batch_tries_again_row_by_row(meddle):
    Meter.upsert(id="a")
    meddle(1)
    Meter.batch_upsert([{"id": "a", "text": "x"}, {"id": "b"}])
    assert (Meter.get("a").total, Meter.get("a").text, Meter.get("b").total) == (12, "x", 1)


def test_a_transaction_finds_at_the_commit_that_the_row_changed(store, meddle):
    Meter.upsert(id="a")
    meddle(1)
    with pytest.raises(ConflictError), store.transaction():
        Meter.upsert(id="a", text="x")
    assert Meter.get("a").text == ""
