"""`mixstore demo`: the same on every backend, and a failed check is a failed command."""

from __future__ import annotations

import inspect
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mixstore import Capability
from mixstore_backends.memory import InMemoryBackend

ROOT = Path(__file__).resolve().parents[2]
FEW = ("--limit", "300")
CHAPTERS = ["load", "country", "search", "pages", "expiry", "race", "active"]


@pytest.fixture
def results(run):
    """results(*options): (exit code, the JSON object) of a demo with few airports."""

    def results(*options):
        done = run("demo", "--json", *FEW, *options)
        return done.exit_code, json.loads(done.stdout)

    return results


@pytest.fixture
def serve(fresh):
    """serve(class): makes a backend the one behind `odd://`."""

    def serve(backend_class):
        fresh.register_backend("odd", type("Factory", (), {"from_url": staticmethod(lambda url: backend_class())}))

    return serve


@pytest.mark.parametrize("options", [(), ("--backend", "memory://")], ids=["sqlite", "memory"])
def test_every_check_holds(results, options):
    code, found = results(*options)
    assert code == 0
    assert found["ok"] is True
    assert list(found["steps"]) == CHAPTERS
    assert found["steps"]["load"]["rows"] == 300
    assert found["steps"]["country"]["plan"]["index"] is not None
    assert found["steps"]["country"]["plan_without_index"]["index"] is None
    assert found["steps"]["pages"]["pages"] == 4
    assert found["steps"]["race"] == {
        "ok": True,
        "conflicts": 1,
        "visits": [0, 2],
        "versions": [1, 3],
        "one_conflict": True,
        "nothing_lost": True,
    }


def test_both_backends_find_the_same(results):
    sqlite, memory = (results(*options)[1]["steps"] for options in ((), ("--backend", "memory://")))
    for chapter, facts in (("country", "highest"), ("search", "found"), ("pages", "rows"), ("expiry", "hidden")):
        assert sqlite[chapter][facts] == memory[chapter][facts]


def test_people_see_the_code_that_ran_and_what_it_found(run):
    from mixstore_extensions.demo import steps

    shown = run("demo", "--backend", "memory://", *FEW).stdout
    for step in (steps.load, steps.by_country, steps.by_name, steps.in_pages, steps.expiry, steps.add_visit):
        for line in inspect.getsource(step).splitlines():
            assert line in shown
    assert "300 rows in" in shown
    assert "rows/s" in shown
    assert "VersionConflictError: expected version 1, stored 2" in shown
    assert "All of it holds on memory" in shown


def test_plain_output_fits_80_columns_and_has_no_trailing_blanks_nor_escapes(run):
    for line in run("demo", *FEW).stdout.splitlines():
        assert len(line) <= 80
        assert line == line.rstrip()
        assert "\x1b" not in line


def test_the_file_is_kept_where_it_was_asked_for(run, tmp_path):
    done = run("demo", "--keep", "kept", *FEW)
    file = tmp_path / "kept" / "airports.db"
    assert done.exit_code == 0
    assert str(file) in done.stdout.replace("\n", "")
    with sqlite3.connect(file) as database:
        assert database.execute("select count(*) from DemoAirport").fetchone() == (300,)
    database.close()


def test_the_index_that_is_shown_is_the_one_that_sqlite_uses(results, tmp_path):
    _, found = results("--keep", ".")
    plans = [found["steps"]["country"][name] for name in ("plan", "plan_without_index")]
    with sqlite3.connect(tmp_path / "airports.db") as database:
        indexed, scanned = (
            " ".join(str(row) for row in database.execute("explain query plan " + sql, parameters))
            for sql, parameters in (plan["request"].values() for plan in plans)
        )
    database.close()
    assert f"USING INDEX {plans[0]['index']}" in indexed
    assert "SCAN DemoAirport" in scanned


def test_a_file_that_is_there_is_not_touched(run, tmp_path):
    file = tmp_path / "airports.db"
    file.write_text("mine")
    done = run("demo", "--keep", ".", *FEW)
    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert file.read_text() == "mine"


