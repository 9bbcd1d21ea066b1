"""Reindexing that is cut off anywhere: run again, it ends with every acknowledged document, and no deleted one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opensearchpy.exceptions import ConnectionTimeout

from mixstore import BackendUnavailableError, MixstoreError
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_backends.opensearch.reindexing import Reindex
from mixstore_extensions import Counters, Versioned
from tests.engines.engines import OPENSEARCH, ROOT, Server, running
from tests.engines.opensearch_store import store
from tests.engines.test_opensearch_reindex import Writers, indexes, of_form, stored, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")

SETTINGS = {"number_of_replicas": 0, "number_of_shards": 2}


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"k{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix, settings=SETTINGS) as made:
        yield made
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


class CutOffError(Exception):
    """This process has ended."""


class Mortal:
    """A client of a process that ends after so many requests."""

    def __init__(self, client: Any, left: int) -> None:
        self.client = client
        self.left = left
        self.transport = self

    def perform_request(self, *args: Any, **options: Any) -> Any:
        if self.left == 0:
            raise CutOffError
        self.left -= 1
        return self.client.transport.perform_request(*args, **options)


def test_a_reindexing_that_ends_after_any_request_is_carried_on(backend: OpenSearchBackend) -> None:
    model = of_form(backend, (Versioned,), n=(int, 0))
    backend.initialize(model)
    model.batch_create([{"id": f"{n:03d}", "n": n} for n in range(60)])
    expected = {f"{n:03d}": n for n in range(60)}

    def write(round: int) -> None:
        """An update, a delete and a create by somebody who waits if that has to be."""
        row = model.get(f"{round + 1:03d}")
        row.n += 1000
        row.save()
        assert model.get(f"{round:03d}").delete()
        model.create(id=f"new-{round}", n=round)

    rounds = 0
    while True:
        rounds += 1
        cut = store(None, Mortal(backend.client, rounds), prefix=backend.prefix, settings=SETTINGS)  # type: ignore[arg-type]
        plan = Reindex(cut.bound(model).native, SETTINGS, keep=False, change=None, told=lambda *_: None)
        try:
            cut.execute(plan)
        except CutOffError:
            whole = False
        else:
            whole = True
        writer = threading.Thread(target=write, args=(rounds,))
        writer.start()
        time.sleep(0.05)
        backend.reindex(model, keep=False)
        writer.join(60)
        assert not writer.is_alive()
        del expected[f"{rounds:03d}"]
        expected[f"{rounds + 1:03d}"] += 1000
        expected[f"new-{rounds}"] = rounds
        backend.refresh(model)
        assert {row["id"]: row["n"] for row in model.where().select("id", "n").all()} == expected, f"round {rounds}"
        if whole:
            break
    assert rounds > 20
    (living,) = [aliases for aliases in indexes(backend).values() if "reindexed" in aliases]
    assert len(living) == 2, "nothing of the others is left on it"


class Shaky:
    """A client one of whose requests gets no answer, whether it was done (`late`) or not."""

    def __init__(self, client: Any, left: int, late: bool) -> None:
        self.client, self.left, self.late = client, left, late
        self.met = False
        self.transport = self

    def perform_request(self, *args: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left == -1:
            self.met = True
            if self.late:
                self.client.transport.perform_request(*args, **options)
            raise ConnectionTimeout("TIMEOUT", "no answer", TimeoutError())
        return self.client.transport.perform_request(*args, **options)


@pytest.mark.parametrize("late", [False, True], ids=["it was not done", "it was done"])
def test_a_reindexing_that_fails_lets_all_write_again_at_once(backend: OpenSearchBackend, late: bool) -> None:
    model = of_form(backend, (Versioned,), n=(int, 0))
    backend.initialize(model)
    model.create(id="a")
    step = 0
    while True:
        shaky = Shaky(backend.client, step, late)
        other = store(None, shaky, prefix=backend.prefix, settings=SETTINGS)  # type: ignore[arg-type]
        try:
            other.reindex(model, keep=False)
        except MixstoreError:
            assert shaky.met
        started = time.monotonic()
        row = model.get("a")
        row.n = step
        row.save()
        model.upsert(id="b", n=step)
        assert time.monotonic() - started < 5, f"somebody was held for ever after request {step}"
        assert model.get("b").n == step
        if not shaky.met:
            break
        step += 1
    assert step > 20


KILLED = """
import os, signal, sys
from mixstore import Field, Model
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import Counters, Versioned

