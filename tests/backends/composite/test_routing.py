"""Which side answers, and what the answer may be relied on for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mixstore import Capability, Field, Model, QueryError, UnsupportedOperationError, Vector
from mixstore_backends.composite import CompositeBackend, Relay
from mixstore_backends.memory import InMemoryBackend
from tests.backends.shared.support import ids


class Article(Model):
    """`number` has no index, `year` has one."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    number: int = 0
    year: int = Field(0, index=True)


@pytest.fixture(autouse=True)
def bound(backend):
    """Bound and initialized."""
    Article.bind(backend)
    backend.initialize(Article)
    yield
    Article.bind(None)


def side_of(query):
    """Which side would answer."""
    return "search" if any("answered by the search side" in note for note in query.explain().notes) else "storage"


def test_keys_go_to_the_storage_and_words_to_the_search_side(backend):
    Article.create(id="a", title="one")
    assert Article.get("a").title == "one"
    assert Article.batch_get(["a"])[0].title == "one"
    assert side_of(Article.where(id="a")) == "storage"
    assert side_of(Article.search("one")) == "search"
    assert "words are looked up" in " ".join(Article.search("one").explain().notes)


def test_a_query_can_say_which_side_is_to_answer(backend):
    Article.create(id="a", title="one", number=1)
    assert side_of(Article.where(id="a").from_search()) == "search"
    assert side_of(Article.where(number=1).from_storage()) == "storage"
    assert ids(Article.where(id="a").from_search().all()) == []
    Relay(backend).once()
    assert ids(Article.where(id="a").from_search().all()) == ["a"]
    assert Article.where(number=1).from_search().count() == 1


def test_fresh_reads_what_was_found_from_the_storage(backend):
    Article.batch_create([{"id": f"a{n}", "title": "word", "number": n} for n in range(5)])
    Relay(backend).once()
    Article.get("a0").update(number=10)
    Article.get("a1").delete()
    asked = Article.where(number__lt=4).from_search()
    assert sorted(ids(asked.all())) == ["a0", "a1", "a2", "a3"]
    assert sorted(ids(asked.fresh().all())) == ["a2", "a3"]
    assert asked.fresh().count() == 2
    assert ids(asked.fresh().order_by("-number").limit(1).all()) == ["a3"]
    assert ids(asked.fresh().order_by("number").offset(1).all()) == ["a3"]


def test_a_query_with_the_token_of_a_write_sees_that_write(backend):
    first = Article.create(id="a", title="one", number=1)
    Relay(backend).once()
    second = Article.create(id="b", title="one", number=1)
    asked = Article.where(number=1).from_search()
    assert ids(asked.all()) == ["a"]
    assert sorted(ids(asked.consistent_with(backend.token(second)).all())) == ["a", "b"]
    assert ids(asked.consistent_with(backend.token(first)).all()) == ["a"]
    assert sorted(ids(asked.consistent_with(backend.token(first, second)).order_by("id").all())) == ["a", "b"]
    Relay(backend).once()
    assert sorted(ids(asked.consistent_with(backend.token(second)).all())) == ["a", "b"]


def test_a_query_that_allows_no_more_lag_than_there_is_is_answered_by_the_storage(backend):
    Article.create(id="a", number=1)
    backend.clock.forward(seconds=10)
    asked = Article.where(number=1).from_search()
    assert ids(asked.max_lag(timedelta(seconds=5)).all()) == ["a"]
    assert ids(asked.max_lag(timedelta(seconds=60)).all()) == []
    assert asked.max_lag(timedelta(0)).order_by("-id").limit(1).count() == 1


async def test_the_same_is_so_when_it_is_awaited(backend):
    await Article.acreate(id="a", number=1)
    backend.clock.forward(seconds=10)
    asked = Article.where(number=1).from_search()
    assert ids(await asked.max_lag(timedelta(seconds=5)).aall()) == ["a"]
    assert ids(await asked.fresh().aall()) == []


