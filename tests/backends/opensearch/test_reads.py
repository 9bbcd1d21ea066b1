"""How queries are asked: one search, pages at a point in time, counts. A stub stands for the server."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import BackendError, BackendUnavailableError, UnsupportedOperationError
from mixstore_backends.opensearch import queries
from tests.backends.opensearch.models import Article
from tests.backends.opensearch.stub import counted, stubbed


@pytest.fixture(autouse=True)
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE", 2)


def row(id: str) -> dict[str, Any]:
    backend, _ = stubbed()
    return backend.adapter.model_to_storage(Article(id=id))


def hits(*ids: str) -> dict[str, Any]:
    return {"hits": {"hits": [{"_id": one, "_source": row(one), "sort": [one]} for one in ids]}}


PIT = {"pit_id": "p1"}


def ids(rows: Any) -> list[str]:
    return [one.id for one in rows]


def test_what_fits_in_a_page_takes_one_request() -> None:
    backend, client = stubbed(hits("a"))
    assert ids(backend.query(Article).all()) == ["a"]
    assert [sent.path for sent in client.sent] == ["/article/_search"]


def test_more_is_read_at_a_point_in_time_and_it_is_closed() -> None:
    backend, client = stubbed(hits("a", "b"), PIT, hits("a", "b"), hits("c", "d"), hits(), {})
    assert ids(backend.query(Article).all()) == ["a", "b", "c", "d"]
    assert [(sent.method, sent.path) for sent in client.sent] == [
        ("POST", "/article/_search"),
        ("POST", "/article/_search/point_in_time"),
        *[("POST", "/_search")] * 3,
        ("DELETE", "/_search/point_in_time"),
    ]
    assert [sent.json.get("search_after") for sent in client.sent[2:5]] == [None, ["b"], ["d"]]
    assert client.sent[2].json["pit"] == {"id": "p1", "keep_alive": "1m"}
    assert client.sent[5].json == {"pit_id": ["p1"]}


def test_a_point_in_time_that_nobody_needs_any_more_is_closed_by_the_next_request() -> None:
    backend, client = stubbed(hits("a", "b"), PIT, hits("a", "b"), {}, counted(2))
    found = backend.query(Article).filter(id__regex=".").limit(1).all()
    assert ids(found) == ["a"]
    assert backend.count(Article) == 2
    assert [sent.path for sent in client.sent[3:]] == ["/_search/point_in_time", "/article/_count"]


def test_a_closed_backend_closes_its_points_in_time_and_not_the_users_client() -> None:
    backend, client = stubbed(hits("a", "b"), PIT, hits("a", "b"), {})
    backend.query(Article).filter(id__regex=".").limit(1).all()
    backend.close()
    assert client.sent[-1].path == "/_search/point_in_time"


def test_an_offset_beyond_the_window_is_walked_without_reading_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "WINDOW", 3)
    backend, client = stubbed(PIT, hits("a", "b", "c"), hits("d"), hits("e"), {})
    assert ids(backend.query(Article).order_by("id").offset(4).limit(1).all()) == ["e"]
    assert [(sent.json["size"], sent.json.get("_source")) for sent in client.sent[1:4]] == [
        (3, False),
        (1, False),
        (1, None),
    ]


def test_an_offset_beyond_the_last_row_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "WINDOW", 3)
    backend, _ = stubbed(PIT, hits("a"), hits(), {})
    assert backend.query(Article).order_by("id").offset(4).limit(1).all() == []


def test_select_needs_no_more_than_it_reads() -> None:
    backend, client = stubbed({"hits": {"hits": [{"_source": {"id": "a", "stars": 3}}]}})
    assert backend.query(Article).select("stars").limit(1).all() == [{"stars": 3}]
    assert client.sent[0].json["_source"] == ["id", "stars"]


def test_a_count_is_the_engines_where_it_can_answer_exactly() -> None:
    backend, client = stubbed(counted(12_345))
    assert backend.query(Article).filter(stars=1).count() == 12_345
    assert client.sent[0].json == {"query": {"term": {"stars": 1}}}


def test_a_count_reads_rows_where_something_is_residual() -> None:
    backend, client = stubbed(hits("a"))
    assert backend.query(Article).filter(id__regex="b").count() == 0
    assert client.sent[0].path == "/article/_search"


def test_long_texts_that_are_the_same_as_far_as_they_are_indexed_have_no_order() -> None:
    cut = "x" * 8000 + "\U0010ffff"
    tie = {"hits": {"hits": [{"_source": row(one), "sort": [cut, one]} for one in "ab"]}}
    backend, _ = stubbed(tie)
    with pytest.raises(UnsupportedOperationError, match="8000 characters"):
        backend.query(Article).order_by("title").limit(5).all()


def test_many_keys_are_one_request_and_one_that_no_document_can_have_is_not_there() -> None:
    there = {"_id": "a", "found": True, "_index": "x-000001", "_seq_no": 1, "_primary_term": 1, "_source": row("a")}
    backend, client = stubbed({"docs": [there, {"_id": "b", "found": False}]})
    assert [one and one["id"] for one in backend.batch_get(Article, ["a", "b", "a"])] == ["a", None, "a"]
    assert client.sent[0].json == {"ids": ["a", "b"]}


def test_an_index_that_is_not_there_is_not_a_missing_row() -> None:
    missing = {"error": {"type": "index_not_found_exception", "reason": "no such index [article]"}, "status": 404}
    backend, _ = stubbed(missing)
    with pytest.raises(BackendError, match=r"initialize\(\)"):
        backend.get(Article, id="a")
    backend, _ = stubbed({"docs": [{"_id": "a", "error": missing["error"]}]})
    with pytest.raises(BackendError, match=r"initialize\(\)"):
        backend.batch_get(Article, ["a", "b"])


async def test_an_async_client_is_awaited() -> None:
    class AsyncStub:
        def __init__(self) -> None:
            self.transport = self
            self.sent: list[str] = []

        async def perform_request(self, method: str, url: str, **others: Any) -> Any:
            self.sent.append(url)
            return {"found": True, "_source": row("a")}

    waiting = AsyncStub()
    backend, client = stubbed(async_client=waiting)
    Article.bind(backend)
    assert (await Article.aget("a")).id == "a"
    Article.bind(None)
    assert waiting.sent == ["/article/_doc/a"]
    assert client.sent == []


def test_an_answer_of_some_shards_only_is_no_answer() -> None:
    backend, client = stubbed(hits("a"))
    backend.query(Article).limit(1).all()
    assert client.sent[0].params["allow_partial_search_results"] == "false"
    reason = {"type": "no_shard_available_action_exception", "reason": "gone"}
    backend, _ = stubbed({"count": 3, "_shards": {"failed": 1, "failures": [{"shard": 0, "reason": reason}]}})
    with pytest.raises(BackendUnavailableError, match="gone"):
        backend.count(Article)
