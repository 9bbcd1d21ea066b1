"""Searches as values, what a row tells that one found, and numbers about rows that are at hand."""

from __future__ import annotations

import copy
import math
from datetime import datetime, timezone
from decimal import Decimal

import pytest

import mixstore
from mixstore import (
    Bucket,
    DateHistogram,
    Field,
    Histogram,
    Hit,
    Mixin,
    Model,
    QueryBuilder,
    QueryError,
    Search,
    Stats,
    Summary,
    Terms,
    UnsupportedOperationError,
    hit_of,
)
from mixstore.search import errors_in, near, scorer


class Article(Model):
    id: str = Field(primary_key=True)
    title: str = Field(searchable=True)
    body: str | None = Field(None, searchable=True)
    price: Decimal | None = None
    at: datetime | None = None
    tags: list[str] = []


@pytest.fixture
def articles():
    backend = mixstore.connect("memory://")
    Article.bind(backend)
    Article.create(id="a", title="Python on the web", body="python")
    Article.create(id="b", title="Snakes", body="a python is a snake")
    yield Article
    Article.bind(None)


def test_a_search_is_a_value():
    query = Article.search("a", fields={"title": 2}, phrase=True, highlight=True).query
    assert query.search == Search("a", ("title",), (("title", 2),), "phrase", True)
    assert Article.search("a").query.search == Search("a")


@pytest.mark.parametrize(
    ("word", "found", "errors"),
    [
        ("web", "web", 0),
        ("web", "wbe", 1),
        ("web", "we", 1),
        ("web", "webs", 1),
        ("web", "wab", 1),
        ("web", "w", None),
        ("we", "wa", None),
        ("python", "pyhtno", 2),
        ("python", "pyto", 2),
        ("python", "nohtyp", None),
        ("ca", "abc", None),
        ("abcdef", "badcef", 2),
        ("", "", 0),
        ("", "a", None),
    ],
)
def test_typing_errors_are_counted_as_far_as_they_are_allowed(word, found, errors):
    assert errors_in(word, found) == errors
    assert near(word, found) is (errors is not None)


def test_the_reference_counts_words_as_often_as_their_field_counts():
    row = {"title": "web web", "body": "web", "other": "web"}
    assert scorer(Search("web"), ("title", "body"))(row) == 3
    assert scorer(Search("web", ("title",)), ("title", "body"))(row) == 2
    assert scorer(Search("web", ("title", "body"), (("title", 10),)), ("title", "body"))(row) == 21
    assert scorer(Search("web web", mode="phrase"), ("title", "body"))(row) == 1
    assert scorer(Search("nothing"), ("title", "body"))(row) is None


def test_an_instance_tells_what_the_search_told(articles):
    row = articles.search("python").order_by("-score").first()
    assert (row.id, row.meta) == ("a", Hit(2.0))
    assert hit_of(row) == row.meta
    with pytest.raises(TypeError):
        row.meta.highlights["title"] = []  # shared by all rows without highlights


def test_what_no_search_found_has_no_score(articles):
    row = articles.search("snakes").one()
    for other in (Article(id="x", title="x"), articles.get("b"), row.model_copy(), copy.copy(row)):
        assert other.meta == Hit(None, {})
        with pytest.raises(QueryError, match="not found by a search"):
            hit_of(other)
    row.update(title="Vipers")
    assert row.meta.score is None  # it is another row now
    assert "meta" not in row.model_dump()


def test_a_field_or_a_mixin_may_be_called_meta():
    class Required(Model):
        id: str = Field(primary_key=True)
        meta: dict[str, str]

    class Owner(Mixin):
        meta: str = "mixin"

    class Owned(Owner, Model):
        id: str = Field(primary_key=True)

    class Redefined(Required):
        meta: dict[str, str] = {"a": "b"}

    assert Required(id="a", meta={"x": "y"}).meta == {"x": "y"}
    with pytest.raises(ValueError, match="meta"):
        Required(id="a")
    assert Owned(id="a").meta == "mixin"
    assert Redefined(id="a").meta == {"a": "b"}
    backend = mixstore.connect("memory://")
    backend.create(Required, {"id": "a", "meta": {"k": "v"}})
    assert backend.query(Required).one().meta == {"k": "v"}


def test_rows_at_hand_have_numbers_and_no_search():
    rows = [{"id": "a", "title": "x", "tags": ["n"]}, {"id": "b", "title": "y", "tags": ["n", "m"]}]
    query = QueryBuilder.over(Article, rows)
    assert query.filter(title="y").aggregate(tags=Terms("tags"))["tags"] == [Bucket("m", 1), Bucket("n", 1)]
    with pytest.raises(UnsupportedOperationError, match="search"):
        query.search("x", fuzzy=True).all()
    with pytest.raises(UnsupportedOperationError, match="search"):
        query.complete("x")


@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
def test_infinite_numbers_are_terms_and_no_part_of_statistics(url):
    class Weight(Model):
        id: int = Field(primary_key=True)
        kilos: float

    backend = mixstore.connect(url)
    backend.initialize(Weight)
    backend.batch_create(Weight, [{"id": n, "kilos": kilos} for n, kilos in enumerate([math.inf, 2.5, -math.inf])])
    told = backend.query(Weight).aggregate(t=Terms("kilos"), s=Stats("kilos"), h=Histogram("kilos", 1))
    assert told["t"] == [Bucket(-math.inf, 1), Bucket(2.5, 1), Bucket(math.inf, 1)]
    assert (told["s"], told["h"]) == (Summary(1, 2.5, 2.5, 2.5, 2.5), [Bucket(2.0, 1)])
    backend.close()


def test_numbers_of_the_extremes(articles):
    articles.create(id="c", title="c", price=Decimal("1e400"), at=datetime.min.replace(tzinfo=timezone.utc))
    articles.create(id="d", title="d", price=Decimal("-1e308"), at=datetime.max.replace(tzinfo=timezone.utc))
    told = articles.where().aggregate(
        p=Stats("price"),
        h=Histogram("price", 1e-10),
        weeks=DateHistogram("at", "week"),
        days=DateHistogram("at", "day"),
    )
    assert told["p"] == Summary(1, -1e308, -1e308, -1e308, -1e308)
    assert [one.count for one in told["h"]] == [1]
    assert [one.key.year for one in told["weeks"]] == [1, 9999]
    assert [one.key.day for one in told["days"]] == [1, 31]
    assert not math.isnan(told["h"][0].key)
