"""What a search and an aggregation of OpenSearch find, asked of it, beside what the kit asks of every backend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from mixstore import Bucket, DateHistogram, Field, Histogram, Model, Q, QueryError, Stats, Summary, Terms, hit_of
from mixstore_backends.opensearch import OpenSearchBackend, raw
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


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"match_phrase": {"body": "python is a snake"}}, "b"),
        ({"term": {"tags": "animal"}}, "bc"),
        ({"match_all": {}}, "abcde"),
        ({"more_like_this": {"like": [{"_id": "a"}], "fields": ["title"], "min_term_freq": 1, "min_doc_freq": 1}}, "e"),
    ],
)
def test_a_raw_query_goes_through_the_chain(backend: OpenSearchBackend, body: Any, expected: str) -> None:
    asked = raw(Article.where(), body)
    assert "".join(sorted(ids(asked.all()))) == expected
    assert asked.count() == len(expected)
    assert all(row.meta.score is not None for row in asked.all())


def test_a_raw_query_narrows_a_search(backend: OpenSearchBackend) -> None:
    assert ids(raw(Article.search("web"), {"term": {"tags": "animal"}}).order_by("id").all()) == "bc"


def test_the_best_comes_first_and_tells_its_score(backend: OpenSearchBackend) -> None:
    asked = Article.search("python", fields={"title": 10, "body": 1})
    found = asked.limit(5).all()
    assert found[0].id == "a"
    assert ids(asked.order_by("-score").all()) == ids(found)
    scores = [one.meta.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert asked.all()[0].id == "a"
    by_id = {one.id: one.meta.score for one in asked.order_by("id").all()}
    assert by_id == {one.id: one.meta.score for one in found}


def test_the_parts_that_were_found_are_shown(backend: OpenSearchBackend) -> None:
    (found,) = Article.search("PYTHON web", highlight=True).where(id="b").all()
    assert found.meta.highlights == {"body": ["The <em>python</em> is a snake, and the <em>web</em> is wide"]}
    with pytest.raises(QueryError, match="not found by a search"):
        hit_of(Article.get("b"))


def test_a_search_goes_with_all_that_a_query_can(backend: OpenSearchBackend) -> None:
    asked = Article.where(Q(stars__gt=0) | Q(kind=Kind.ESSAY)).search("web", fuzzy=True)
    assert ids(asked.order_by("-stars").all()) == "bac"
    assert asked.count() == 3
    assert asked.filter(title__regex="^S").count() == 2
    assert ids(asked.filter(title__regex="^S").order_by("-score").all()) in ("bc", "cb")
    assert asked.exists()
    page = asked.order_by("id").limit(2).paginate()
    assert ids(page) + ids(asked.order_by("id").limit(2).cursor(page.cursor).paginate()) == "abc"
    assert asked.select("stars").order_by("stars").all() == [{"stars": 0}, {"stars": 3}, {"stars": 5}]
    assert "multi_match" in str(asked.explain())


def test_a_found_row_is_an_instance_like_any_other(backend: OpenSearchBackend) -> None:
    (found,) = Article.search("web").where(id="c").all()
    found.update(stars=1)
    assert Article.get("c").stars == 1
    found.update(stars=0)


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_numbers_are_made_by_the_engine(backend: OpenSearchBackend) -> None:
    asked = {"tags": Terms("tags"), "kinds": Terms("kind"), "stars": Stats("stars"), "at": DateHistogram("at", "month")}
    assert Article.where().explain(**asked).operation == "aggregate"
    told = Article.where().aggregate(**asked)
    assert told["tags"] == [Bucket("animal", 2), Bucket("web", 2), Bucket("python", 1)]
    assert told["kinds"] == [Bucket(Kind.NEWS, 4), Bucket(Kind.ESSAY, 1)]
    assert told["stars"] == Summary(5, 0.0, 5.0, 1.6, 8.0)
    assert told["at"] == [
        Bucket(NEW_YEAR, 2),
        Bucket(NEW_YEAR.replace(month=2), 1),
        Bucket(NEW_YEAR.replace(month=3), 2),
    ]


def test_numbers_that_the_engine_can_not_make_are_made_of_the_rows(backend: OpenSearchBackend) -> None:
    asked = Article.where(title__regex="^S")
    assert asked.explain(n=Stats("stars")).operation == "search"
    assert asked.aggregate(n=Stats("stars"))["n"] == Summary(2, 0.0, 5.0, 2.5, 5.0)
    assert Article.where().aggregate(p=Terms("price"))["p"] == [Bucket(Decimal("1.5"), 1), Bucket(Decimal("9.5"), 1)]


def test_numbers_are_about_what_a_search_finds(backend: OpenSearchBackend) -> None:
    assert Article.search("pyhton", fuzzy=True).aggregate(stars=Stats("stars"))["stars"].count == 3
    assert raw(Article.where(), {"term": {"tags": "web"}}).aggregate(n=Stats("stars"))["n"].count == 2


async def test_numbers_can_be_awaited(backend: OpenSearchBackend) -> None:
    told = await Article.where(stars=5).aaggregate(n=Stats("stars"))
    assert told["n"].count == 1


class Weight(Model):
    id: int = Field(primary_key=True)
    kilos: float


def test_infinite_numbers_are_terms_and_no_part_of_statistics(backend: OpenSearchBackend) -> None:
    Weight.bind(backend)
    backend.initialize(Weight)
    infinite = float("inf")
    Weight.batch_create([{"id": n, "kilos": kilos} for n, kilos in enumerate([infinite, 2.5, -infinite])])
    told = Weight.where().aggregate(s=Stats("kilos"), h=Histogram("kilos", 1))
    assert (told["s"], told["h"]) == (Summary(1, 2.5, 2.5, 2.5, 2.5), [Bucket(2.0, 1)])
    terms = Weight.where().aggregate(t=Terms("kilos"))["t"]
    assert terms == [Bucket(-infinite, 1), Bucket(2.5, 1), Bucket(infinite, 1)]


# -- what is hidden, and what is long ----------------------------------------------------------------------------------


def test_words_of_a_deleted_row_are_not_suggested(backend: OpenSearchBackend) -> None:
    assert Article.where().complete("dele") == []
    assert Article.where().suggest("delteed") == []
    assert Article.where().include_deleted().complete("dele") == ["deleted"]  # type: ignore[attr-defined]
    assert Article.where().complete("pytha") == ["pythagoras"]
    assert Article.where().suggest("pyhton wbe") == ["python web"]
    like = Article.where().like(Article.get("a"), fields=["title"])
    assert "x" not in ids(like.all())


class Line(Model):
    id: int = Field(primary_key=True)
    text: str = Field("", searchable=True)


def test_an_order_by_score_is_read_page_by_page(backend: OpenSearchBackend) -> None:
    Line.bind(backend)
    backend.initialize(Line)
    Line.batch_create([{"id": n, "text": "word " * (n % 7 + 1)} for n in range(2500)])
    asked = Line.search("word").order_by("-score")
    every = asked.all()
    assert len(every) == 2500
    assert [row.id for row in every] == [
        row.id for row in sorted(every, key=lambda row: (-(row.meta.score or 0), row.id))
    ]
    assert [row.id for row in asked] == [row.id for row in every]
    page = asked.limit(1200).paginate()
    assert [row.id for row in asked.limit(5).cursor(page.cursor)] == [row.id for row in every[1200:1205]]
    assert [row.id for row in asked.offset(2000).all()] == [row.id for row in every[2000:]]
    assert len({row.meta.score for row in every}) > 1
