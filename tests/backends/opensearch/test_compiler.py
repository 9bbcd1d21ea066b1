"""What expressions and queries become in the engine's own language. Nothing here asks a server."""

from __future__ import annotations

import math
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from mixstore import Model, UnsupportedOperationError
from mixstore.expressions import TRUE, After, Compare, Expr, Order, Q
from mixstore.lookups import resolve
from mixstore.query import Query, Search
from mixstore_backends.opensearch.sorting import ADDRESS, DECIMAL
from tests.backends.opensearch.models import Article, Colour, Todo
from tests.backends.opensearch.stub import stubbed

BACKEND, _ = stubbed()
NOON = datetime(2025, 6, 1, 12, tzinfo=timezone.utc)


def compiled(expr: Expr, model: type[Model] = Article) -> Any:
    bound = BACKEND.bound(model)
    return bound.native.compiler.where(resolve(bound.schema, expr))


def exact(expr: Expr, model: type[Model] = Article) -> Any:
    found = compiled(expr, model)
    assert found.residual is None
    (body,) = found.filters
    return body


def exists(field: str) -> dict[str, Any]:
    return {"exists": {"field": field}}


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (Q(id="x"), {"term": {"id": "x"}}),
        (Q(title="x"), {"term": {"title.keyword": "x"}}),
        (Q(colour=Colour.RED), {"term": {"colour": "red"}}),
        (Q(open=True), {"term": {"open": True}}),
        (Q(open__gte=True), {"term": {"open": True}}),
        (Q(stars=5), {"term": {"stars": 5}}),
        (Q(stars=2**63), {"match_none": {}}),
        (Q(stars__lt=2**63), {"range": {"stars": {"lte": 2**63 - 1}}}),
        (Q(stars__gt=1.5), {"range": {"stars": {"gt": 1}}}),
        (
            Q(stars__between=(1, 3)),
            {"bool": {"filter": [{"range": {"stars": {"gte": 1}}}, {"range": {"stars": {"lte": 3}}}]}},
        ),
        (Q(price="1.50"), {"term": {"price.exact": "1.5"}}),
        (Q(at=NOON), {"term": {"at.exact": "2025-06-01T12:00:00.000000Z"}}),
        (Q(at__lt=NOON), {"range": {"at.exact": {"lt": "2025-06-01T12:00:00.000000Z"}}}),
        (Q(day=date(2025, 6, 1)), {"term": {"day": "2025-06-01"}}),
        (Q(ip__gt="10.0.0.1"), {"range": {"ip": {"gt": "10.0.0.1"}}}),
        (Q(raw=b"\xff"), {"term": {"raw": "/w=="}}),
        (Q(raw__gt=b"\xff"), {"range": {"raw": {"gt": "/w=="}}}),
        (Q(home__city="Rome"), {"term": {"home.city": "Rome"}}),
        (Q(tags__contains="x"), {"term": {"tags": "x"}}),
        (Q(stars__in=[1, 2, 2]), {"terms": {"stars": [1, 2]}}),
        (Q(stars__not_in=[1]), {"bool": {"must_not": [{"term": {"stars": 1}}]}}),
        (Q(id__startswith="a*"), {"prefix": {"id": {"value": "a*"}}}),
        (Q(id__contains="a*b?\\"), {"wildcard": {"id": {"value": "*a\\*b\\?\\\\*"}}}),
        (Q(id__endswith="z"), {"wildcard": {"id": {"value": "*z"}}}),
        (~Q(stars=1), {"bool": {"must_not": [{"term": {"stars": 1}}]}}),
    ],
)
def test_what_the_engine_compares_exactly_is_pushed(asked: Expr, body: dict[str, Any]) -> None:
    assert exact(asked) == body


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (Q(votes=None), {"bool": {"must_not": [exists("votes")]}}),
        (Q(votes__isnull=False), exists("votes")),
        (Q(votes__ne=None), exists("votes")),
        (Q(votes__ne=1), {"bool": {"must_not": [{"term": {"votes": 1}}]}}),
        (Q(price=None), {"bool": {"must_not": [exists("price.exact")]}}),
        (Q(at__isnull=False), exists("at.exact")),
        (Q(home=None), {"bool": {"must_not": [exists("home.city")]}}),
        (
            Q(votes__in=[1, None]),
            {
                "bool": {
                    "should": [{"term": {"votes": 1}}, {"bool": {"must_not": [exists("votes")]}}],
                    "minimum_should_match": 1,
                }
            },
        ),
        (Q(stars=None), {"match_none": {}}),
        (Q(votes__gt=None), {"match_none": {}}),
    ],
)
def test_none_is_what_is_not_there(asked: Expr, body: dict[str, Any]) -> None:
    assert exact(asked) == body


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (Q(score=math.inf), {"term": {"score.rank": "inf"}}),
        (Q(score__lt=math.inf), {"terms": {"score.rank": ["1", "-inf"]}}),
        (Q(score__gte=-math.inf), {"terms": {"score.rank": ["-inf", "1", "inf"]}}),
        (Q(score__gt=math.inf), {"match_none": {}}),
        (
            Q(score__gt=1.5),
            {
                "bool": {
                    "should": [{"range": {"score": {"gt": 1.5}}}, {"term": {"score.rank": "inf"}}],
                    "minimum_should_match": 1,
                }
            },
        ),
    ],
)
def test_infinite_floats_have_a_rank(asked: Expr, body: dict[str, Any]) -> None:
    assert exact(asked) == body