class Reindexed(Counters, Versioned, Model):
    id: str = Field(primary_key=True)
    n: int = 0
    total: int = 0

def told(what, done, total):
    if what == sys.argv[3] and done >= int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)

settings = {"number_of_replicas": 0, "number_of_shards": 2}
with OpenSearchBackend(hosts=[sys.argv[1]], prefix=sys.argv[2], settings=settings) as backend:
    backend.reindex(Reindexed, keep=False, told=told)
"""


@pytest.mark.parametrize(("what", "done"), [("copying", 2000), ("writers wait", 0), ("writers go on", 0)])
def test_a_process_that_is_killed_while_others_write_costs_nothing(
    opensearch: Server, backend: OpenSearchBackend, tmp_path: Path, what: str, done: int
) -> None:
    model = of_form(backend, (Counters, Versioned), n=(int, 0), total=(int, 0))
    backend.initialize(model)
    model.batch_create([{"id": f"still-{n}", "n": n} for n in range(5000)])
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    told = [sys.executable, str(script), opensearch.url, backend.prefix, what, str(done)]
    with Writers(opensearch, backend.prefix, 4) as writers:
        wait_until(lambda: len(writers.known) > 40)
        ended = subprocess.run(told, capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        backend.reindex(model, keep=False)
    assert writers.failed == []
    backend.refresh(model)
    expected = {id: one for id, one in writers.known.items() if one is not None}
    found = stored(model)
    assert {id: one for id, one in found.items() if not id.startswith("still")} == expected
    assert sum(id.startswith("still") for id in found) == 5000


@pytest.mark.skipif(OPENSEARCH.missing() is not None, reason=str(OPENSEARCH.missing()))
def test_a_server_that_crashes_in_the_middle_of_a_reindexing_loses_nothing() -> None:
    OPENSEARCH.install()
    with running(OPENSEARCH) as server, store(server, prefix="crash-", settings=SETTINGS) as backend:
        model: Any = of_form(backend, (Counters, Versioned), n=(int, 0), total=(int, 0))
        backend.initialize(model)
        model.batch_create([{"id": f"still-{n}", "n": n} for n in range(20_000)])
        acknowledged: dict[str, int] = {}
        deleted: set[str] = set()
        stopped: list[BaseException] = []
        crashed = threading.Event()

        def write() -> None:
            with store(server, prefix="crash-", refresh=False) as own:
                other = of_form(own, (Counters, Versioned), n=(int, 0), total=(int, 0))
                for number in range(100_000):
                    try:
                        other.create(id=f"w-{number}", n=number)
                        acknowledged[f"w-{number}"] = number
                        if number % 3 == 0:
                            deleted.add(f"still-{number}")
                            other.get(f"still-{number}").delete()
                    except MixstoreError as error:
                        stopped.append(error)
                        return

        def crash(what: str, done: int, total: int | None) -> None:
            if what == "copying" and done >= 12_000 and not crashed.is_set():
                crashed.set()
                server.kill()

        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: len(acknowledged) > 20)
        with pytest.raises(BackendUnavailableError):
            backend.reindex(model, told=crash)
        writer.join(60)
        assert stopped
        server.start()
        steps: list[tuple[str, int, int | None]] = []
        backend.reindex(model, told=lambda *told: steps.append(told))
        backend.refresh(model)
        found = stored(model)
        lost = set(acknowledged) - set(found)
        assert lost == set()
        missing = {f"still-{n}" for n in range(20_000)} - set(found)
        assert missing <= deleted
        assert len(deleted - missing) <= 1, "the last delete may not have been acknowledged"
        assert model.where(id__startswith="w-").count() <= len(acknowledged) + 1
        copied = max(done for what, done, _ in steps if what == "copying")
        assert copied < 25_000