def test_the_temporary_folder_is_gone_afterwards(run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run("demo", *FEW).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_keep_goes_with_the_file_of_the_demo_only(run):
    done = run("demo", "--backend", "memory://", "--keep", ".")
    assert done.exit_code == 2
    assert "--backend" in done.stderr


def test_it_can_be_repeated_on_a_store_that_keeps_its_rows(results, tmp_path):
    url = f"sqlite:///{tmp_path.as_posix()}/again.db"
    assert [results("--backend", url)[1]["removed"] for _ in range(2)] == [0, 300]


def test_a_backend_of_the_config_can_be_named(results, write):
    write("mixstore.toml", '[backends.here]\nurl = "memory://"\n')
    code, found = results("--backend", "here")
    assert (code, found["backend"]) == (0, "memory")


def test_the_models_are_unbound_and_the_clock_is_right_again(results, serve):
    made = []

    class Watched(InMemoryBackend):
        def __init__(self):
            super().__init__()
            self.first_clock = self.clock
            made.append(self)

    serve(Watched)
    assert results("--backend", "odd://")[0] == 0
    assert made[0].clock is made[0].first_clock
    from mixstore_extensions.demo.models import MODELS

    assert [model.__mixstore_backend__ for model in MODELS] == [None, None]


def test_search_is_skipped_with_a_reason_where_the_backend_has_none(results, serve):
    class Mute(InMemoryBackend):
        capabilities = InMemoryBackend.capabilities & ~Capability.FULL_TEXT

    serve(Mute)
    code, found = results("--backend", "odd://")
    assert code == 0
    assert found["steps"]["search"] == {"ok": True, "skipped": "memory does not declare FULL_TEXT"}


def test_a_check_that_fails_is_shown_and_fails_the_command(run, serve):
    class Forgetful(InMemoryBackend):
        def execute(self, plan):
            found = super().execute(plan)
            return found._replace(rows=found.rows[:-1]) if hasattr(found, "more") and len(found.rows) > 1 else found

    serve(Forgetful)
    done = run("demo", "--backend", "odd://", *FEW)
    assert done.exit_code == 1
    assert "FAILED: every row once" in done.stdout
    assert "Failed on memory:" in done.stdout


def test_a_step_that_raises_has_failed_and_the_others_go_on(results, serve):
    from mixstore import BackendUnavailableError

    class Shy(InMemoryBackend):
        def compile_query(self, bound, query):
            if query.search is not None:
                raise BackendUnavailableError("the index is asleep")
            return super().compile_query(bound, query)

    serve(Shy)
    code, found = results("--backend", "odd://")
    assert code == 1
    assert [name for name, step in found["steps"].items() if not step["ok"]] == ["search"]
    assert "the index is asleep" in found["steps"]["search"]["error"]


def test_a_store_that_loses_rows_at_loading_ends_the_demo(results, serve):
    class Leaky(InMemoryBackend):
        def compile_count(self, bound, query):
            return self.compile_query(bound, query.__class__(model=query.model, where=query.where, limit=1))

    serve(Leaky)
    code, found = results("--backend", "odd://")
    assert (code, found["ok"], list(found["steps"])) == (1, False, ["load"])


def test_without_its_data_one_line_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "airportsdata", None)
    done = run("demo")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "mixstore: the demo needs airportsdata: pip install 'mixstore[demo]'\n"


def test_an_unknown_backend_is_told_with_the_nearest_one(run):
    done = run("demo", "--backend", "memroy://", *FEW)
    assert done.exit_code == 1
    assert "did you mean 'memory'?" in done.stderr


def test_it_runs_as_a_process_of_its_own(tmp_path):
    info = tmp_path / "mixstore-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mixstore\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "[mixstore]\nbackends = mixstore_backends.plugin\nextensions = mixstore_extensions.plugin\n"
    )
    trees = [str(ROOT / name) for name in ("kernel", "backends", "extensions")]
    done = subprocess.run(
        [sys.executable, "-m", "mixstore", "demo", "--json", *FEW],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *trees])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["ok"] is True
