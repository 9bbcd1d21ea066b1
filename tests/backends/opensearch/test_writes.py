"""What writes become: the lines of a bulk, what is tried again, the outcome of each. A stub stands for the server."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from opensearchpy import exceptions as driver

from mixstore import (
    BackendUnavailableError,
    BatchError,
    ConflictError,
    DuplicateKeyError,
    NotFoundError,
    ThrottledError,
    UnsupportedOperationError,
    ValidationError,
)
from mixstore.expressions import Compare
from mixstore.write import REMOVE, Add, Write
from mixstore_backends.opensearch import units
from mixstore_backends.opensearch.writes import SCRIPT
from tests.backends.opensearch.models import Article, Home, Todo
from tests.backends.opensearch.stub import StubClient, conflict, counted, items, refused, stubbed


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("mixstore_backends.opensearch.backend.time.sleep", waited.append)
    return waited


def written(
    *writes: tuple[Any, ...], answers: tuple[Any, ...], refresh: Any = "wait_for"
) -> tuple[list[Any], StubClient]:
    backend, client = stubbed(*answers, refresh=refresh)
    bound = backend.bound(Article)
    made = [Write(op, bound, key, *rest) for op, key, *rest in writes]
    return [outcome.status for outcome in backend.execute(backend.compile_batch(bound, made))], client


def found(id: str, seq_no: int = 7, **source: Any) -> dict[str, Any]:
    place = {"_index": "x-000001", "_seq_no": seq_no, "_primary_term": 1}
    there = {"_id": id, "found": True, **place, "_source": record(id=id, **source)}
    return {"docs": [there]}


def record(**values: Any) -> dict[str, Any]:
    backend, _ = stubbed()
    return backend.adapter.model_to_storage(Article(**values))


ABSENT = {"docs": [{"_id": "a", "found": False}]}


def test_a_create_is_a_create_that_waits_until_searches_see_it() -> None:
    backend, client = stubbed(items(("create", 201)), prefix="app-")
    Todo.bind(backend)
    Todo.create(user="ann", number=3)
    Todo.bind(None)
    (sent,) = client.sent
    assert (sent.method, sent.path) == ("POST", "/app-todo/_bulk")
    assert sent.params == {"refresh": "wait_for", "require_alias": "true"}
    assert sent.lines == [
        {"create": {"_id": "USER#ann|TODO#0003"}},
        {"user": "ann", "number": 3, "done": False, "_pk": "USER#ann", "_sk": "TODO#0003"},
    ]


@pytest.mark.parametrize(("more", "params"), [(0, {}), (1, {"filter_path": units.TOLD})])
def test_of_an_answer_to_many_writes_comes_what_is_looked_at(more: int, params: Any) -> None:
    many = [("delete", (str(number),)) for number in range(units.FEW + more)]
    _, client = written(*many, answers=(items(*[("delete", 200)] * len(many)),))
    assert client.sent[0].params == {"refresh": "wait_for", "require_alias": "true", **params}


@pytest.mark.parametrize(("refresh", "told"), [("wait_for", "wait_for"), (True, "true"), (False, "false")])
def test_the_refresh_policy_goes_with_the_write(refresh: Any, told: str) -> None:
    _, client = written(("delete", ("a",)), answers=(items(("delete", 200)),), refresh=refresh)
    assert client.sent[0].params["refresh"] == told


def test_a_block_can_have_another_refresh_policy() -> None:
    backend, client = stubbed(*[items(("delete", 200))] * 2)
    bound = backend.bound(Article)
    with backend.refreshing(False):
        backend.execute(backend.compile_writes(bound, [Write("delete", bound, ("a",))]))
    backend.execute(backend.compile_writes(bound, [Write("delete", bound, ("a",))]))
    assert [sent.params["refresh"] for sent in client.sent] == ["false", "wait_for"]


def test_a_lazy_backend_refreshes_before_it_searches_what_it_wrote() -> None:
    backend, client = stubbed(items(("delete", 200)), {}, counted(0), counted(0), refresh="lazy")
    bound = backend.bound(Article)
    backend.execute(backend.compile_writes(bound, [Write("delete", bound, ("a",))]))
    assert backend.count(Article) == backend.count(Article) == 0
    assert [sent.path for sent in client.sent] == ["/article/_bulk", "/article/_refresh", *["/article/_count"] * 2]
    assert client.sent[0].params["refresh"] == "false"


def test_a_taken_key_is_the_outcome_of_a_create() -> None:
    outcomes, _ = written(
        ("create", ("a",), record(id="a")),
        ("create", ("b",), record(id="b")),
        answers=(items(conflict("create"), ("create", 201)),),
    )
    assert outcomes == ["exists", "ok"]


def test_an_update_sends_just_what_changes() -> None:
    outcomes, client = written(("update", ("a",), None, {"stars": 5, "tags": ["x"]}), answers=(items(("update", 200)),))
    assert outcomes == ["ok"]
    assert client.sent[0].lines == [
        {"update": {"_id": "a", "retry_on_conflict": 8}},
        {"doc": {"stars": 5, "tags": ["x"]}},
    ]


@pytest.mark.parametrize(
    ("changes", "params"),
    [
        ({"home": {"city": "Rome", "floor": None}}, {"set": {"home": {"city": "Rome", "floor": None}}}),
        ({"stars": REMOVE}, {"remove": ["stars"]}),
        ({"stars": Add(2)}, {"add": {"stars": 2}}),
        ({"price": Add(Decimal("0.10"))}, {"add": {"price": "0.1"}}),
        ({"score": Add(0.5)}, {"add": {"score": 0.5}, "real": ["score"]}),
    ],
)
def test_what_a_partial_document_can_not_say_is_said_by_a_script(changes: Any, params: dict[str, Any]) -> None:
    stored = {"update": {"status": 200, "get": {"_source": {}}}}
    outcomes, client = written(("update", ("a",), None, changes), answers=(items(stored),))
    assert outcomes == ["ok"]
    script = client.sent[0].lines[1]["script"]
    nothing = {"set": {}, "extra": {}, "add": {}, "remove": [], "dropped": [], "real": []}
    assert (script["source"], script["params"]) == (SCRIPT, {**nothing, **params})


def test_an_update_or_delete_of_what_is_not_there_is_missing() -> None:
    outcomes, _ = written(
        ("update", ("a",), None, {"stars": 5}),
        ("delete", ("b",)),
        answers=(items(refused("update", 404, "document_missing_exception"), ("delete", 404)),),
    )
    assert outcomes == ["missing", "missing"]


ON = {"_index": "x-000001.only"}
FIVE = Compare(("stars",), "eq", 5)


def test_a_condition_is_looked_at_and_then_written_on_that_very_document() -> None:
    outcomes, client = written(
        ("update", ("a",), None, {"open": True}, FIVE),
        answers=(found("a", 7, stars=5), items(("update", 200))),
    )
    assert outcomes == ["ok"]
    assert client.sent[0].path == "/article/_mget"
    assert client.sent[1].lines[0] == {
        "update": {"_id": "a", "_index": "x-000001.only", "if_seq_no": 7, "if_primary_term": 1}
    }


def test_a_condition_that_does_not_hold_writes_nothing() -> None:
    outcomes, client = written(("delete", ("a",), None, None, FIVE), answers=(found("a", stars=4),))
    assert outcomes == ["condition"]
    assert len(client.sent) == 1


def test_a_document_that_changes_in_between_is_looked_at_again(no_waiting: list[float]) -> None:
    outcomes, client = written(
        ("update", ("a",), None, {"open": True}, FIVE),
        answers=(
            found("a", 7, stars=5),
            items(conflict("update")),
            found("a", 8, stars=5),
            items(conflict("update")),
            found("a", 9, stars=4),
        ),
    )
    assert outcomes == ["condition"]
    assert client.sent[3].lines[0]["update"]["if_seq_no"] == 8
    assert len(no_waiting) == 2


def test_a_document_that_never_stands_still_is_a_conflict() -> None:
    backend, _ = stubbed(*(found("a", 7, stars=5), items(conflict("update"))) * units.ATTEMPTS)
    bound = backend.bound(Article)
    write = Write("update", bound, ("a",), None, {"open": True}, FIVE)
    (outcome,) = backend.execute(backend.compile_writes(bound, [write]))
    assert isinstance(outcome.error, ConflictError)
    assert f"{units.ATTEMPTS} attempts" in str(outcome.error)
    assert outcome.error.key == "a"


def test_an_upsert_with_a_condition_creates_what_is_not_there() -> None:
    outcomes, client = written(("upsert", ("a",), record(id="a"), None, FIVE), answers=(ABSENT, items(("create", 201))))
    assert outcomes == ["ok"]
    assert "create" in client.sent[1].lines[0], "somebody else may be faster"


def test_a_dead_document_in_the_way_is_replaced_and_a_live_one_is_not() -> None:
    for stars, expected in ((5, "ok"), (4, "exists")):
        backend, client = stubbed(items(conflict("create")), found("a", 3, stars=stars), items(("index", 200)))
        bound = backend.bound(Article)
        write = Write("create", bound, ("a",), record(id="a"), evict=FIVE)
        (outcome,) = backend.execute(backend.compile_writes(bound, [write]))
        assert outcome.status == expected
        if stars == 5:
            assert client.sent[2].lines[0] == {"index": {"_id": "a", **ON, "if_seq_no": 3, "if_primary_term": 1}}


def test_an_upsert_that_asks_for_no_row_tells_of_one() -> None:
    backend, client = stubbed(items(conflict("create")), found("a"))
    bound = backend.bound(Article)
    (outcome,) = backend.execute(
        backend.compile_writes(bound, [Write("upsert", bound, ("a",), record(id="a"), absent=True)])
    )
    assert (outcome.status, outcome.stored["id"]) == ("exists", "a")
    assert len(client.sent) == 2


# -- many ------------------------------------------------------------------------------------------------------------


def test_a_batch_is_sent_in_chunks_and_refreshed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "ITEMS_AT_ONCE", 2)
    rows = [("upsert", (f"{n}",), record(id=f"{n}")) for n in range(5)]
    answers = [items(*[("index", 200)] * size) for size in (2, 2, 1)]
    outcomes, client = written(*rows, answers=(*answers, {}))
    assert outcomes == ["ok"] * 5
    assert [len(sent.lines) // 2 for sent in client.sent[:3]] == [2, 2, 1]
    assert [sent.params.get("refresh") for sent in client.sent] == ["false"] * 3 + [None]
    assert client.sent[3].path == "/article/_refresh"


def test_chunks_are_bounded_by_their_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "BYTES_AT_ONCE", 1000)
    rows = [("upsert", (f"{n}",), record(id=f"{n}", title="x" * 700)) for n in range(3)]
    _, client = written(*rows, answers=(*[items(("index", 200))] * 3, {}))
    assert len(client.sent) == 4


def test_items_that_the_engine_had_no_room_for_are_sent_again_and_only_they(no_waiting: list[float]) -> None:
    full = refused("create", 429, "rejected_execution_exception")
    outcomes, client = written(
        *[("create", (f"{n}",), record(id=f"{n}")) for n in range(3)],
        answers=(items(("create", 201), full, conflict("create")), items(full), items(("create", 201))),
    )
    assert outcomes == ["ok", "ok", "exists"]
    assert [sent.lines[0]["create"]["_id"] for sent in client.sent] == ["0", "1", "1"]
    assert no_waiting == [0.1, 0.4]


def test_an_engine_that_stays_full_is_an_error_of_its_own() -> None:
    full = items(refused("create", 429, "rejected_execution_exception"))
    backend, client = stubbed(*(full,) * 5)
    with pytest.raises(ThrottledError, match="more load") as caught:
        backend.create(Article, {"id": "a"})
    assert caught.value.key == "a"
    assert len(client.sent) == 5


def test_a_whole_request_that_is_refused_for_now_is_sent_again(no_waiting: list[float]) -> None:
    busy = driver.TransportError(429, "circuit_breaking_exception", {"error": {"type": "circuit_breaking_exception"}})
    outcomes, _ = written(("create", ("a",), record(id="a")), answers=(busy, busy, items(("create", 201))))
    assert outcomes == ["ok"]
    assert no_waiting == [0.1, 0.4]
    with pytest.raises(ThrottledError):
        written(("create", ("a",), record(id="a")), answers=(busy,) * 5)


def test_a_blocked_index_is_not_asked_again(no_waiting: list[float]) -> None:
    backend, _ = stubbed(items(refused("create", 429, "cluster_block_exception", "read-only")))
    with pytest.raises(BackendUnavailableError, match="can't be written"):
        backend.create(Article, {"id": "a"})
    assert no_waiting == []


def test_a_refresh_that_fails_is_left_to_the_next_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "ITEMS_AT_ONCE", 1)
    busy = driver.TransportError(503, "unavailable", {})
    backend, client = stubbed(*[items(("create", 201))] * 2, busy, {}, counted(2))
    assert len(backend.batch_create(Article, [{"id": one} for one in "ab"])) == 2
    assert backend.count(Article) == 2
    assert [sent.path for sent in client.sent[2:]] == [*["/article/_refresh"] * 2, "/article/_count"]


def test_rows_that_were_settled_are_told_when_a_later_attempt_fails() -> None:
    broken = driver.ConnectionTimeout("TIMEOUT", "read timed out", TimeoutError())
    for second in ((broken,), (found("b", 3, stars=5), broken)):
        backend, _ = stubbed(items(("create", 201), conflict("create")), *second)
        bound = backend.bound(Article)
        writes = [Write("create", bound, (one,), record(id=one), evict=FIVE) for one in "ab"]
        outcomes = backend.execute(backend.compile_batch(bound, writes))
        assert [outcome.status for outcome in outcomes] == ["ok", "failed"]
        assert outcomes[1].error.__cause__ is broken


def test_each_row_of_a_batch_is_told_what_became_of_it() -> None:
    bad = refused("create", 400, "mapper_parsing_exception", "failed to parse field [tags] of type [keyword]")
    backend, _ = stubbed(items(("create", 201), bad, conflict("create"), ("create", 201)))
    with pytest.raises(BatchError) as caught:
        backend.batch_create(Article, [{"id": one} for one in "abcd"])
    assert {position: type(error) for position, error in caught.value.failed.items()} == {
        1: ValidationError,
        2: DuplicateKeyError,
    }
    assert caught.value.failed[1].key == "b"  # type: ignore[attr-defined]


def test_rows_after_a_request_that_failed_are_not_tried_and_those_before_it_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(units, "ITEMS_AT_ONCE", 2)
    broken = driver.ConnectionTimeout("TIMEOUT", "read timed out", TimeoutError())
    backend, client = stubbed(items(("create", 201), ("create", 201)), broken, {})
    with pytest.raises(BatchError) as caught:
        backend.batch_create(Article, [{"id": one} for one in "abcdef"])
    told = caught.value.outcomes
    assert told[:2] == [None, None]
    assert told[2] is told[3]
    assert [getattr(error, "outcome_unknown", None) for error in told] == [None, None, True, True, False, False]
    assert "not tried" in str(told[4])
    assert [sent.path for sent in client.sent] == [*["/article/_bulk"] * 2, "/article/_refresh"]


# -- through the chain -------------------------------------------------------------------------------------------------


def test_outcomes_become_the_errors_of_the_kernel() -> None:
    backend, _ = stubbed(items(conflict("create")))
    with pytest.raises(DuplicateKeyError):
        backend.create(Article, {"id": "a"})
    backend, _ = stubbed(items(refused("update", 404, "document_missing_exception")))
    with pytest.raises(NotFoundError):
        backend.update(Article, Article(id="a"))


def test_several_documents_are_not_written_as_one() -> None:
    backend, _ = stubbed()
    bound = backend.bound(Article)
    with pytest.raises(UnsupportedOperationError, match="one document"):
        backend.compile_writes(bound, [Write("delete", bound, (one,)) for one in "ab"])
    side = Write("delete", bound, ("b",))
    with pytest.raises(UnsupportedOperationError, match="ATOMIC_WRITES"):
        backend.compile_writes(bound, [Write("delete", bound, ("a",), side_writes=(side,))])
    with pytest.raises(UnsupportedOperationError, match="ATOMIC_WRITES"):
        backend.transaction()


def test_a_model_holds_what_a_document_holds() -> None:
    backend, client = stubbed(
        {"found": True, "_source": json.loads(json.dumps(record(id="a", home=Home(city="Rome"))))}
    )
    assert backend.get(Article, id="a") == Article(id="a", home=Home(city="Rome")).model_dump() | {
        "home": Home(city="Rome")
    }
    assert (client.sent[0].method, client.sent[0].path) == ("GET", "/article/_doc/a")


@pytest.mark.parametrize(("key", "path"), [("a/b", "a%2Fb"), ("é?", "%C3%A9%3F"), ("a b", "a%20b")])
def test_a_key_is_quoted_in_a_path(key: str, path: str) -> None:
    backend, client = stubbed({"found": False})
    assert backend.get(Article, id=key) is None
    assert client.sent[0].path == f"/article/_doc/{path}"
