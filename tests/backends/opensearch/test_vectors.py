"""What OpenSearch is asked for the nearest vectors, and how they are mapped. A stub stands for it."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import exceptions as driver

from mixstore import ConfigurationError, Field, Model, Vector
from mixstore_backends.opensearch import OpenSearchBackend, raw
from mixstore_backends.opensearch.vectors import SCRIPTS
from tests.backends.opensearch.stub import stubbed


class Picture(Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    stars: int = 0
    look: list[float] | None = Field(None, vector=Vector(dimensions=2))
    spot: list[float] | None = Field(None, vector=Vector(dimensions=2, similarity="euclidean"))


def told(query: Any) -> Any:
    """The body of the request."""
    return query.explain().request["body"]


def hit(id: str, *sort: Any, **values: Any) -> dict[str, Any]:
    backend, _ = stubbed()
    record = backend.adapter.model_to_storage(Picture(id=id, **values))
    return {"_id": id, "_source": record, "sort": list(sort), "_score": 0.25}


def found(*hits: Any) -> dict[str, Any]:
    return {"hits": {"hits": list(hits)}, "_shards": {"failed": 0}, "timed_out": False}


@pytest.mark.parametrize(("field", "similarity", "square"), [("look", "cosine", 5.0), ("spot", "euclidean", 5.0)])
def test_exact_answers_are_sorted_by_a_script_and_the_key(field: str, similarity: str, square: float) -> None:
    backend, _ = stubbed()
    script = {
        "lang": "painless",
        "source": SCRIPTS[similarity],
        "params": {"field": field, "vector": [1.0, 2.0], "square": square},
    }
    assert told(backend.query(Picture).similar(k=3, **{field: [1, 2]}).filter(stars__gt=1)) == {
        "query": {"range": {"stars": {"gt": 1}}},
        "track_total_hits": False,
        "sort": [
            {"_script": {"type": "number", "order": "desc", "script": script}},
            {"id": {"order": "asc", "missing": "_first"}},
        ],
        "size": 3,
    }


def test_the_score_is_the_sort_value_and_what_has_none_is_not_found() -> None:
    backend, client = stubbed(found(hit("a", 0.75, "a"), hit("b", 0.5, "b"), hit("c", -1.0, "c")))
    rows = backend.query(Picture).similar(look=[1, 2], k=5).all()
    assert [(row.id, row.meta.score) for row in rows] == [("a", 0.75), ("b", 0.5)]
    assert len(client.sent) == 1


def test_a_graph_is_asked_with_the_filter_inside_and_its_rows_are_scored_again() -> None:
    answer = found(hit("b", look=[0, 1]), hit("a", look=[2, 0]))
    backend, _ = stubbed(answer, knn=True)
    asked = backend.query(Picture).similar(look=[1, 0], k=2, approximate=True).filter(stars=1)
    assert told(asked) == {
        "query": {"knn": {"look": {"vector": [1.0, 0.0], "k": 2, "filter": {"term": {"stars": 1}}}}},
        "size": 2,
        "track_total_hits": False,
    }
    assert [(row.id, row.meta.score) for row in asked] == [("a", 1.0), ("b", 0.5)]


def test_a_graph_is_not_asked_where_it_is_not_or_mixstore_has_a_part_of_the_filter() -> None:
    plain, _ = stubbed()
    assert "sort" in told(plain.query(Picture).similar(look=[1, 0], approximate=True))
    backend, _ = stubbed(knn=True)
    assert "sort" in told(backend.query(Picture).similar(look=[1, 0]))
    assert "sort" in told(backend.query(Picture).similar(look=[1, 0], approximate=True).filter(title__regex="x"))


def test_a_raw_query_is_a_filter_of_the_nearest_too() -> None:
    backend, _ = stubbed(knn=True)
    for approximate in (False, True):
        asked = raw(backend.query(Picture), {"exists": {"field": "title"}})
        body = told(asked.similar(look=[1, 0], approximate=approximate))
        inner = body["query"]["knn"]["look"]["filter"] if approximate else body["query"]
        assert inner == {"bool": {"must": [{"exists": {"field": "title"}}], "filter": []}}


def test_words_and_a_vector_are_two_requests_and_highlights_stay() -> None:
    by_words = found({**hit("a", 3.5, "a"), "highlight": {"title": ["<em>red</em>"]}}, hit("b", 2.5, "b"))
    backend, client = stubbed(by_words, found(hit("b", 0.9, "b"), hit("c", 0.5, "c")))
    rows = backend.query(Picture).search("red", highlight=True).similar(look=[1, 0], k=2).all()
    assert [sent.json["size"] for sent in client.sent] == [100, 100]
    assert [(row.id, row.meta.score) for row in rows] == [("b", 0.5 / 62 + 0.5 / 61), ("a", 0.5 / 61)]
    assert [row.meta.highlights for row in rows] == [{}, {"title": ["<em>red</em>"]}]


def test_vectors_are_kept_and_have_graphs_only_where_the_plugin_is_told_of() -> None:
    plain, _ = stubbed()
    index = plain.bound(Picture).native
    assert index.mapping["properties"]["look"] == {"type": "object", "enabled": False}
    assert "knn" not in index.settings
    backend, _ = stubbed(knn=True)
    index = backend.bound(Picture).native
    method = {"name": "hnsw", "engine": "lucene", "parameters": {"m": 16, "ef_construction": 100}}
    assert index.mapping["properties"]["look"] == {
        "type": "knn_vector",
        "dimension": 2,
        "method": {**method, "space_type": "cosinesimil"},
    }
    assert index.mapping["properties"]["spot"]["method"]["space_type"] == "l2"
    assert index.settings == {"knn": True}


def test_a_url_tells_of_the_plugin() -> None:
    with OpenSearchBackend.from_url("opensearch://localhost:9200?knn=true") as backend:
        assert backend.knn is True
    with OpenSearchBackend.from_url("opensearch://localhost:9200") as backend:
        assert backend.knn is False
    with pytest.raises(ConfigurationError, match="knn is true or false, not 'yes'"):
        OpenSearchBackend.from_url("opensearch://localhost:9200?knn=yes")


def test_a_cluster_that_does_not_know_the_setting_has_no_plugin() -> None:
    reason = "unknown setting [index.knn] please check that any required plugins are installed"
    body = {"error": {"type": "illegal_argument_exception", "reason": reason}, "status": 400}
    absent = {"error": {"type": "index_not_found_exception"}, "status": 404}
    refused = driver.RequestError(400, "illegal_argument_exception", body)
    backend, client = stubbed(absent, refused, knn=True)
    with pytest.raises(ConfigurationError, match=r"no k-NN plugin(.|\n)*leave knn=True out"):
        backend.initialize(Picture)
    assert client.sent[1].json["settings"]["knn"] is True
