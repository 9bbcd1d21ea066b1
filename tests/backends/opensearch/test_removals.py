"""Deletes by query: what the engine is asked, and what is done about what it answers. A stub stands for the server."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from opensearchpy import exceptions as driver

from mixstore import BackendTimeoutError, BackendUnavailableError, Field, Model, ThrottledError
from mixstore_backends.opensearch import raw, removals
from mixstore_extensions import TTL
from tests.backends.opensearch.stub import StubClient, items, stubbed

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
WRITTEN = {"session-000001": {"aliases": {"session": {"is_write_index": True}}}}
HELD = {"session-000001": {"aliases": {"session": {"is_write_index": False}}}}
MOVED = {"session-000002": {"aliases": {"session": {"is_write_index": True}}}}
NONE_LEFT = {"hits": {"hits": []}}


class Session(TTL, Model):
    class Meta:
        scan = "allow"

    id: str = Field(primary_key=True)
    note: str = ""


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("mixstore_backends.opensearch.backend.time.sleep", waited.append)
    return waited


def deleted(number: int, **told: Any) -> dict[str, Any]:
    return {"took": 3, "timed_out": False, "deleted": number, "version_conflicts": 0, "failures": [], **told}


def purged(*answers: Any, refresh: Any = "wait_for") -> tuple[Any, StubClient]:
    backend, client = stubbed(*answers, refresh=refresh)
    backend.clock = lambda: NOON
    Session.bind(backend)
    try:
        return Session.purge_expired(), client
    finally:
        Session.bind(None)


def test_expired_rows_are_one_delete_by_query() -> None:
    number, client = purged(WRITTEN, deleted(7), WRITTEN)
    assert number == 7
    where, delete, still = client.sent
    assert (where.method, where.path) == (still.method, still.path) == ("GET", "/_alias/session")
    assert (delete.method, delete.path) == ("POST", "/session/_delete_by_query")
    assert {name: value for name, value in delete.params.items() if name != "ignore"} == {
        "conflicts": "proceed",
        "max_docs": "10000",
        "refresh": "true",
        "allow_partial_search_results": "false",
    }
    assert delete.json == {"query": {"range": {"expires_at.exact": {"lte": "2026-01-01T12:00:00.000000Z"}}}}


@pytest.mark.parametrize(
    ("refresh", "told"), [("wait_for", "true"), (True, "true"), (False, "false"), ("lazy", "false")]
)
def test_it_refreshes_as_a_write_does(refresh: Any, told: str) -> None:
    _, client = purged(WRITTEN, deleted(1), WRITTEN, refresh=refresh)
    assert client.sent[1].params["refresh"] == told


def test_more_than_a_piece_are_several_requests_and_each_sees_what_was_deleted_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(removals, "AT_ONCE", 10)
    number, client = purged(WRITTEN, deleted(10), WRITTEN, {}, WRITTEN, deleted(4), WRITTEN, refresh=False)
    assert number == 14
    assert [one.path for one in client.sent] == [
        "/_alias/session", "/session/_delete_by_query", "/_alias/session", "/session/_refresh",
        "/_alias/session", "/session/_delete_by_query", "/_alias/session",
    ]  # fmt: skip
    monkeypatch.setattr(removals, "AT_ONCE", 4)
    number, client = purged(WRITTEN, deleted(4), WRITTEN, {}, WRITTEN, deleted(0), WRITTEN, refresh="lazy")
    assert (number, client.sent[3].path) == (4, "/session/_refresh")


def one_left() -> dict[str, Any]:
    source = {"id": "x", "note": "", "expires_at": "2026-01-01T11:00:00.000000Z"}
    return {"hits": {"hits": [{"_source": source, "sort": ["x"]}]}}


@pytest.mark.parametrize(
    "in_the_way",
    [
        {"version_conflicts": 1},
        {"timed_out": True},
        {"failures": [{"cause": {"type": "cluster_block_exception"}, "status": 403}]},
    ],
)
def test_what_was_in_the_way_is_deleted_row_by_row_while_it_still_matches(in_the_way: dict[str, Any]) -> None:
    there = {"_id": "x", "_index": "session-000001", "found": True, "_seq_no": 3, "_primary_term": 1}
    looked = {"docs": [{**there, "_source": one_left()["hits"]["hits"][0]["_source"]}]}
    number, client = purged(WRITTEN, deleted(2, **in_the_way), WRITTEN, one_left(), looked, items(("delete", 200)))
    assert number == 3
    assert [one.path for one in client.sent[3:]] == ["/session/_search", "/session/_mget", "/session/_bulk"]
    assert client.sent[5].lines[0]["delete"]["if_seq_no"] == 3


def test_where_another_index_took_the_place_what_is_there_is_looked_at_again(waited: list[float]) -> None:
    number, client = purged(WRITTEN, deleted(2), HELD, HELD, MOVED, NONE_LEFT)
    assert number == 2
    assert waited == [0.02, 0.05]
    assert client.sent[-1].path == "/session/_search"


def test_while_writes_are_held_each_row_waits_as_every_write_does() -> None:
    number, client = purged(HELD, NONE_LEFT)
    assert number == 0
    assert [one.path for one in client.sent] == ["/_alias/session", "/session/_search"]


def test_writes_that_are_held_too_long_leave_it_open_whether_deleted_rows_come_back() -> None:
    with pytest.raises(BackendUnavailableError, match="2 documents were deleted just then") as caught:
        purged(WRITTEN, deleted(2), *[HELD] * 300)
    assert caught.value.outcome_unknown


def engine_refuses(status: int, kind: str) -> dict[str, Any]:
    return {"error": {"type": kind, "reason": "no", "root_cause": []}, "status": status}


def test_who_must_not_know_of_aliases_deletes_row_by_row() -> None:
    number, client = purged(engine_refuses(403, "security_exception"), NONE_LEFT)
    assert (number, client.sent[-1].path) == (0, "/session/_search")


@pytest.mark.parametrize(("number", "unknown"), [(2, True), (0, False)])
def test_a_last_look_that_fails_does_not_deny_what_was_deleted(number: int, unknown: bool) -> None:
    lost = driver.ConnectionError("N/A", "reset", ConnectionResetError())
    with pytest.raises(BackendUnavailableError) as caught:
        purged(WRITTEN, deleted(number), *[lost] * 3)
    assert caught.value.outcome_unknown is unknown


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_an_engine_that_does_not_do_it_is_asked_row_by_row(status: int) -> None:
    number, client = purged(WRITTEN, engine_refuses(status, "security_exception"), NONE_LEFT)
    assert (number, client.sent[-1].path) == (0, "/session/_search")


def test_an_engine_without_room_is_asked_again_and_then_it_is_an_error(waited: list[float]) -> None:
    full = engine_refuses(429, "circuit_breaking_exception")
    assert purged(WRITTEN, full, full, deleted(3), WRITTEN)[0] == 3
    assert waited == [0.1, 0.4]
    with pytest.raises(ThrottledError) as caught:
        purged(WRITTEN, *[full] * 5)
    assert not caught.value.outcome_unknown


def test_what_fails_on_the_way_may_have_happened() -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        purged(WRITTEN, engine_refuses(503, "search_phase_execution_exception"))
    assert caught.value.outcome_unknown
    with pytest.raises(BackendTimeoutError) as caught:
        purged(WRITTEN, driver.ConnectionTimeout("TIMEOUT", "late", TimeoutError()))
    assert caught.value.outcome_unknown


def test_a_later_piece_that_fails_tells_how_many_were_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removals, "AT_ONCE", 10)
    refused = driver.ConnectionError("N/A", "NewConnectionError: refused", OSError("refused"))
    with pytest.raises(BackendUnavailableError, match="it had written 10 rows") as caught:
        purged(WRITTEN, deleted(10), WRITTEN, WRITTEN, *[refused] * 3)
    assert caught.value.outcome_unknown


def test_a_filter_that_the_engine_can_not_answer_and_a_raw_one_are_row_by_row() -> None:
    backend, client = stubbed(NONE_LEFT, NONE_LEFT)
    Session.bind(backend)
    try:
        assert Session.where(note__regex="^a").delete() == 0
        assert raw(Session.where(), {"match_all": {}}).delete() == 0
    finally:
        Session.bind(None)
    assert [one.path for one in client.sent] == ["/session/_search", "/session/_search"]
