"""The search side follows the storage: whatever is written, by whichever way, is found there and nothing else is."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from mixstore import ConflictError, DuplicateKeyError, Field, Model, NotFoundError
from mixstore_backends.composite import Relay
from mixstore_backends.composite.applying import KEPT
from mixstore_backends.composite.marks import SyncMark
from mixstore_extensions import TTL, Encrypted, History, KeyRing, SoftDelete, Versioned
from tests.backends.shared.support import ids, together


class Article(Model):
    """A plain one."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    number: int = 0


class Note(TTL, SoftDelete, Versioned, Model):
    """One that expires, is deleted softly and is locked."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


class Member(History, Model):
    """One with rows beside it."""

    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)
    title: str = Field("", searchable=True)


@pytest.fixture
def use(backend):
    """`use(Model, ...)`: bind and initialize."""
    bound = []

    def bind(*models):
        for model in models:
            model.bind(backend)
            bound.append(model)
        backend.initialize(*models)

    yield bind
    for model in bound:
        model.bind(None)


def relayed(backend):
    """How many records one round of a relay copied; none of them failed."""
    done = Relay(backend).once()
    assert done.failed == 0
    return done.applied


def test_what_is_written_is_found_when_the_relay_has_been_there(backend, use):
    use(Article)
    Article.create(id="a", title="on the web")
    assert ids(Article.search("web").all()) == []
    assert backend.behind().waiting == 1
    assert relayed(backend) == 1
    assert ids(Article.search("web").all()) == ["a"]
    assert backend.behind() == (0, None, 0)
    assert relayed(backend) == 0


def test_a_change_and_a_delete_are_followed(backend, use):
    use(Article)
    article = Article.create(id="a", title="old")
    relayed(backend)
    article.update(title="new")
    relayed(backend)
    assert (ids(Article.search("old").all()), ids(Article.search("new").all())) == ([], ["a"])
    article.delete()
    relayed(backend)
    assert ids(Article.search("new").all()) == []


def test_many_writes_of_one_record_are_one_piece_of_work(backend, use):
    use(Article)
    article = Article.create(id="a")
    for number in range(5):
        article.update(number=number, title=f"word{number}")
    assert relayed(backend) == 1
    assert ids(Article.search("word4").all()) == ["a"]


def test_a_record_that_comes_back_after_it_was_deleted_is_found(backend, use):
    use(Article)
    Article.create(id="a", title="first").delete()
    relayed(backend)
    Article.create(id="a", title="second")
    relayed(backend)
    assert ids(Article.search("second").all()) == ["a"]


def test_batches_transactions_and_writes_by_query_are_followed(backend, use):
    use(Article)
    Article.batch_create([{"id": f"a{n}", "title": "one"} for n in range(30)])
    Article.batch_upsert([{"id": f"a{n}", "title": "two"} for n in range(5)])
    with backend.transaction():
        Article.create(id="t", title="two")
        Article.get("a9").update(title="two")
    Article.where(id__in=["a20", "a21"]).update(title="three")
    Article.where(id="a22").delete()
    relayed(backend)
    assert Article.search("one").count() == 30 - 5 - 1 - 2 - 1
    assert Article.search("two").count() == 7
    assert sorted(ids(Article.search("three").all())) == ["a20", "a21"]


def test_what_is_refused_or_rolled_back_leaves_nothing_to_follow(backend, use):
    use(Article)
    Article.create(id="a")
    relayed(backend)
    with pytest.raises(DuplicateKeyError):
        Article.create(id="a", title="no")
    with pytest.raises(DuplicateKeyError):
        two_of_which_one_is_there(backend)
    assert backend.behind().waiting == 0


def two_of_which_one_is_there(backend):
    """A transaction that is refused."""
    with backend.transaction():
        Article.create(id="b", title="no")
        Article.create(id="a", title="no")


def test_an_expired_or_deleted_record_can_not_be_found_by_searching(backend, use):
    use(Note)
    Note.create(id="a", title="here")
    Note.create(id="b", title="here", expires_in=timedelta(minutes=5))
    Note.create(id="c", title="here").delete()
    relayed(backend)
    assert sorted(ids(Note.search("here").all())) == ["a", "b"]
    assert sorted(ids(Note.search("here").include_deleted().all())) == ["a", "b", "c"]
    backend.clock.forward(minutes=6)
    assert ids(Note.search("here").all()) == ["a"]
    assert Note.purge_expired() == 1
    relayed(backend)
    assert ids(Note.search("here").include_expired().all()) == ["a"]


def test_an_instance_that_was_found_by_searching_is_saved_like_any_other(backend, use):
    use(Note)
    Note.create(id="a", title="old")
    relayed(backend)
    found = Note.search("old").first()
    found.title = "new"
    found.save()
    assert Note.get("a").title == "new"
    stale = Note.search("old").first()  # the search side does not know yet
    stale.title = "mine"
    with pytest.raises(ConflictError):
        stale.save()
    assert Note.get("a").title == "new"
    assert stale.refresh().title == "new"


def test_one_that_is_gone_is_not_saved(backend, use):
    use(Article)
    Article.create(id="a", title="old")
    relayed(backend)
    Article.get("a").delete()
    found = Article.search("old").first()
    found.title = "new"
    with pytest.raises(NotFoundError):
        found.save()


def test_rows_beside_a_record_stay_on_the_storage(backend, use):
    use(Member)
    member = Member.create(id="a", email="a@x.org", title="one")
    member.update(title="two")
    with pytest.raises(DuplicateKeyError):
        Member.create(id="b", email="a@x.org")
    relayed(backend)
    assert ids(Member.search("two").all()) == ["a"]
    assert [one.number for one in Member.history("a")] == [2, 1]


def test_writes_by_query_read_the_originals(backend, use):
    use(Article)
    Article.batch_create([{"id": f"a{n}", "title": "word", "number": n} for n in range(4)])
    relayed(backend)
    Article.create(id="new", title="word", number=9)
    Article.where(number__gte=2).delete()  # the search side does not know of the new one
    assert sorted(ids(Article.where().from_storage().all())) == ["a0", "a1"]
    Article.get("a0").update(title="other")
    assert Article.search("word").delete() == 1  # a0 would be found there, and is another by now
    assert ids(Article.where().from_storage().all()) == ["a0"]


def test_threads_and_relays_at_once_end_with_the_last_state_on_both_sides(backend, use):
    use(Article)
    Article.batch_create([{"id": f"a{n}"} for n in range(5)])

    def work(number):
        for n in range(8):
            if number < 2:
                Relay(backend).once()
            else:
                Article.upsert(id=f"a{n % 5}", title=f"word{number} {n}", number=n)

    assert together(4, work) == [None] * 4
    relayed(backend)
    assert backend.verify(Article).differences == 0
    assert backend.behind().waiting == 0


def test_marks_of_deleted_records_go_after_a_day(backend, use):
    use(Article)
    Article.create(id="a").delete()
    Article.create(id="b")
    relayed(backend)
    assert len(backend.query(SyncMark).all()) == 2
    backend.clock.now += KEPT + timedelta(minutes=1)
    relayed(backend)
    assert [mark.key for mark in backend.query(SyncMark).all()] == ['["b"]']
    Article.create(id="a", title="again")
    relayed(backend)
    assert ids(Article.search("again").all()) == ["a"]


class Secret(Encrypted, Model):
    """One whose text nobody may read in either store."""

    class Meta:
        encryption = KeyRing({"one": base64.b64encode(b"0123456789abcdef").decode()})

    id: str = Field(primary_key=True)
    text: str = Field("", encrypted=True)
    title: str = Field("", searchable=True)


def test_what_is_encrypted_is_so_on_both_sides(backend, use):
    use(Secret)
    Secret.create(id="a", text="attack at dawn", title="plan")
    relayed(backend)
    assert Secret.search("plan").first().text == "attack at dawn"
    there = backend.copies(backend.bound(Secret)).there
    (row,) = backend.search.execute(backend.search.compile_get(there, (("a",),)))
    assert "dawn" not in repr(there.stored_of(row))
    found = Secret.search("plan").first()
    found.text = "attack at noon"
    found.save()
    assert Secret.get("a").text == "attack at noon"
    assert backend.verify(Secret).differences == 0


def test_what_is_copied_again_has_a_higher_number_each_time(backend, use):
    use(Article)
    Article.batch_create([{"id": f"a{n}", "title": "word"} for n in range(3)])
    relayed(backend)
    for number in (2, 3):
        assert backend.reindex(Article) == 3
        assert [mark.number for mark in backend.query(SyncMark).all()] == [number] * 3