def test_iterations_and_pages_go_through_the_search_side(backend):
    Article.batch_create([{"id": f"a{n:02}", "title": "word", "number": n} for n in range(30)])
    Relay(backend).once()
    asked = Article.search("word").order_by("-number")
    page = asked.limit(20).paginate()
    assert len(page.items) == 20
    assert ids(asked.limit(20).cursor(page.cursor).paginate().items) == [f"a{n:02}" for n in range(9, -1, -1)]
    assert len(list(Article.search("word"))) == 30
    assert Article.search("word").select("number").limit(1).all()[0].keys() == {"number"}


def test_a_write_by_query_goes_on_at_a_cursor(backend):
    Article.batch_create([{"id": f"a{n}", "number": n} for n in range(6)])
    Relay(backend).once()
    asked = Article.where().order_by("id").limit(4)
    page = asked.paginate()
    assert asked.cursor(page.cursor).update(title="late") == 2
    assert sorted(ids(Article.where(title="late").from_storage().all())) == ["a4", "a5"]


def test_a_token_is_text_that_the_backend_gave(backend):
    with pytest.raises(QueryError, match="no token"):
        Article.where(number=1).from_search().consistent_with("{").all()
    with pytest.raises(QueryError, match="timedelta"):
        Article.where().max_lag(5)
    with pytest.raises(AttributeError, match="from_storage"):
        Article.where().from_storgae()


class Wordless(InMemoryBackend):
    """A storage without full text, whose scans cost."""

    capabilities = InMemoryBackend.capabilities & ~InMemoryBackend.capabilities.FULL_TEXT
    scan_policy = "warn"


def test_filters_that_the_storage_could_only_scan_go_to_the_search_side():
    backend = CompositeBackend(Wordless(), InMemoryBackend())
    asked = backend.query(Article)
    assert side_of(asked.filter(number=1)) == "search"
    assert "the storage would read the whole table" in " ".join(asked.filter(number=1).explain().notes)
    assert side_of(asked.filter(year=1)) == "storage"
    with pytest.raises(UnsupportedOperationError, match="search by words"):
        asked.search("one").from_storage().all()
    backend.create(Article, {"id": "a", "title": "one"})
    with pytest.raises(UnsupportedOperationError, match="behind"):
        asked.search("one").max_lag(timedelta(0)).consistent_with(backend.token(Article(id="a"))).all()


class Picture(Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    look: list[float] | None = Field(None, vector=Vector(dimensions=2))


@pytest.fixture
def pictures(backend):
    """Three pictures that both sides know."""
    Picture.bind(backend)
    backend.initialize(Picture)
    looks = {"a": [1, 0], "b": [1, 1], "c": [0, 1]}
    Picture.batch_create([{"id": id, "title": "word", "look": look} for id, look in looks.items()])
    Relay(backend).once()
    yield Picture
    Picture.bind(None)


def test_vectors_are_compared_on_the_search_side(pictures):
    asked = pictures.similar(look=[1, 0], k=2)
    assert side_of(asked) == "search"
    assert "vectors are compared" in " ".join(asked.explain().notes)
    assert ids(asked.all()) == ["a", "b"]
    assert pictures.search("word").similar(look=[0, 1], weight=0.9).first().id == "c"


def test_fresh_compares_the_vectors_that_the_storage_has(pictures):
    pictures.get("a").update(look=[-1, 0])
    pictures.get("b").update(look=None)
    asked = pictures.similar(look=[1, 0], k=2)
    assert ids(asked.all()) == ["a", "b"]
    assert [(row.id, row.meta.score) for row in asked.fresh()] == [("c", 0.5), ("a", 0.0)]
    assert asked.update(title="near") == 2
    assert sorted(ids(pictures.where(title="near").from_storage().all())) == ["a", "c"]


def test_a_storage_that_does_not_compare_vectors_says_so(backend, pictures):
    asked = pictures.similar(look=[1, 0], k=1).from_storage()
    if Capability.VECTORS in backend.storage.capabilities:
        assert ids(asked.all()) == ["a"]
        return
    with pytest.raises(UnsupportedOperationError, match="can't compare vectors"):
        asked.all()
    pictures.create(id="d", look=[1, 0])
    backend.clock.forward(seconds=10)
    with pytest.raises(UnsupportedOperationError, match="is behind, and dynamodb can't compare vectors"):
        pictures.similar(look=[1, 0]).max_lag(timedelta(seconds=5)).all()
