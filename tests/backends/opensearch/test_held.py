"""What a writer does while a reindexing holds writes: it waits, and looks again where it had looked."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import BackendUnavailableError
from mixstore.expressions import Compare
from mixstore.write import Write
from mixstore_backends.opensearch import units
from tests.backends.opensearch.models import Article
from tests.backends.opensearch.stub import StubClient, items, refused, stubbed

NOT_WRITTEN = "no write index is defined for alias [article]. The write index may be explicitly disabled"
CLOSED = "index [article-000001] blocked by: [FORBIDDEN/8/index write (api)];"
HELD = refused("index", 400, "illegal_argument_exception", NOT_WRITTEN)
BLOCKED = refused("index", 403, "cluster_block_exception", CLOSED)


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("mixstore_backends.opensearch.backend.time.sleep", waited.append)
    return waited


def record(id: str) -> dict[str, Any]:
    return stubbed()[0].adapter.model_to_storage(Article(id=id))


def gone(name: str) -> dict[str, Any]:
    """An item for an index whose own alias is not there any more."""
    told = refused("update", 404, "index_not_found_exception", f"no such index [{name}.only]")
    told["update"]["error"]["index"] = f"{name}.only"
    return told


def seen(place: str, seq_no: int, stars: int) -> dict[str, Any]:
    told = {"_index": place, "_seq_no": seq_no, "_primary_term": 1, "_id": "a", "found": True}
    return {"docs": [{**told, "_source": {**record("a"), "stars": stars}}]}


def upserted(*ids: str, answers: tuple[Any, ...]) -> tuple[list[Any], StubClient]:
    backend, client = stubbed(*answers)
    bound = backend.bound(Article)
    writes = [Write("upsert", bound, (id,), record(id)) for id in ids]
    return backend.execute(backend.compile_batch(bound, writes)), client


@pytest.mark.parametrize("held", [HELD, BLOCKED], ids=["the alias takes none", "the index takes none"])
def test_a_write_that_is_held_is_sent_again_alone_until_it_is_taken(held: Any, waited: list[float]) -> None:
    ok = items(("index", 201))
    outcomes, client = upserted("a", "b", answers=(items(("index", 201), held), items(held), items(held), ok))
    assert [outcome.status for outcome in outcomes] == ["ok", "ok"]
    assert waited == [0.02, 0.05, 0.1]
    assert [line["index"]["_id"] for sent in client.sent[1:] for line in sent.lines[::2]] == ["b"] * 3
    assert {sent.path for sent in client.sent} == {"/article/_bulk"}


def test_after_a_minute_it_is_an_error_that_says_what_to_do_and_that_nothing_was_written(waited: list[float]) -> None:
    (outcome,), client = upserted("a", answers=(items(HELD),) * (len(units.HELD) + 1))
    assert isinstance(outcome.error, BackendUnavailableError)
    assert not outcome.error.outcome_unknown
    assert "mixstore reindex" in str(outcome.error)
    assert 59 < sum(waited) < 62
    assert not client.answers


def test_a_write_that_depends_on_what_it_read_looks_again_in_the_index_that_has_taken_its_place() -> None:
    answers = (seen("article-000001", 7, 1), items(gone("article-000001")), seen("article-000002", 7, 5))
    backend, client = stubbed(*answers)
    bound = backend.bound(Article)
    write = Write("update", bound, ("a",), None, {"title": "x"}, condition=Compare(("stars",), "eq", 1))
    (outcome,) = backend.execute(backend.compile_writes(bound, [write]))
    assert outcome.status == "condition"
    assert [sent.path for sent in client.sent] == ["/article/_mget", "/article/_bulk", "/article/_mget"]
    assert client.sent[1].lines[0]["update"]["_index"] == "article-000001.only"


def test_an_index_that_never_had_an_alias_of_its_own_is_told_apart() -> None:
    rounds = (seen("article-000001", 7, 1), items(gone("article-000001"))) * (len(units.HELD) + 1)
    backend, _ = stubbed(*rounds)
    bound = backend.bound(Article)
    write = Write("update", bound, ("a",), None, {"title": "x"}, condition=Compare(("stars",), "eq", 1))
    (outcome,) = backend.execute(backend.compile_writes(bound, [write]))
    assert "initialize()" in str(outcome.error)


def test_a_full_disk_is_not_waited_for(waited: list[float]) -> None:
    full = "index [article] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"
    (outcome,), _ = upserted("a", answers=(items(refused("index", 429, "cluster_block_exception", full)),))
    assert isinstance(outcome.error, BackendUnavailableError)
    assert "free some disk" in str(outcome.error)
    assert waited == []
