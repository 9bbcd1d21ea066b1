"""What OpenSearch is asked where a search goes beyond words, and what becomes of its numbers. A stub stands for it."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import QueryError, UnsupportedOperationError
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.opensearch import (
    Bucket,
    DateHistogram,
    OpenSearchBackend,
    Stats,
    Summary,
    Terms,
    aggregate,
    hit_of,
    search,
)
from tests.backends.opensearch.models import Article, Colour, Todo
from tests.backends.opensearch.stub import StubClient, counted, stubbed


def record(id: str) -> dict[str, Any]:
    backend, _ = stubbed()
    return backend.adapter.model_to_storage(Article(id=id))


def asked(text: str | None, **options: Any) -> Any:
    """The query that a search becomes."""
    backend, _ = stubbed()
    return search(backend.query(Article), text, **options).limit(5).explain().request["body"]["query"]["bool"]["must"]


def match(text: str, **options: Any) -> dict[str, Any]:
    return {"multi_match": {"query": text, "fields": ["title"], **options}}


def test_fuzzy_words_are_asked_for_one_by_one() -> None:
    every = [match(word, type="best_fields", fuzziness="AUTO") for word in ("pyhton", "wbe")]
    assert asked("Pyhton wbe!", fuzzy=True) == [{"bool": {"must": every}}]


def test_a_phrase_is_asked_for_as_it_is() -> None:
    assert asked("Python web", phrase=True) == [match("Python web", type="phrase")]


def test_the_last_word_may_go_on() -> None:
    last = match("serv", type="phrase_prefix", max_expansions=1000)
    assert asked("web serv", prefix=True) == [{"bool": {"must": [match("web", type="best_fields"), last]}}]


def test_a_text_without_words_finds_nothing() -> None:
    assert asked("...", fuzzy=True) == [{"match_none": {}}]


def test_boosts_go_with_their_fields() -> None:
    (told,) = asked("web", fields={"title": 3})
    assert told["multi_match"]["fields"] == ["title^3"]


def test_a_raw_query_must_match_beside_the_words() -> None:
    raw = {"match_phrase": {"title": "x"}}
    assert asked(None, raw=raw) == [raw]
    assert asked("web", raw=raw)[1] == raw


def test_counts_and_filters_are_about_the_search_too() -> None:
    backend, client = stubbed(counted(3))
    assert search(backend.query(Article).filter(stars=1), "web", phrase=True).count() == 3
    assert client.sent[0].json["query"] == {
        "bool": {"must": [match("web", type="phrase")], "filter": [{"term": {"stars": 1}}]}
    }


def test_an_instance_knows_its_score_and_highlights() -> None:
    found = {"_source": record("a"), "_score": 1.5, "highlight": {"title": ["<em>x</em>"]}}
    backend, client = stubbed({"hits": {"hits": [found]}})
    (article,) = search(backend.query(Article), "x", highlight=True).limit(1).all()
    assert (hit_of(article).score, hit_of(article).highlights) == (1.5, {"title": ["<em>x</em>"]})
    assert client.sent[0].json["highlight"] == {"fields": {"title": {}}}
    with pytest.raises(QueryError, match="not found by a search"):
        hit_of(Article(id="b"))


def test_a_model_elsewhere_is_refused_when_it_is_asked() -> None:
    with pytest.raises(UnsupportedOperationError, match="only OpenSearch"):
        search(InMemoryBackend().query(Article), "x", fuzzy=True)


# -- numbers -----------------------------------------------------------------------------------------------------------


def answered(**aggregations: Any) -> tuple[OpenSearchBackend, StubClient]:
    return stubbed({"aggregations": aggregations})


def test_numbers_are_asked_for_without_rows() -> None:
    stats = {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}
    backend, client = answered(a=stats)
    assert aggregate(backend.query(Article).filter(stars=1), a=Stats("price")) == {
        "a": Summary(0, None, None, None, 0.0)
    }
    assert client.sent[0].json == {
        "query": {"term": {"stars": 1}},
        "size": 0,
        "aggs": {"a": {"stats": {"field": "price"}}},
    }


def test_buckets_have_keys_of_the_models_types() -> None:
    buckets = {"buckets": [{"key": "red", "doc_count": 2}], "sum_other_doc_count": 3, "doc_count_error_upper_bound": 1}
    backend, _ = answered(a=buckets)
    told = aggregate(backend.query(Article), a=Terms("colour"))["a"]
    assert told == [Bucket(Colour.RED, 2)]
    assert (told.others, told.off_by) == (3, 1)


@pytest.mark.parametrize(
    ("aggregation", "body"),
    [
        (Terms("title", 3), {"terms": {"field": "title.keyword", "size": 3}}),
        (Terms("at"), {"terms": {"field": "at.exact", "size": 10}}),
        (Terms("home__city"), {"terms": {"field": "home.city", "size": 10}}),
        (
            DateHistogram("day", "month"),
            {"date_histogram": {"field": "day", "calendar_interval": "month", "min_doc_count": 1}},
        ),
    ],
)
def test_each_aggregation_asks_the_field_that_is_exact(aggregation: Any, body: dict[str, Any]) -> None:
    backend, client = answered(a={"buckets": [], "sum_other_doc_count": 0, "doc_count_error_upper_bound": 0})
    aggregate(backend.query(Article), a=aggregation)
    assert client.sent[0].json["aggs"] == {"a": body}


@pytest.mark.parametrize(
    ("aggregation", "problem"),
    [
        (Terms("titel"), "did you mean 'title'"),
        (Terms("free"), "has no terms"),
        (Terms("tags", 0), "size is"),
        (Stats("title"), "no number"),
        (DateHistogram("stars", "month"), "no date"),
        (DateHistogram("at", "moth"), "did you mean 'month'"),
        ("stars", "no aggregation"),
    ],
)
def test_an_aggregation_that_makes_no_sense_is_refused_before_it_is_sent(aggregation: Any, problem: str) -> None:
    backend, client = stubbed()
    with pytest.raises(QueryError, match=problem):
        aggregate(backend.query(Article), a=aggregation)
    assert client.sent == []


def test_numbers_of_what_the_engine_can_not_filter_are_refused() -> None:
    backend, _ = stubbed()
    with pytest.raises(UnsupportedOperationError, match="exactly"):
        aggregate(backend.query(Todo).filter(user__regex="x"), a=Stats("number"))
    with pytest.raises(UnsupportedOperationError, match="limit"):
        aggregate(backend.query(Todo).limit(3), a=Stats("number"))
