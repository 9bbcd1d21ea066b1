"""`mixstore matrix`: the page is what the kit says, and is told to be stale when it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("tests/backends", "tests/extensions/test_conformance.py")


def matrix(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "mixstore", "matrix", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_page_is_not_stale():
    done = matrix(*CLASSES, "--check", "--write", "docs/matrix.md")
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def mine(tmp_path):
    """A folder with a backend that can do less, and one case that is a gap; and a class without a column."""
    (tmp_path / "test_mine.py").write_text(
        dedent(
            """
            import pytest
            from mixstore import Capability
            from mixstore.testing import BackendConformance
            from mixstore.testing.cases.adding import AddingCases
            from mixstore_backends.memory import InMemoryBackend

            class Small(InMemoryBackend):
                capabilities = Capability.CONDITIONS

            class Mine:
                @pytest.fixture
                def backend(self):
                    with Small() as backend:
                        yield backend

            class TestMine(Mine, AddingCases):
                matrix = "small"
                gaps = {"test_none_counts_as_nothing": "ours to do: count it"}

            class TestOther(Mine, AddingCases): ...
            """
        ),
        encoding="utf-8",
    )
    return tmp_path


def test_it_tells_what_is_native_emulated_and_missing_of_those_that_have_a_column(mine):
    path = mine / "test_mine.py"
    path.write_text(path.read_text(encoding="utf-8").replace("gaps = {", "unused = {"), encoding="utf-8")
    done = matrix("test_mine.py", "--json", cwd=mine)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert list(told) == ["small"]
    states = {name: one["state"] for name, one in told["small"]["capabilities"].items()}
    assert (states["CONDITIONS"], states["ADD"], states["ORDERED"]) == ("native", "emulated", "emulated")
    assert (states["FULL_TEXT"], states["extensions"]) == ("no", "native")
    assert told["small"]["capabilities"]["ADD"]["cases"] == 0
    assert told["small"]["cases"] == told["small"]["capabilities"]["CONDITIONS"]["cases"] > 10


def test_a_page_that_does_not_fit_is_stale_until_it_is_written(mine):
    path = mine / "test_mine.py"
    path.write_text(path.read_text(encoding="utf-8").replace("gaps = {", "unused = {"), encoding="utf-8")
    check = ("test_mine.py", "--check", "--write", "page.md")
    stale = matrix(*check, cwd=mine)
    assert (stale.returncode, "page.md is stale" in stale.stderr) == (1, True)
    assert matrix("test_mine.py", "--write", "page.md", cwd=mine).returncode == 0
    assert matrix(*check, cwd=mine).returncode == 0
    path.write_text(path.read_text(encoding="utf-8").replace("unused = {", "gaps = {"), encoding="utf-8")
    assert matrix(*check, cwd=mine).returncode == 1  # the gap is not on the page


def test_a_case_that_fails_leaves_no_page(mine):
    done = matrix("test_mine.py", "--write", "page.md", cwd=mine)
    assert done.returncode == 1
    assert "mixstore: " in done.stderr
    assert not (mine / "page.md").exists()


def test_a_column_that_is_not_there_is_told(mine):
    done = matrix("test_mine.py", "--backend", "smal", cwd=mine)
    assert done.returncode == 1
    assert "no conformance class says its column: smal" in done.stderr


def test_without_pytest_it_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['pytest'] = None; sys.argv = ['mixstore', 'matrix']; "
    code += "from mixstore.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "mixstore: mixstore.testing needs pytest and hypothesis: pip install 'mixstore[testing]'"
    )
    assert done.stdout == ""
