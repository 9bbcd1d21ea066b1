"""Revisions on OpenSearch, whose row and revision are two writes: one never is without the other, whoever stops."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mixstore import (
    DuplicateKeyError,
    Field,
    Model,
    NotFoundError,
    ValidationError,
    bound_of,
    export_lines,
    finish_beside,
)
from mixstore_backends.opensearch import OpenSearchBackend, guarding
from mixstore_extensions import History, acting_as
from mixstore_extensions.history import StoredRevision
from tests.engines.engines import ROOT, Server
from tests.engines.opensearch_store import SETTINGS, store
from tests.engines.test_opensearch import in_threads
from tests.engines.test_opensearch_unique import CutOffError, Meanwhile

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Page(History, Model):
    id: str = Field(primary_key=True)
    n: int = 0


class Kept(History, Model):
    class Meta:
        history_keep = 2

    id: str = Field(primary_key=True)
    n: int = 0


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"h{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix) as made:
        Page.bind(made)
        Kept.bind(made)
        made.initialize(Page, Kept)
        yield made
        Page.bind(None)
        Kept.bind(None)
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


def past(model: Any = Page, key: str = "a") -> list[tuple[int, str]]:
    """(n, operation) of each revision, oldest first. The newest one is the row, or the end of it; there is no gap."""
    revisions = list(reversed(model.history(key)))
    assert [one.number for one in revisions] == list(range(1, len(revisions) + 1))
    row = model.get(key)
    if row is None:
        assert not revisions or revisions[-1].deleted, revisions
    else:
        assert revisions[-1].values == {"id": key, "n": row.n}, revisions
        assert not revisions[-1].deleted
    return [(one.values["n"], one.operation) for one in revisions]


def test_it_is_called_emulated(backend: OpenSearchBackend) -> None:
    [entry] = [entry for entry in Page.extensions() if "revisions" in entry.name or "history" in entry.name]
    assert (entry.state, entry.fidelity) == ("active", "emulated")


# -- who stops, or is slow, between two steps --------------------------------------------------------------------------


def create(other: OpenSearchBackend) -> bool:
    return bool(other.create(Page, {"id": "a", "n": 50}))


def upsert(other: OpenSearchBackend) -> bool:
    return bool(other.upsert(Page, {"id": "a", "n": 50}))


def update(other: OpenSearchBackend) -> bool:
    return bool(other.update(Page, Page(id="a", n=50)))


def delete(other: OpenSearchBackend) -> bool:
    return other.delete(Page, Page(id="a"))


BEFORE = {
    "create": (create, []),
    "create again": (create, ["create", "delete"]),
    "upsert": (upsert, ["create"]),
    "update": (update, ["create", "update"]),
    "delete": (delete, ["create"]),
}


def prepared(case: str) -> list[tuple[int, str]]:
    for operation in BEFORE[case][1]:
        if operation == "create":
            Page.create(id="a", n=1)
        elif operation == "update":
            Page.get("a").update(n=2)
        else:
            Page.get("a").delete()
    return past()


def forget(backend: OpenSearchBackend) -> None:
    for model in (Page, StoredRevision):
        path = f"{backend.bound(model).native.path}/_delete_by_query"
        backend.refresh(model)
        body = {"query": {"match_all": {}}}
        backend.client.transport.perform_request("POST", path, params={"refresh": "true"}, body=body)


@pytest.mark.parametrize("case", BEFORE)
def test_a_write_that_ends_after_any_request_is_there_with_its_revision_or_not_at_all(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(guarding, "GRACE", ())
    write, seen, left, step = BEFORE[case][0], set[int](), 0, 0
    while True:
        forget(backend)
        before = prepared(case)

        def ends() -> None:
            raise CutOffError

        client = Meanwhile(backend.client, step, ends)
        other = OpenSearchBackend(client, prefix=backend.prefix, settings=SETTINGS, refresh=False)
        with contextlib.suppress(CutOffError):
            write(other)
        backend.refresh(Page, StoredRevision)
        if step % 2:  # somebody who asks for all of them, as a copy of the model does
            left += finish_beside(bound_of(Page))
        after = past()
        assert after[: len(before)] == before
        seen.add(len(after) - len(before))
        Page.upsert(id="a", n=77)
        assert past() == [*after, (77, "upsert")], "and nobody is in anybody's way"
        if not client.met:
            break
        step += 1
    assert seen == {0, 1}
    assert step >= 5
    assert left >= 1, "at some step the row had its revision still with it"


@pytest.mark.parametrize("case", BEFORE)
@pytest.mark.parametrize("rival", ["upserts", "deletes", "asks"])
def test_a_write_that_is_slow_between_two_steps_loses_nothing_of_others(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch, case: str, rival: str
) -> None:
    monkeypatch.setattr(guarding, "GRACE", ())
    step = 0
    while True:
        forget(backend)
        before = prepared(case)
        rivals: list[str] = []

        def meanwhile(rivals: list[str] = rivals) -> None:
            if rival == "upserts":
                Page.upsert(id="a", n=60)
                rivals.append("upsert")
            elif rival == "deletes" and Page(id="a").delete():
                rivals.append("delete")
            elif rival == "asks":
                past()

        client = Meanwhile(backend.client, step, meanwhile)
        other = OpenSearchBackend(client, prefix=backend.prefix, settings=SETTINGS, refresh=False)
        mine: list[str] = []
        with contextlib.suppress(NotFoundError, DuplicateKeyError):
            mine += [case.split()[0]] * BEFORE[case][0](other)
        backend.refresh(Page, StoredRevision)
        after = past()
        assert after[: len(before)] == before
        told = sorted(operation for _, operation in after[len(before) :])
        assert told == sorted([*rivals, *mine]), (step, after)
        if not client.met:
            break
        step += 1
    assert step >= 5


# -- processes that are killed -----------------------------------------------------------------------------------------

KILLED = """
import sys
from mixstore import Field, Model
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import History

