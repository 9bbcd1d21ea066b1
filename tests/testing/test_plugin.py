"""The conformance kit as a stranger meets it: one fixture, one line, no conftest."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

HEAD = """
    import pytest
    from mixstore import FALSE
    from mixstore.testing import BackendConformance
    from mixstore.testing.cases.crud import CrudCases  # one subject, which is quicker to collect than all
    from mixstore_backends.memory import InMemoryBackend

    class Mine:
        @pytest.fixture
        def backend(self):
            with InMemoryBackend() as backend:
                yield backend
"""


@pytest.fixture
def stranger(tmp_path):
    """Runs pytest on a file in a folder of its own; answers what it prints, and checks whether it passes."""

    def run(code: str, *arguments: str, passes: bool = True) -> str:
        (tmp_path / "test_mine.py").write_text(dedent(code), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-W", "error", "--strict-markers", "-q", "-rs"]
        alone = () if any("asyncio" in one for one in arguments) else ("-p", "no:asyncio")
        options = ("-p", "no:cacheprovider", "--rootdir", str(tmp_path), *alone, *arguments)
        done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is passes, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def mine(rest: str = "    pass", base: str = "CrudCases") -> str:
    return dedent(HEAD) + f"\nclass TestMine(Mine, {base}):\n{rest}\n"


def test_a_gap_of_some_values_may_pass(stranger):
    gaps = "    gaps = {'test_upsert_creates_a_row': 'ours to do: it is broken, for some values'}"
    assert "1 xpassed" in stranger(mine(gaps), "-k", "test_upsert_creates_a_row")


def test_a_fixture_and_a_line_run_all_cases_of_a_subject(stranger):
    told = stranger(mine(base="BackendConformance"), "-p", "no:xdist", "-k", "batch or async or awaited")
    assert "passed" in told


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_awaited_cases_run_whatever_the_mode_of_pytest_asyncio_is(stranger, mode):
    options = ("-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function")
    assert "passed" in stranger(mine(base="BackendConformance"), *options, "-k", "async or awaited or tasks")


def test_workers_of_xdist_share_the_cases(stranger):
    assert "passed" in stranger(mine(), "-n", "2")


def test_a_class_without_a_backend_is_told_what_it_needs(stranger):
    told = stranger(
        "from mixstore.testing import BackendConformance\nclass TestMine(BackendConformance): ...",
        "-k",
        "test_upsert_creates_a_row",
        passes=False,
    )
    assert "TestMine needs a fixture `backend`" in told


def test_an_extension_without_a_mixin_is_told_what_it_needs(stranger):
    told = stranger(
        "from mixstore.testing import ExtensionConformance\nclass TestMine(ExtensionConformance): ...",
        "-k",
        "test_a_taken_key_is_refused",
        passes=False,
    )
    assert "TestMine needs a `mixin` and a `model` that uses it" in told


def test_fixtures_of_the_same_names_outside_the_classes_are_the_users_own(stranger):
    stranger(
        mine()
        + dedent(
            """
            @pytest.fixture
            def clock():
                return "mine"

            @pytest.fixture
            def backend():
                return "mine"

            def test_my_own(clock, backend):
                assert (clock, backend) == ("mine", "mine")
            """
        ),
        "-k",
        "my_own or refresh",
    )


def test_a_failing_case_shows_what_it_compared(stranger):
    forgetful = """
    @pytest.fixture
    def backend(self):
        class Forgetful(InMemoryBackend):
            def compile_count(self, bound, query):
                return super().compile_count(bound, query.replace(where=FALSE))
        with Forgetful() as backend:
            yield backend
    """
    told = stranger(mine(forgetful), "-k", "test_create_on_an_existing_key", passes=False)
    assert "where 0 = count()" in told


# -- gaps


BROKEN = """
    @pytest.fixture
    def backend(self):
        class Deaf(InMemoryBackend):
            def execute(self, plan):
                raise OSError("nobody there")
        with Deaf() as backend:
            yield backend
