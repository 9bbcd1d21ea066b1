"""The relay, when things go wrong: a side that is away, a record that is refused, a store that was put back."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from mixstore import BackendUnavailableError, Field, Model, ValidationError
from mixstore.expressions import Compare
from mixstore_backends.composite import CompositeBackend, Relay, Relayed
from mixstore_backends.composite.marks import SyncMark
from tests.backends.shared.support import ids

TRIES = 3


class Article(Model):
    """A plain one."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


@pytest.fixture
def backend(losing):
    """Bound and initialized; gives up after three tries."""
    losing.tries = TRIES
    Article.bind(losing)
    losing.initialize(Article)
    yield losing
    Article.bind(None)


def mark_of(backend, key):
    """The mark of an article."""
    return backend.marks.load(backend.storage.execute(backend.storage.compile_get(backend.marks, ((key,),)))[0])


def test_while_the_search_side_is_away_writes_are_stored_and_wait(backend):
    backend.search.away = True
    Article.create(id="a", title="one")
    assert Article.get("a").title == "one"
    with pytest.raises(BackendUnavailableError):
        Relay(backend).once()
    assert backend.behind() == (1, backend.clock.now, 0)
    backend.search.away = False
    assert Relay(backend).once() == Relayed(1, 0)
    assert ids(Article.search("one").all()) == ["a"]


def test_a_running_relay_goes_on_when_the_search_side_comes_back(backend, monkeypatch):
    monkeypatch.setattr("mixstore_backends.composite.relay.IDLE", 0.01)
    stop, seen = threading.Event(), threading.Event()
    relay = Relay(backend, note=lambda done: seen.set())
    backend.search.away = True
    Article.create(id="a", title="one")
    worker = threading.Thread(target=relay.run, args=(stop,))
    worker.start()
    assert not seen.wait(0.1)
    backend.search.away = False
    assert seen.wait(30)
    stop.set()
    worker.join(30)
    assert ids(Article.search("one").all()) == ["a"]


@pytest.fixture
def poisoned(backend, monkeypatch):
    """The search side takes no record whose key is "bad", until `cured` is called."""
    there = backend.copies(backend.bound(Article)).there
    encode = there.encode

    def refusing(instance):
        if instance.id == "bad":
            raise ValidationError("the title is too much for the search side")
        return encode(instance)

    there.encode = refusing
    return lambda: setattr(there, "encode", encode)


def test_a_record_that_is_refused_keeps_no_other_from_being_copied(backend, poisoned):
    Article.batch_create([{"id": "bad"}, {"id": "good", "title": "fine"}])
    assert Relay(backend).once() == Relayed(1, 1)
    assert ids(Article.search("fine").all()) == ["good"]


def test_a_record_that_is_refused_is_tried_less_and_less_often_and_then_given_up(backend, poisoned):
    Article.create(id="bad")
    for seconds in (0, 1, 2):
        backend.clock.forward(seconds=seconds)
        assert Relay(backend).once() == Relayed(0, 1)
        assert Relay(backend).once() == Relayed(0, 0)
    (given_up,) = Relay(backend).given_up()
    assert (given_up.key, given_up.tries) == ('["bad"]', TRIES)
    assert "too much for the search side" in given_up.error
    assert backend.behind() == (0, None, 1)


def test_what_was_given_up_is_taken_up_by_an_operator_or_the_next_write(backend, poisoned):
    Article.create(id="bad", title="word")
    for _ in range(TRIES):
        backend.clock.forward(minutes=1)
        Relay(backend).once()
    poisoned()
    assert Relay(backend).once() == Relayed(0, 0)
    assert Relay(backend).retry() == 1
    assert Relay(backend).once() == Relayed(1, 0)
    assert ids(Article.search("word").all()) == ["bad"]
    assert list(Relay(backend).given_up()) == []


def test_a_write_of_a_record_that_was_given_up_starts_anew(backend, poisoned):
    Article.create(id="bad")
    for _ in range(TRIES):
        backend.clock.forward(minutes=1)
        Relay(backend).once()
    poisoned()
    Article.get("bad").update(title="word")
    assert Relay(backend).once() == Relayed(1, 0)
    assert backend.behind().given_up == 0


def test_an_older_copy_that_arrives_late_does_not_replace_a_later_one(backend):
    article = Article.create(id="a", title="old")
    copies = backend.copies(backend.bound(Article))
    old_mark = mark_of(backend, 'Article:["a"]')
    old_row = backend.storage.execute(backend.storage.compile_get(copies.bound, (("a",),)))[0]
    article.update(title="new")
    Relay(backend).once()
    late = copies.write(old_mark, ("a",), old_row)
    (outcome,) = backend.search.execute(copies.plans([late], visible=True)[0])
    assert outcome.status == "condition"
    assert ids(Article.search("new").all()) == ["a"]


def test_a_late_copy_of_a_record_that_was_deleted_does_not_bring_it_back(backend):
    article = Article.create(id="a", title="old")
    copies = backend.copies(backend.bound(Article))
    old_mark = mark_of(backend, 'Article:["a"]')
    old_row = backend.storage.execute(backend.storage.compile_get(copies.bound, (("a",),)))[0]
    article.delete()
    Relay(backend).once()
    (outcome,) = backend.search.execute(copies.plans([copies.write(old_mark, ("a",), old_row)], visible=True)[0])
    assert outcome.status == "condition"
    assert ids(Article.search("old").all()) == []


def test_a_storage_that_was_put_back_counts_on_from_above_the_search_side(backend):
    article = Article.create(id="a", title="one")
    for number in range(5):
        article.update(title=f"word{number}")
    Relay(backend).once()
    (mark,) = backend.query(SyncMark).all()
    backend.query(SyncMark).filter(Compare(("place",), "eq", mark.place)).update(number=1)  # as in a backup
    article.update(title="later")
    assert Relay(backend).once() == Relayed(1, 0)
    assert ids(Article.search("later").all()) == ["a"]
    assert backend.query(SyncMark).one().number > 6
    article.update(title="latest")
    assert Relay(backend).once() == Relayed(1, 0)
    assert ids(Article.search("latest").all()) == ["a"]


def test_records_of_models_that_this_program_does_not_know_wait_for_one_that_does(backend, sides):
    Article.create(id="a", title="one")
    other = CompositeBackend(backend.storage, sides("memory", "other"))
    other.clock = backend.clock
    assert Relay(other).once() == Relayed(0, 1)
    assert Relay(backend).once() == Relayed(0, 0)  # it waits for some minutes now
    backend.clock.now += timedelta(minutes=11)
    assert Relay(backend).once() == Relayed(1, 0)
    assert ids(Article.search("one").all()) == ["a"]


def test_more_records_than_a_batch_are_all_copied(backend):
    Article.batch_create([{"id": f"a{n}", "title": "word"} for n in range(50)])
    seen = []
    assert Relay(backend, batch=3, note=seen.append).once() == Relayed(50, 0)
    assert sum(done.applied for done in seen) == 50
    assert max(done.applied for done in seen) <= 3
    assert Article.search("word").count() == 50


async def test_a_round_can_be_awaited(backend):
    await Article.acreate(id="a", title="one")
    assert await Relay(backend).aonce() == Relayed(1, 0)
    assert ids(await Article.search("one").aall()) == ["a"]


def test_a_mark_holds_nothing_of_the_record_but_its_key(backend):
    Article.create(id="a", title="secret words")
    (mark,) = backend.query(SyncMark).all()
    assert "secret" not in json.dumps(mark.model_dump(mode="json"))
