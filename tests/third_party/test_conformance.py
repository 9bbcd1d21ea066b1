"""The stranger's own tests, which are the conformance kit on its backends and its mixin, run where it is installed."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.third_party.environment import STRANGER, call

pytestmark = pytest.mark.xdist_group("third party")  # so that one worker builds for all
SLOW = "every_lookup or come_back or any_text or deep_trees or finds_the_rows"
"""What takes half of the time; the backends of this repository run it."""


def test_a_strangers_backends_and_mixin_pass_the_kit_without_a_conftest(python, tmp_path):
    shutil.copy(STRANGER / "tests" / "test_acme.py", tmp_path)
    options = ("-q", "-W", "error", "--strict-markers", "-p", "no:cacheprovider", "-k", f"not ({SLOW})")
    done = call(python, "-I", "-m", "pytest", *options, tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 1000
    assert "failed" not in done.stdout