"""


def test_a_gap_may_fail_and_so_may_all_cases_of_a_pattern(stranger):
    gaps = """
    gaps = {
        "test_create_fills_in_defaults": "the engine's limit: nobody is there",
        "test_any_text_is_a_key[%]": "ours to do",
        "test_upsert_*": "never, because nobody will be there",
    }
    """
    told = stranger(mine(gaps + BROKEN), "-k", "fills_in_defaults or upsert or any_text", passes=False)
    assert "13 failed" in told  # the other keys
    assert "4 xfailed" in told


def test_a_gap_that_is_mended_fails_the_run(stranger):
    gaps = "    gaps = {'test_upsert_creates_a_row': 'ours to do: it was broken once'}"
    told = stranger(mine(gaps), "-k", "test_upsert_creates_a_row", passes=False)
    assert "ours to do: it was broken once [if it passes it is mended: remove it from TestMine.gaps]" in told


def test_a_gap_of_no_case_is_an_error_with_the_nearest_name(stranger):
    gaps = "    gaps = {'test_upsert_creates_row': 'ours to do'}"
    told = stranger(mine(gaps), passes=False)
    assert "TestMine.gaps: there is no case 'test_upsert_creates_row'" in told
    assert "did you mean 'test_upsert_creates_a_row'" in told


def test_a_gap_of_parameters_that_a_case_does_not_have_is_an_error(stranger):
    gaps = "    gaps = {'test_any_text_is_a_key[#]': 'ours to do'}"
    told = stranger(mine(gaps), passes=False)
    assert "TestMine.gaps: there is no case 'test_any_text_is_a_key[#]', but test_any_text_is_a_key[]" in told
    assert "test_any_text_is_a_key[%]" in told


def test_a_gap_of_a_case_that_is_skipped_anyway_fails_the_run(stranger):
    lacking = """
    gaps = {"test_get_takes_one_unique_field": "ours to do", "test_get_*_unique_*": "ours to do"}

    @pytest.fixture
    def backend(self):
        class Loose(InMemoryBackend):
            capabilities = InMemoryBackend.capabilities & ~mixstore.Capability.UNIQUE
        with mixstore.registry(), Loose() as backend:
            mixstore.configure(plugins={"block": ["extensions"]})
            yield backend
    """
    code = "import mixstore\n" + mine(lacking)
    told = stranger(code, "-k", "test_get_takes_one_unique_field", passes=False)
    assert "the gap 'test_get_takes_one_unique_field' is of no use" in told
    assert "does not declare UNIQUE; remove it" in told
    stranger(
        code.replace('"test_get_takes_one_unique_field": "ours to do", ', ""), "-k", "test_get_takes_one_unique_field"
    )


def test_a_gap_needs_a_reason_of_a_known_kind(stranger):
    told = stranger(mine("    gaps = {'test_upsert_creates_a_row': 'flaky'}"), passes=False)
    assert "a reason begins with one of 'ours to do', \"the engine's limit\", 'never, because', not 'flaky'" in told


# -- what a run of other people's tests pays


def test_a_run_that_does_not_use_mixstore_does_not_load_it(stranger):
    stranger(
        """
        import sys

        def test_nothing():
            assert "_mixstore_pytest" in sys.modules
            assert not {"mixstore", "pydantic", "hypothesis"} & set(sys.modules)
        """
    )


def test_a_run_that_uses_mixstore_and_not_the_kit_loads_no_cases(stranger):
    stranger(
        """
        import sys
        import mixstore

        def test_nothing():
            assert "mixstore.testing.plugin" in sys.modules
            assert not {"hypothesis", "mixstore.testing.backends", "mixstore.testing.kinds"} & set(sys.modules)
        """
    )


def test_the_kit_says_what_to_install_where_pytest_is_not():
    code = "import sys; sys.modules['pytest'] = None; import mixstore.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'mixstore[testing]'" in done.stderr
