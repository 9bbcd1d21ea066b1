"""What a search and an aggregation of OpenSearch find, asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from mixstore import Field, Model, Q, QueryError, UnsupportedOperationError
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.opensearch import (
    Bucket,
    DateHistogram,
    OpenSearchBackend,
    Stats,
    Summary,
    Terms,
    aaggregate,
    aggregate,
    hit_of,
    search,
)
from mixstore_extensions import SoftDelete
from tests.engines.engines import Server
from tests.engines.opensearch_store import store

NEW_YEAR = datetime(2025, 1, 1, tzinfo=timezone.utc)


class Kind(Enum):
    NEWS = "news"
    ESSAY = "essay"


class Article(SoftDelete, Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    body: str = Field("", searchable=True)
    tags: list[str] = []
    kind: Kind = Kind.NEWS
    open: bool = True
    price: Decimal | None = None
    stars: int = 0
    at: datetime = NEW_YEAR
    day: date | None = None


ROWS = [
    {"id": "a", "title": "Python on the web", "body": "Frameworks and servers", "tags": ["web", "python"], "stars": 3},
    {
        "id": "b",
        "title": "Snakes",
        "body": "The python is a snake, and the web is wide",
        "tags": ["animal"],
        "stars": 5,
    },
    {"id": "c", "title": "Spiders", "body": "They weave a web", "tags": ["animal", "web"], "kind": Kind.ESSAY},
    {"id": "d", "title": "Pythagoras", "body": "A theorem", "open": False, "price": Decimal("9.50")},
    {"id": "e", "title": "Web servers", "body": "Python, at last", "price": Decimal("1.50"), "day": date(2025, 2, 3)},
    {"id": "x", "title": "Python on the web, deleted", "tags": ["python", "web"], "stars": 100},
]


@pytest.fixture(scope="module")
def backend(opensearch: Server) -> Iterator[OpenSearchBackend]:
    with store(opensearch, prefix="search-") as made:
        Article.bind(made)
        made.initialize(Article)
        Article.batch_create([{**row, "at": NEW_YEAR + timedelta(days=20 * n)} for n, row in enumerate(ROWS)])
        Article.get("x").delete()
        yield made
        Article.bind(None)
        made.client.transport.perform_request("DELETE", "/search-*")


def ids(found: Any) -> str:
    return "".join(row.id for row in found)


def sought(text: str | None = None, **options: Any) -> str:
    return "".join(sorted(ids(search(Article.where(), text, **options).all())))


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("python web", {}, "abe"),
        ("pyhton web", {}, ""),
        ("pyhton wbe", {"fuzzy": True}, "abe"),
        ("pyhton servesr", {"fuzzy": True}, "ae"),
        ("web server", {}, ""),
        ("web servers", {"phrase": True}, "e"),
        ("servers web", {"phrase": True}, ""),
        ("pyth", {"prefix": True}, "abde"),
        ("web serv", {"prefix": True}, "ae"),
        ("python", {"fields": ["title"]}, "a"),
        ("python", {"fields": {"title": 3, "body": 1}}, "abe"),
        ("...", {"fuzzy": True}, ""),
        (None, {"raw": {"match_phrase": {"body": "python is a snake"}}}, "b"),
        ("web", {"raw": {"term": {"tags": "animal"}}}, "bc"),
    ],
)
def test_a_search_finds(backend: OpenSearchBackend, text: str | None, options: Any, expected: str) -> None:
    assert sought(text, **options) == expected


def test_the_best_comes_first_and_tells_its_score(backend: OpenSearchBackend) -> None:
    found = search(Article.where(), "python", fields={"title": 10, "body": 1}).limit(5).all()
    assert found[0].id == "a"
    scores = [hit_of(one).score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert search(Article.where(), "python", fields={"title": 10, "body": 1}).all()[0].id == "a"
    assert hit_of(search(Article.where(), "python").order_by("id").limit(1).all()[0]).score is None


def test_the_parts_that_were_found_are_shown(backend: OpenSearchBackend) -> None:
    (found,) = search(Article.where(id="b"), "PYTHON web", highlight=True).all()
    assert hit_of(found).highlights == {"body": ["The <em>python</em> is a snake, and the <em>web</em> is wide"]}
    with pytest.raises(QueryError, match="not found by a search"):
        hit_of(Article.get("b"))


def test_a_search_goes_with_all_that_a_query_can(backend: OpenSearchBackend) -> None:
    asked = search(Article.where(Q(stars__gt=0) | Q(kind=Kind.ESSAY)), "web", fuzzy=True)
    assert ids(asked.order_by("-stars").all()) == "bac"
    assert asked.count() == 3
    assert asked.filter(title__regex="^S").count() == 2
    assert asked.exists()
    page = asked.order_by("id").limit(2).paginate()
    assert ids(page) + ids(asked.order_by("id").limit(2).cursor(page.cursor).paginate()) == "abc"
    assert asked.select("stars").order_by("stars").all() == [{"stars": 0}, {"stars": 3}, {"stars": 5}]
    assert "multi_match" in str(asked.explain())


def test_a_found_row_is_an_instance_like_any_other(backend: OpenSearchBackend) -> None:
    (found,) = search(Article.where(id="c"), "web").all()
    found.update(stars=1)
    assert Article.get("c").stars == 1
    found.update(stars=0)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"text": "a", "fuzzy": True, "phrase": True}, "one of fuzzy"),
        ({}, "needs a text"),
        ({"text": None, "raw": {"match_all": {}}, "fuzzy": True}, "needs a text"),
        ({"text": "a", "fields": ["stars"]}, "not searchable"),
        ({"text": "a", "fields": {"title": 0}}, "a boost is"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(backend: OpenSearchBackend, arguments: Any, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        search(Article.where(), **arguments)


def test_another_backend_refuses_what_it_can_not_do(backend: OpenSearchBackend) -> None:
    elsewhere = InMemoryBackend().query(Article)
    with pytest.raises(UnsupportedOperationError, match="only OpenSearch"):
        search(elsewhere, "web", fuzzy=True)
    with pytest.raises(UnsupportedOperationError, match="no aggregations"):
        aggregate(elsewhere, by=Terms("tags"))


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_terms_are_counted_in_the_types_of_the_model(backend: OpenSearchBackend) -> None:
    told = aggregate(
        Article.where(), tags=Terms("tags"), kinds=Terms("kind"), opened=Terms("open"), days=Terms("day"),
        prices=Terms("price"), titles=Terms("title", size=2),
    )  # fmt: skip
    assert told["tags"] == [Bucket("animal", 2), Bucket("web", 2), Bucket("python", 1)]
    assert told["kinds"] == [Bucket(Kind.NEWS, 4), Bucket(Kind.ESSAY, 1)]
    assert told["opened"] == [Bucket(True, 4), Bucket(False, 1)]
    assert told["days"] == [Bucket(date(2025, 2, 3), 1)]
    assert told["prices"] == [Bucket(Decimal("1.5"), 1), Bucket(Decimal("9.5"), 1)]
    assert (len(told["titles"]), told["titles"].others, told["titles"].off_by) == (2, 3, 0)


def test_statistics_are_those_of_the_rows_that_are_there(backend: OpenSearchBackend) -> None:
    told = aggregate(Article.where(stars__gt=0), stars=Stats("stars"), price=Stats("price"))
    assert told == {"stars": Summary(2, 3.0, 5.0, 4.0, 8.0), "price": Summary(0, None, None, None, 0.0)}
    assert aggregate(Article.where(), price=Stats("price"))["price"].sum == 11.0


def test_a_histogram_counts_by_intervals_in_utc(backend: OpenSearchBackend) -> None:
    told = aggregate(Article.where(), months=DateHistogram("at", "month"))["months"]
    assert told == [
        Bucket(NEW_YEAR, 2),
        Bucket(NEW_YEAR.replace(month=2), 1),
        Bucket(NEW_YEAR.replace(month=3), 2),
    ]


def test_numbers_are_about_what_a_search_finds(backend: OpenSearchBackend) -> None:
    told = aggregate(search(Article.where(), "pyhton", fuzzy=True), stars=Stats("stars"))
    assert told["stars"].count == 3
    assert aggregate(Article.search("python"), stars=Stats("stars"))["stars"].count == 3


async def test_numbers_can_be_awaited(backend: OpenSearchBackend) -> None:
    told = await aaggregate(Article.where(stars=5), n=Stats("stars"))
    assert told["n"].count == 1


@pytest.mark.parametrize(
    ("aggregation", "problem"),
    [
        (Terms("tagz"), "tags"),
        (Terms("tags", size=0), "size"),
        (Stats("title"), "no number"),
        (DateHistogram("stars", "month"), "no date"),
        (DateHistogram("at", "moth"), "month"),
        ("tags", "no aggregation"),
    ],
)
def test_an_aggregation_that_makes_no_sense_is_refused(
    backend: OpenSearchBackend, aggregation: Any, problem: str
) -> None:
    with pytest.raises(QueryError, match=problem):
        aggregate(Article.where(), it=aggregation)


def test_numbers_that_would_be_wrong_are_refused(backend: OpenSearchBackend) -> None:
    with pytest.raises(UnsupportedOperationError, match="REGEX"):
        aggregate(Article.where(title__regex="x"), n=Stats("stars"))
    with pytest.raises(UnsupportedOperationError, match="limit"):
        aggregate(Article.where().limit(1), n=Stats("stars"))
