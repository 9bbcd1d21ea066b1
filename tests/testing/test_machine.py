"""The differential machine finds bugs, and prints the shortest script that shows one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mixstore
from mixstore import ConfigurationError
from mixstore.testing.machine import Act, Brings, Column, differential_machine, quick, run_differential
from mixstore.testing.source import Ask, Imports, Link, Together, Wait, source
from mixstore.testing.subject import COLUMNS, KEY, NAME, Subject, script
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import TTL, Counters, Tenant, Versioned, tenant
from tests.testing import planted

ROOT = Path(__file__).resolve().parent.parent.parent
BUGS: dict[str, tuple[Any, list[Any]]] = {
    "a limit before the filter": (planted.FiltersAfterTheLimit, []),
    "a lock that is not looked at": (planted.ForgetsConditions, [Versioned]),
    "another tenant's row": (planted.ForgetsConditions, [Brings(Tenant, within=(tenant, ["a", "b"]))]),
    "an expired row in the way": (planted.KeepsTheExpired, [Brings(TTL, arguments={"expires_in": [None, 5, -1]})]),
    "an exception that is none of mixstore's": (planted.Crashes, []),
}


@pytest.fixture(autouse=True)
def registry():
    with mixstore.registry():
        yield


def script_of(backend: Any, mixins: list[Any]) -> str:
    """What the machine prints about a backend with a bug."""
    with pytest.raises(AssertionError, match="This script reproduces it") as caught:
        run_differential(backend, mixins=mixins, examples=200)
    return str(caught.value).partition("This script reproduces it:\n\n")[2]


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "reproduces.py"
    path.write_text(program, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(path)], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("bug", BUGS)
def test_the_script_is_short_fails_on_the_backend_with_the_bug_and_passes_on_a_sound_one(bug, tmp_path):
    backend, mixins = BUGS[bug]
    program = script_of(backend, mixins)
    work = program.partition("def work(backend):\n")[2].partition("\n\n\n")[0]
    assert len(work.splitlines()) <= 9, program  # with the first and the last two
    assert program.count("Field(") <= 4, program
    failed = run(program, tmp_path)
    assert failed.returncode == 1
    assert ("LookupError" if backend is planted.Crashes else "AssertionError") in failed.stderr
    sound = run(program.replace(backend.__name__, "Sound"), tmp_path)
    assert sound.returncode == 0, sound.stderr


def test_a_sound_backend_shows_no_difference():
    run_differential(planted.Sound, examples=5)


def test_each_step_can_be_written_down_and_made_again(tmp_path):
    subject = Subject((Brings(Counters),), KEY, {**COLUMNS, "hits": Column(int, 0, [1])})
    every = {name: next(one for one in column.values if one is not None) for name, column in COLUMNS.items()}
    steps = [
        Ask(NAME, (Link("create", (), {"id": "a", **every}),), into="row1"),
        Ask("row1", (Link("increment", ("hits", 2)),)),
        Wait(0.5),
        Together([Ask(NAME, (Link("create", (), {"id": "b"}),)), Ask("row1", (Link("delete"),))]),
        Together([Ask(NAME, (Link("create", (), {"id": "c"}),))], gives_up=True),
        Ask(NAME, (Link("where"), Link("order_by", ("id",)), Link("select", ("id",)), Link("all"))),
    ]
    program = script(subject, steps, "memory://", "sqlite://") + "assert found[-1] == [{'id': 'b'}], found\n"
    done = run(program, tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_value_can_be_written_down():
    values = [value for column in COLUMNS.values() for value in column.values]
    imports = Imports()
    text = source(values, imports)
    code = "\n".join([*imports.lines(), f"print(repr({text}))"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(values)


def test_a_machine_can_be_run_as_a_test_case():
    machine = differential_machine(InMemoryBackend)
    assert machine.TestCase.settings.max_examples == 30
    machine.TestCase.settings = quick(2, 5)
    machine.TestCase("runTest").runTest()


def test_what_a_script_could_not_import_is_refused_at_once():
    with pytest.raises(ConfigurationError, match="can't be imported by a script"):
        differential_machine(lambda: InMemoryBackend())


def test_a_value_that_can_not_be_written_down_is_refused_when_it_is_needed():
    with pytest.raises(ConfigurationError, match="a object can't be written into a script"):
        source(object(), Imports())


def test_what_mixins_bring_is_tried():
    counters = Brings(Counters, columns={"hits": Column(int, 0, [0, 1])}, acts=[Act("increment", [["hits"], [1, 2]])])
    with pytest.raises(AssertionError, match=r"increment\('hits', "):
        run_differential(planted.AddsTwice, mixins=[counters], examples=200)