def test_minus_zero_asks_for_zero() -> None:
    assert str(exact(Q(score=-0.0))) == "{'term': {'score': 0.0}}"


@pytest.mark.parametrize(
    "asked",
    [
        Q(id__regex="^a"),
        Q(id__icontains="A"),
        Q(ip6__lt="::1"),
        Q(tags=["a"]),
        Q(tags__size=1),
        Q(tags__contains=None),
        Q(free__a=1),
        Q(homes__size=2),
        ~Q(title__contains="x"),
        Q(id__contains="x" * 300),
    ],
)
def test_what_only_python_can_answer_is_residual_and_asks_for_nothing(asked: Expr) -> None:
    found = compiled(asked)
    assert found.filters == []
    assert found.residual == resolve(BACKEND.bound(Article).schema, asked)


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (Q(colour__regex="e"), exists("colour")),
        (Q(title="x" * 9000), {"term": {"title.keyword": "x" * 8000 + "\U0010ffff"}}),
        (Q(title__lt="x" * 9000), {"range": {"title.keyword": {"lte": "x" * 8000 + "\U0010ffff"}}}),
        (
            Q(title__contains="x"),
            {
                "bool": {
                    "should": [
                        {"wildcard": {"title.keyword": {"value": "*x*"}}},
                        {"wildcard": {"title.keyword": {"value": "*\U0010ffff"}}},
                    ],
                    "minimum_should_match": 1,
                }
            },
        ),
    ],
)
def test_a_wider_question_narrows_down_what_is_residual(asked: Expr, body: dict[str, Any]) -> None:
    found = compiled(asked)
    assert found.filters == [body]
    assert found.residual is not None
    assert found.pushed == TRUE


def test_decimals_are_narrowed_by_the_nearest_doubles() -> None:
    found = compiled(Q(price__gt=Decimal("1.50")))
    assert found.filters[0]["bool"]["should"][0] == {"range": {"price": {"gte": 1.5}}}
    assert found.filters[0]["bool"]["should"][1]["bool"]["must_not"] == [exists("price")]
    assert found.residual is not None


def test_a_wider_question_is_never_negated() -> None:
    found = compiled(~Q(price__gt=Decimal(1)))
    assert found.filters == []
    assert found.residual is not None


