"""The kit catches bugs: each mutant fails the cases that name its bug, and a sound backend passes all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.mutants import kit
from tests.testing.mutants.planting import MUTANTS

pytestmark = pytest.mark.xdist_group("mutants")  # so that one worker runs the kit on them, once
ROOT = Path(__file__).resolve().parents[2]
ASKED_FOR = (
    "filter after limit",
    "forward deserialize",
    "an ignored lookup",
    "a dropped residual",
    "a condition lost in a batch",
    "rows of another entity type",
    "float drift",
    "a stale unique guard",
    "a swallowed driver error",
    "a mutable builder",
    "None ordered like a value",
    "a cursor from another query accepted",
    "an expired row counted",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{bug: {case: what became of it}}."""
    path = tmp_path_factory.mktemp("mutants") / "found.json"
    command = [sys.executable, "-m", "tests.testing.mutants.run", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert path.exists(), done.stdout + done.stderr
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("bug", MUTANTS)
def test_a_bug_is_caught_by_each_case_that_names_it(found, bug):
    told = found[bug]
    for case in MUTANTS[bug].cases:
        outcomes = [outcome for name, outcome in told.items() if case in (name, name.partition("[")[0])]
        assert any(one.startswith("failed in call") for one in outcomes), f"{case} does not see it: {outcomes}"


@pytest.mark.parametrize("bug", MUTANTS)
def test_a_mutant_is_no_wreck(found, bug):
    assert found[bug][kit.ALIVE].startswith("passed")


@pytest.mark.parametrize("sound", kit.SOUND)
def test_a_sound_backend_passes_the_same_cases(found, sound):
    failed = {case: told for case, told in found[sound].items() if told.startswith("failed")}
    assert not failed
    passed = {case for case, told in found[sound].items() if told.startswith("passed")}
    passed |= {case.partition("[")[0] for case in passed}
    driver = "test_an_engine_that_fails"  # of which memory has none
    assert {case for case in kit.CASES if sound == "sqlite" or not case.startswith(driver)} <= passed


def test_the_bugs_that_users_fear_are_planted():
    assert set(ASKED_FOR) <= MUTANTS.keys()
    assert len(MUTANTS) >= len(ASKED_FOR) + 10
