"""What OpenSearch is asked where a search goes beyond words, and what becomes of its numbers. A stub stands for it."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    Bucket,
    DateHistogram,
    Histogram,
    Missing,
    QueryError,
    Stats,
    Summary,
    Terms,
    UnsupportedOperationError,
    hit_of,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.opensearch import OpenSearchBackend, raw
from tests.backends.opensearch.models import Article, Colour
from tests.backends.opensearch.stub import StubClient, counted, stubbed


def record(id: str) -> dict[str, Any]:
    backend, _ = stubbed()
    return backend.adapter.model_to_storage(Article(id=id))


def told(query: Any) -> Any:
    """The body of the request."""
    return query.explain().request["body"]


def asked(text: str, **options: Any) -> Any:
    """The query that a search becomes."""
    backend, _ = stubbed()
    (must,) = told(backend.query(Article).search(text, **options).limit(5))["query"]["bool"]["must"]
    return must


def match(text: str, **options: Any) -> dict[str, Any]:
    return {"multi_match": {"query": text, "fields": ["title"], **options}}


def test_fuzzy_words_are_asked_for_one_by_one() -> None:
    options = {"type": "best_fields", "fuzziness": "AUTO", "max_expansions": 1000}
    assert asked("Pyhton wbe!", fuzzy=True) == {
        "bool": {"must": [match(word, **options) for word in ("pyhton", "wbe")]}
    }


def test_a_phrase_is_asked_for_as_it_is() -> None:
    assert asked("Python web", phrase=True) == match("Python web", type="phrase")


def test_the_last_word_may_go_on() -> None:
    begins = {"prefix": {"title": {"value": "serv", "boost": 1}}}
    last = {"bool": {"should": [begins, match("serv", type="best_fields")], "minimum_should_match": 1}}
    assert asked("web serv", prefix=True) == {"bool": {"must": [match("web", type="best_fields"), last]}}


def test_a_text_without_words_finds_nothing() -> None:
    assert asked("...", fuzzy=True) == {"match_none": {}}


def test_signs_are_the_engines_simple_syntax() -> None:
    told = {"fields": ["title^2"], "default_operator": "and", "query": '"a b" -c'}
    assert asked('"a b" -c', simple=True, fields={"title": 2}) == {"simple_query_string": told}


def test_rows_like_another_are_asked_for_by_its_text_and_not_by_its_key() -> None:
    backend, _ = stubbed()
    query = told(backend.query(Article).like(Article(id="a", title="red shoes")))["query"]["bool"]
    sought = {"like": ["red shoes"], "fields": ["title"], "min_term_freq": 1, "min_doc_freq": 2}
    assert query["must"] == [{"more_like_this": sought}]
    assert query["filter"] == [{"bool": {"must_not": [{"term": {"id": "a"}}]}}]
    assert told(backend.query(Article).like(Article(id="a")))["query"]["bool"]["must"] == [{"match_none": {}}]


def test_boosts_go_with_their_fields() -> None:
    assert asked("web", fields={"title": 3})["multi_match"]["fields"] == ["title^3"]


def test_a_raw_query_must_match_beside_the_words() -> None:
    backend, _ = stubbed()
    body = {"match_phrase": {"title": "x"}}
    assert told(raw(backend.query(Article), body))["query"] == {"bool": {"must": [body], "filter": []}}
    assert told(raw(backend.query(Article).search("web"), body))["query"]["bool"]["must"][1] == body


def test_counts_and_filters_are_about_the_search_too() -> None:
    backend, client = stubbed(counted(3))
    assert backend.query(Article).filter(stars=1).search("web", phrase=True).count() == 3
    assert client.sent[0].json["query"] == {
        "bool": {"must": [match("web", type="phrase")], "filter": [{"term": {"stars": 1}}]}
    }


def test_an_instance_knows_its_score_and_highlights() -> None:
    found = {"_source": record("a"), "_score": 1.5, "highlight": {"title": ["<em>x</em>"]}}
    backend, client = stubbed({"hits": {"hits": [found]}})
    (article,) = backend.query(Article).search("x", highlight=True).limit(1).all()
    assert (article.meta.score, article.meta.highlights) == (1.5, {"title": ["<em>x</em>"]})
    assert client.sent[0].json["highlight"] == {"fields": {"title": {}}}
    with pytest.raises(QueryError, match="not found by a search"):
        hit_of(Article(id="b"))


def test_scores_are_asked_for_in_an_order_of_fields_too() -> None:
    backend, _ = stubbed()
    assert told(backend.query(Article).search("x").order_by("id"))["track_scores"] is True
    assert "track_scores" not in told(backend.query(Article).search("x").order_by("-_score"))
    assert "track_scores" not in told(backend.query(Article).filter(title="x").order_by("id"))


def test_a_page_by_score_begins_after_the_last_row_of_the_page_before() -> None:
    hits = [{"_source": record(id), "_score": 2.5 - n, "sort": [2.5 - n, id]} for n, id in enumerate("abc")]
    backend, client = stubbed({"hits": {"hits": hits}}, {"hits": {"hits": []}})
    query = backend.query(Article).search("x").order_by("-_score").limit(2)
    page = query.paginate()
    assert client.sent[0].json["sort"][0] == {"_score": {"order": "desc"}}
    assert query.cursor(page.cursor).all() == []
    assert client.sent[1].json["search_after"] == [1.5, "b"]
    assert query.cursor(page.cursor).explain().residual == ""


def test_a_model_elsewhere_is_refused_when_it_is_asked() -> None:
    with pytest.raises(UnsupportedOperationError, match="no queries of OpenSearch"):
        raw(InMemoryBackend().query(Article), {"match_all": {}})
    backend, _ = stubbed()
    for wrong in ({}, {"a": {}, "b": {}}, "match_all"):
        with pytest.raises(QueryError, match="a dict of one query"):
            raw(backend.query(Article), wrong)  # type: ignore[arg-type]


# -- numbers -----------------------------------------------------------------------------------------------------------


def answered(**aggregations: Any) -> tuple[OpenSearchBackend, StubClient]:
    return stubbed({"aggregations": aggregations})


def test_numbers_are_asked_for_without_rows() -> None:
    stats = {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}
    backend, client = answered(a=stats)
    assert backend.query(Article).filter(stars=1).aggregate(a=Stats("price")) == {
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
    told = backend.query(Article).aggregate(a=Terms("colour"))["a"]
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
        (
            DateHistogram("at", "day", "Europe/Berlin"),
            {
                "date_histogram": {
                    "field": "at",
                    "calendar_interval": "day",
                    "min_doc_count": 1,
                    "time_zone": "Europe/Berlin",
                }
            },
        ),
        (Histogram("stars", 2), {"histogram": {"field": "stars", "interval": 2, "min_doc_count": 1}}),
        (Missing("votes"), {"filter": {"bool": {"must_not": [{"exists": {"field": "votes"}}]}}}),
    ],
)
def test_each_aggregation_asks_the_field_that_is_exact(aggregation: Any, body: dict[str, Any]) -> None:
    backend, _ = stubbed()
    told = backend.query(Article).explain(a=aggregation)
    assert (told.operation, told.request["body"]["aggs"]) == ("aggregate", {"a": body})


@pytest.mark.parametrize("aggregation", [Terms("price"), Terms("score"), Terms("ip6")])
def test_what_the_engine_does_not_count_exactly_is_made_of_the_rows(aggregation: Any) -> None:
    backend, _ = stubbed()
    told = backend.query(Article).explain(a=aggregation)
    assert told.operation == "search"
    assert "mixstore reads the rows and makes the numbers of them" in told.notes


def test_numbers_of_what_the_engine_can_not_filter_are_made_of_the_rows() -> None:
    hits = [{"_source": {**record(id), "stars": n}} for n, id in enumerate("abc")]
    backend, _ = stubbed({"hits": {"hits": hits}})
    query = backend.query(Article).filter(id__regex="[bc]")
    assert query.explain(a=Stats("stars")).residual == "id REGEX '[bc]'"
    assert query.aggregate(a=Stats("stars"))["a"] == Summary(2, 1.0, 2.0, 1.5, 3.0)


def test_a_term_that_is_cut_is_refused() -> None:
    key = "x" * 8000 + "\U0010ffff"
    buckets = {"buckets": [{"key": key, "doc_count": 2}], "sum_other_doc_count": 0, "doc_count_error_upper_bound": 0}
    backend, _ = answered(a=buckets)
    with pytest.raises(UnsupportedOperationError, match="longer than 8000"):
        backend.query(Article).aggregate(a=Terms("title"))
