"""`mixstore new-extension` and `mixstore new-backend`: what they write, and what they refuse."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mixstore.cli.app import OWN

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
COMMANDS = {"new-extension": EXAMPLES / "acme-slugs", "new-backend": EXAMPLES / "acme-journal"}
both = pytest.mark.parametrize("command", COMMANDS)


def texts(folder: Path) -> dict[str, str]:
    """{path: text} of the files in a folder, without what tools left there."""
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".md", ".toml", ".typed")]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_both_are_commands_of_the_kernel():
    assert set(COMMANDS) <= set(OWN)


@both
def test_it_writes_the_example_under_another_name(run, tmp_path, command):
    run(command, "mixstore-quux")
    example, written = texts(COMMANDS[command]), texts(tmp_path / "mixstore-quux")
    assert not [old for old in ("acme", "journal", "slugged") if old in str(written).lower()]
    old = re.compile("acme[-_](slugs|journal)|slugged|journal", re.I)
    new = re.compile("(mixstore[-_])?quux", re.I)
    assert {new.sub("*", path): new.sub("*", text) for path, text in written.items()} == {
        old.sub("*", path): old.sub("*", text) for path, text in example.items()
    }


def test_the_names_in_an_extension_follow_from_its_own(run, tmp_path):
    run("new-extension", "Mixstore.Geo_Fence")
    package = tmp_path / "mixstore-geo-fence"
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["name"] == "mixstore-geo-fence"
    assert project["entry-points"]["mixstore"] == {"geo_fence": "mixstore_geo_fence.plugin"}
    assert "class GeoFence(Mixin):" in (package / "mixstore_geo_fence" / "mixin.py").read_text()
    assert "class TestGeoFence(testing.GeoFenceConformance)" in (package / "tests" / "test_mixin.py").read_text()


def test_the_names_in_a_backend_follow_from_its_own(run, tmp_path):
    run("new-backend", "acme-redis-mixstore")
    package = tmp_path / "acme-redis-mixstore"
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["mixstore"] == {"acme-redis": "acme_redis_mixstore.plugin"}
    code = (package / "acme_redis_mixstore" / "backend.py").read_text()
    assert "class AcmeRedisBackend(PlannedBackend):" in code
    assert 'backend_name = "acme-redis"' in code


@both
def test_it_tells_what_it_wrote_and_what_comes_next(run, tmp_path, command):
    shown = run(command, "mixstore-geo-fence", "--folder", "there").stdout
    for path in texts(tmp_path / "there" / "mixstore-geo-fence"):
        assert path in shown
    assert "pip install --editable '.[dev]'" in shown
    assert "cd there/mixstore-geo-fence" in shown.replace("\\", "/")


def refused(run, *arguments: str) -> str:
    """What the command says, which refuses."""
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("mixstore: ")
    return done.stderr


@both
def test_a_folder_that_is_there_is_not_touched(run, write, tmp_path, command):
    write("mixstore-geo-fence/notes.txt", "mine")
    assert "mixstore-geo-fence is there already; nothing was written" in refused(run, command, "mixstore-geo-fence")
    assert [path.name for path in (tmp_path / "mixstore-geo-fence").iterdir()] == ["notes.txt"]


@both
def test_an_empty_folder_and_a_file_of_that_name_are_not_touched_either(run, write, tmp_path, command):
    (tmp_path / "empty").mkdir()
    write("filed", "mine")
    assert "is there already" in refused(run, command, "empty")
    assert "is there already" in refused(run, command, "filed")
    assert list((tmp_path / "empty").iterdir()) == []
    assert (tmp_path / "filed").read_text() == "mine"


def test_a_folder_inside_of_a_file_is_refused(run, write):
    write("filed", "mine")
    assert "can't be made" in refused(run, "new-backend", "geo-fence", "--folder", "filed")


def test_what_could_not_be_written_whole_is_gone_again(run, tmp_path, monkeypatch):
    real, written = Path.write_text, []

    def full(self, *arguments, **options):
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(self)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    assert "No space left on device" in refused(run, "new-backend", "mixstore-geo-fence")
    assert len(written) == 3
    assert list(tmp_path.iterdir()) == []


REFUSED = {
    "geo fence": "did you mean 'geo-fence'?",
    "-geo": "did you mean 'geo'?",
    "../geo": "did you mean 'geo'?",
    "géo": "other than letters, digits",
    "": "other than letters, digits",
    "mixstore": "that is mixstore itself",
    "3d-geo": "begins with a letter",
    "mixstore-3d": "begins with a letter",
    "x" * 41: "more than 40 characters",
    "class": "'class' is a keyword of Python\n  hint: did you mean 'mixstore-class'?",
    "json": "'json' is a module of Python\n  hint: did you mean 'mixstore-json'?",
    "pydantic": "a module 'pydantic' is installed already",
    "mixstore-extensions": "a module 'mixstore_extensions' is installed already",
}


@both
@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_can_not_be_is_refused_and_says_why(run, tmp_path, command, name):
    assert REFUSED[name] in refused(run, command, "--", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "name", "twice"),
    [
        ("new-extension", "mixstore-none", "None"),
        ("new-extension", "mixstore-exception", "Exception"),
        ("new-extension", "mixstore-mixin", "Mixin"),
        ("new-extension", "mixstore-article", "Article"),
        ("new-extension", "mixstore-extension", "ExtensionConformance"),
        ("new-backend", "mixstore-planned", "PlannedBackend"),
        ("new-backend", "mixstore-versioned", "TestVersioned"),
    ],
)
def test_a_name_that_python_or_the_code_uses_for_something_else_is_refused(run, tmp_path, command, name, twice):
    assert f"two meanings for {twice!r}" in refused(run, command, name)
    assert list(tmp_path.iterdir()) == []


def test_a_scheme_that_is_registered_is_refused(run, tmp_path):
    assert "a backend 'sqlite' is registered already" in refused(run, "new-backend", "mixstore-sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_lookup_that_is_registered_is_refused(run, tmp_path):
    assert "'contains' is registered already" in refused(run, "new-extension", "mixstore-contains")
    assert list(tmp_path.iterdir()) == []


def test_without_its_examples_an_installation_says_so(run, monkeypatch, tmp_path):
    monkeypatch.setattr("mixstore.cli.new.CHECKOUT", tmp_path / "nowhere")
    assert "lacks its example acme-slugs" in refused(run, "new-extension", "mixstore-geo-fence")


@both
@pytest.mark.parametrize("name", ["x", "aaa", "zzz", "x" * 40, "x-" * 19 + "x"])
def test_code_is_formatted_whatever_the_name(run, tmp_path, command, name):
    assert run(command, name).exit_code == 0
    for check in (("check",), ("format", "--check")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--no-cache"],
            cwd=tmp_path / name,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
