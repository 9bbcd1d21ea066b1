"""`verify` and `reindex`: what differs is found and mended, what is on its way is left alone."""

from __future__ import annotations

import threading

import pytest

from mixstore import ConfigurationError, Field, Model, Write, copy
from mixstore_backends.composite import Difference, Relay
from mixstore_backends.composite.marks import Progress, SyncMark
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import SoftDelete, Versioned
from tests.backends.shared.support import ids

pytestmark = pytest.mark.parametrize(
    "backend", [("memory", "sqlite"), ("sqlite", "memory")], indirect=True, ids="-".join
)


class Article(SoftDelete, Versioned, Model):
    """One with a hidden state and a version."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


@pytest.fixture(autouse=True)
def bound(backend):
    """Bound and initialized."""
    Article.bind(backend)
    backend.initialize(Article)
    yield
    Article.bind(None)


@pytest.fixture
def damage(backend):
    """`damage(key, title)`: change a copy behind the back of all; None removes it."""
    there = backend.copies(backend.bound(Article)).there

    def change(key, title):
        record = None if title is None else there.encode(Article(id=key, title=title))
        write = Write("delete" if record is None else "upsert", there, (key,), record)
        backend.search.execute(backend.search.compile_writes(there, (write,)))

    return change


@pytest.fixture
def damaged(backend, damage):
    """Of ten articles, one whose copy is missing, one whose copy is another, and a copy of none."""
    Article.batch_create([{"id": f"a{n}", "title": "word"} for n in range(10)])
    Article.get("a9").delete()
    Relay(backend).once()
    damage("a1", None)
    damage("a2", "other")
    damage("none", "word")


def test_what_is_the_same_on_both_sides_is_no_difference(backend):
    Article.batch_create([{"id": f"a{n}", "title": "word"} for n in range(10)])
    Article.get("a9").delete()  # hidden, and compared all the same
    Relay(backend).once()
    found = backend.verify(Article)
    assert (found.rows, found.waiting, found.differences, found.examples) == (10, 0, 0, [])


def test_what_is_on_its_way_is_no_difference(backend):
    Article.create(id="a")
    found = backend.verify(Article, repair=True)
    assert (found.rows, found.waiting, found.differences) == (1, 1, 0)
    assert backend.behind().waiting == 1


def test_copies_that_are_missing_stale_or_of_nothing_are_told(backend, damaged):
    found = backend.verify(Article)
    assert (found.missing, found.stale, found.orphans, found.repaired) == (1, 1, 1, 0)
    assert set(found.examples) == {Difference("missing", "a1"), Difference("stale", "a2"), Difference("orphan", "none")}
    assert backend.verify(Article).differences == 3  # looking changes nothing


def test_repair_makes_the_search_side_as_the_storage_is(backend, damaged):
    found = backend.verify(Article, repair=True)
    assert (found.differences, found.repaired) == (3, 3)
    assert backend.verify(Article).differences == 0
    assert sorted(ids(Article.search("word").all())) == [f"a{n}" for n in range(9)]


def test_one_row_can_be_looked_at_and_mended(backend, damaged):
    assert backend.verify(Article, key="a0").differences == 0
    assert backend.verify(Article, key="a1").missing == 1
    assert backend.verify(Article, key="none", repair=True).repaired == 1
    assert backend.verify(Article).differences == 2


def test_a_sample_is_about_as_large_as_was_asked(backend):
    Article.batch_create([{"id": f"a{n}"} for n in range(200)])
    Relay(backend).once()
    assert 10 < backend.verify(Article, sample=60).rows < 150
    seen = []
    assert backend.verify(Article, sample=1000, note=seen.append).rows == 200
    assert seen[-1] == 200


def test_reindexing_copies_all_rows_again_also_those_that_were_there_before_the_composite(backend, damage):
    backend.storage.bound(Article)
    backend.storage.batch_create(Article, [{"id": f"a{n}", "title": "word"} for n in range(5)])
    Article.create(id="new", title="word")
    Relay(backend).once()
    damage("new", "other")
    assert backend.verify(Article).missing == 5
    told = []
    assert backend.reindex(Article, told=lambda *args: told.append(args)) == 6
    assert told[-1] == ("copying Article to the search side", 6, 6)
    assert backend.verify(Article).differences == 0
    assert Article.search("word").count() == 6


def test_reindexing_goes_on_where_it_was_interrupted(backend):
    Article.batch_create([{"id": f"a{n:04}", "title": "word"} for n in range(1100)])

    def interrupt(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend.reindex(Article, told=interrupt)
    if backend.query(Progress).count():  # a storage that sorts knows its place
        assert backend.reindex(Article) == 600
    assert backend.reindex(Article) == 1100
    assert backend.query(Progress).count() == 0
    assert backend.verify(Article).differences == 0


def test_a_writer_during_a_reindexing_loses_nothing(backend):
    Article.batch_create([{"id": f"a{n:03}", "title": "old"} for n in range(600)])
    Relay(backend).once()
    done, written = threading.Event(), []

    def write():
        number = 0
        while not done.is_set() or number < 20:
            key = f"a{number * 7 % 600:03}"
            Article.where(id=key).update(title=f"new{number}")
            written.append(key)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    backend.reindex(Article)
    done.set()
    writer.join()
    Relay(backend).once()
    assert backend.verify(Article).differences == 0
    assert Article.search("old").count() == 600 - len(set(written))


def test_a_copy_to_another_store_reads_the_originals(backend, damaged):
    Article.create(id="new")
    moved = copy(Article, backend, InMemoryBackend())
    assert moved[0].read == 11
    assert moved[0].stored == 11


def test_what_extensions_keep_beside_rows_has_no_copies(backend):
    with pytest.raises(ConfigurationError, match="no copies"):
        backend.verify(SyncMark)
