"""What a write promises about the search side, and where a failure of that side surfaces."""

from __future__ import annotations

import pytest

from mixstore import BatchError, Field, Model
from mixstore_backends.composite import NotSearchableError, Relay
from mixstore_extensions import Versioned
from tests.backends.shared.support import ids


class Article(Versioned, Model):
    """A locked one."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


@pytest.fixture
def backend(losing):
    """Bound and initialized."""
    Article.bind(losing)
    losing.initialize(Article)
    yield losing
    Article.bind(None)


@pytest.mark.parametrize("guarantee", ["write-sync", "sync"])
def test_the_search_side_has_the_copy_when_the_write_returns(backend, guarantee):
    with backend.guaranteeing(guarantee):
        article = Article.create(id="a", title="old")
        assert ids(Article.search("old").all()) == ["a"]
        article.update(title="new")
        assert ids(Article.search("new").all()) == ["a"]
        Article.batch_create([{"id": "b", "title": "new"}, {"id": "c", "title": "new"}])
        with backend.transaction():
            Article.get("b").delete()
            Article.create(id="d", title="new")
        assert sorted(ids(Article.search("new").all())) == ["a", "c", "d"]
    assert backend.behind().waiting == 0


@pytest.mark.parametrize("guarantee", ["async", "write-sync"])
def test_a_search_side_that_is_away_fails_no_write(backend, guarantee):
    backend.search.away = True
    with backend.guaranteeing(guarantee):
        article = Article.create(id="a", title="old")
        article.update(title="new")
        with backend.transaction():
            Article.create(id="b", title="new")
    assert (article.version, backend.behind().waiting) == (2, 2)
    backend.search.away = False
    Relay(backend).once()
    assert sorted(ids(Article.search("new").all())) == ["a", "b"]


def test_sync_says_that_the_row_is_stored_and_not_searchable(backend):
    backend.search.away = True
    with backend.guaranteeing("sync"):
        with pytest.raises(NotSearchableError, match="is stored, and searches don't see it yet") as caught:
            Article.create(id="a", title="old")
        assert (caught.value.model, caught.value.key) == (Article, "a")
        assert "nobody answers" in str(caught.value.__cause__)
        article = Article.get("a")
        with pytest.raises(NotSearchableError):
            article.update(title="new")
        assert (article.title, article.version) == ("new", 2)  # it knows what is stored
        backend.search.away = False
        article.update(title="newer")
    assert ids(Article.search("newer").all()) == ["a"]
    assert backend.behind().waiting == 0


def two_at_once(backend):
    """A transaction."""
    with backend.transaction():
        Article.create(id="c")
        Article.create(id="d")


def test_sync_in_a_batch_and_in_a_transaction_stores_all_and_says_so(backend):
    backend.search.away = True
    with backend.guaranteeing("sync"):
        with pytest.raises(BatchError) as caught:
            Article.batch_create([{"id": "a"}, {"id": "b"}])
        assert [type(one) for one in caught.value.outcomes] == [NotSearchableError] * 2
        with pytest.raises(NotSearchableError):
            two_at_once(backend)
    assert Article.where().from_storage().count() == 4
    assert backend.behind().waiting == 4


async def test_guarantees_hold_for_what_is_awaited(backend):
    with backend.guaranteeing("sync"):
        article = await Article.acreate(id="a", title="old")
        assert ids(await Article.search("old").aall()) == ["a"]
        backend.search.away = True
        with pytest.raises(NotSearchableError):
            await article.aupdate(title="new")
    assert article.title == "new"