def test_terms_are_split_and_only_what_is_left_is_residual() -> None:
    found = compiled(Q(stars=1) & Q(id__regex="^a"))
    assert found.filters == [{"term": {"stars": 1}}]
    assert repr(found.pushed) == "stars = 1"
    assert repr(found.residual) == "id REGEX '^a'"


def test_a_filter_too_large_for_the_engine_is_residual() -> None:
    wide = Q(stars=0)
    for number in range(1, 1000):
        wide = wide | Q(stars__gt=number, votes=number)  # type: ignore[assignment]
    assert compiled(wide).filters == []
    deep: Expr = Q(stars=0)
    for number in range(40):
        deep = ~(deep & Q(stars__gt=number))
    assert compiled(deep).filters == []


def test_a_lookup_that_nobody_can_evaluate_is_refused() -> None:
    with pytest.raises(UnsupportedOperationError, match="contains"):
        BACKEND.bound(Article).native.compiler.where(Compare(("id",), "contians", "x"))


def test_going_on_after_a_row_says_so_column_by_column() -> None:
    after = After((Order(("votes",), True), Order(("id",))), (None, "b"))
    beyond = {"range": {"id": {"gt": "b"}}}
    assert (
        exact(after) == {"bool": {"filter": [{"bool": {"must_not": [exists("votes")]}}, beyond]}}
        or exact(after)["bool"]["should"][1]["bool"]["filter"][1] == beyond
    )


# -- queries -----------------------------------------------------------------------------------------------------------


def request(query: Query) -> Any:
    plan = BACKEND.compile_query(BACKEND.bound(query.model), query)
    return plan.request["body"]


def order(*names: str, model: type[Model] = Article) -> tuple[Order, ...]:
    return tuple(Order((name.lstrip("-"),), name.startswith("-")) for name in names)


def test_a_query_within_the_window_is_one_search() -> None:
    assert request(Query(Article, Compare(("stars",), "eq", 1), order("-votes", "id"), limit=10, offset=5)) == {
        "query": {"term": {"stars": 1}},
        "sort": [
            {"votes.rank": {"order": "desc", "missing": "_last"}},
            {"votes": {"order": "desc", "missing": "_last"}},
            {"id": {"order": "asc", "missing": "_first"}},
        ],
        "size": 10,
        "from": 5,
        "track_total_hits": False,
    }


def test_a_query_without_limit_comes_in_pages_by_the_key() -> None:
    body = request(Query(Todo))
    assert body["query"] == {"match_all": {}}
    assert [next(iter(one)) for one in body["sort"]] == ["_pk", "_sk"]


@pytest.mark.parametrize(("field", "script"), [("price.exact", DECIMAL), ("ip6", ADDRESS)])
def test_what_no_field_sorts_is_sorted_by_a_script(field: str, script: str) -> None:
    plan = BACKEND.compile_query(
        BACKEND.bound(Article), Query(Article, order=order(f"-{field[:5].rstrip('.')}", "id"), limit=5)
    )
    assert (plan.ordered, plan.sliced) == (True, True)
    told = {"lang": "painless", "source": script, "params": {"field": field}}
    assert plan.request["body"]["sort"][0] == {"_script": {"type": "string", "order": "desc", "script": told}}


def test_select_reads_the_fields_that_are_needed() -> None:
    asked = Query(Article, Compare(("tags",), "size", 1), order("stars", "id"), limit=5, fields=("title",))
    assert request(asked)["_source"] == ["id", "title", "stars", "tags"]


def test_a_search_asks_that_every_word_occurs_in_some_field() -> None:
    body = request(Query(Article, Compare(("stars",), "eq", 1), limit=5, search=Search("quick fox")))
    assert body["query"] == {
        "bool": {
            "must": [
                {
                    "multi_match": {
                        "query": "quick fox",
                        "fields": ["title"],
                        "type": "cross_fields",
                        "operator": "and",
                    }
                }
            ],
            "filter": [{"term": {"stars": 1}}],
        }
    }
    assert "sort" not in body, "the best comes first"