class Page(History, Model):
    id: str = Field(primary_key=True)
    n: int = 0

with OpenSearchBackend(hosts=[sys.argv[1]], prefix=sys.argv[2], refresh=False) as backend:
    Page.bind(backend)
    row = Page.get("a")
    n = -1 if row is not None else max([one.values["n"] for one in Page.history("a")], default=-1)
    print("ready", flush=True)
    while True:
        if row is None:
            row = Page.create(id="a", n=n + 1)
        elif row.n % 7 == 6:
            row.delete()
            row = Page.create(id="a", n=row.n + 1)
        else:
            row.update(n=row.n + 1)
        print(row.n, flush=True)
"""


def test_a_process_that_is_killed_at_any_time_leaves_each_write_with_its_revision(
    opensearch: Server, backend: OpenSearchBackend, tmp_path: Path
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    chance, acknowledged, found = random.Random(4), -1, []
    for round in range(12):
        told = [sys.executable, str(script), opensearch.url, backend.prefix]
        with subprocess.Popen(
            told, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.2 + 1.5 * chance.random())  # a place that was reserved is respected for a second
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().split("\n")[:-1]  # the last may have been cut off
        acknowledged = max([acknowledged, *map(int, lines)])
        backend.refresh(Page, StoredRevision)
        if round % 2:
            finish_beside(bound_of(Page))
        found = past()
        written = [n for n, operation in found if operation != "delete"]
        assert written == list(range(len(written))), "each write once, in order"
        assert acknowledged <= written[-1] <= acknowledged + 1
        acknowledged = written[-1]  # known to be there from now on, and so never lost
    assert acknowledged > 30
    Page.upsert(id="a", n=acknowledged + 1)
    assert past() == [*found, (acknowledged + 1, "upsert")], "and nobody is in anybody's way"


# -- others ------------------------------------------------------------------------------------------------------------


def test_a_writer_whose_searches_are_behind_finds_the_next_number(
    opensearch: Server, backend: OpenSearchBackend
) -> None:
    with store(opensearch, prefix=backend.prefix, refresh=False) as other:  # an hour goes by until searches see it
        for n in range(5):
            other.upsert(Page, {"id": "a", "n": n})
            backend.upsert(Page, {"id": "a", "n": n + 100})
    assert [n for n, _ in past()] == [0, 100, 1, 101, 2, 102, 3, 103, 4, 104]


def test_no_more_revisions_stay_than_are_to_be_kept(backend: OpenSearchBackend) -> None:
    row = Kept.create(id="a")
    for n in range(1, 6):
        row.update(n=n)
    assert [(one.number, one.values["n"]) for one in Kept.history("a")] == [(6, 5), (5, 4)]


def test_a_revision_that_the_engine_would_refuse_is_refused_before_the_row(backend: OpenSearchBackend) -> None:
    Page.create(id="a", n=1)
    with acting_as("x" * 40_000), pytest.raises(ValidationError, match="by"):
        Page.get("a").update(n=2)
    assert past() == [(1, "create")]


def test_nobody_sees_what_a_row_has_brought_along(backend: OpenSearchBackend) -> None:
    def ends() -> None:
        raise CutOffError

    Page.create(id="a", n=1)
    steps, unfinished = 0, False
    while not unfinished:
        other = OpenSearchBackend(Meanwhile(backend.client, steps, ends), prefix=backend.prefix, refresh=False)
        with contextlib.suppress(CutOffError):
            other.update(Page, Page(id="a", n=10 + steps))
        path = f"{backend.bound(Page).native.path}/_doc/a"
        unfinished = bool(backend.client.transport.perform_request("GET", path)["_source"].get("_beside"))
        steps += 1
    backend.refresh(Page)
    row = Page.get("a")
    assert vars(row) == vars(Page.where().one()) == {"id": "a", "n": row.n}
    exported = [json.loads(line) for line in export_lines(Page, backend=backend)]
    kept = [line["values"]["number"] for line in exported if line["entity"] == "mixstore_revision"]
    assert sorted(kept) == list(range(1, len(past()) + 1)), "an export has all revisions, of which one was on its way"
    row.update(n=99)
    assert [n for n, _ in past()][-2:] == [9 + steps, 99]


def test_indexes_move_under_those_who_leave_revisions(opensearch: Server, backend: OpenSearchBackend) -> None:
    stop = threading.Event()
    written = [0] * 4

    def work(thread: int) -> None:
        with store(opensearch, prefix=backend.prefix, refresh=False) as own:
            while not stop.is_set():
                own.upsert(Page, {"id": f"p{thread % 2}", "n": written[thread]})
                written[thread] += 1

    def move(thread: int) -> None:
        if thread < 4:
            return work(thread)
        try:
            for model in (Page, StoredRevision, Page):
                backend.reindex(model, keep=False)
        finally:
            stop.set()

    assert in_threads(5, move) == [None] * 5
    backend.refresh(Page, StoredRevision)
    assert [len(past(key=f"p{n}")) for n in (0, 1)] == [written[0] + written[2], written[1] + written[3]]
    assert min(written) > 3
