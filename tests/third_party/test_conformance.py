"""The tests of the examples, which are the conformance kit and their own, run where the packages are installed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.third_party.environment import EXAMPLES, call, without_its_code

pytestmark = pytest.mark.xdist_group("third party")  # so that one worker builds for all
SLOW = "every_lookup or come_back or any_text or deep_trees or finds_the_rows"
"""What takes half of the time; the backends of this repository run it."""


def test_the_examples_pass_the_kit_without_a_conftest(python, tmp_path):
    for example in EXAMPLES:
        without_its_code(example, tmp_path)
    shutil.copy(Path(__file__).with_name("together.py"), tmp_path / "test_together.py")
    options = ("-q", "-W", "error", "--strict-markers", "-p", "no:cacheprovider", "-k", f"not ({SLOW})")
    done = call(python, "-I", "-m", "pytest", "--import-mode=importlib", *options, tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 1000
    assert not re.search(r"\d failed", done.stdout)
