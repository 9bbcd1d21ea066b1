"""What is installed, and what is found of it."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

from tests.third_party.environment import EXAMPLES, MODELS, ROOT, call

pytestmark = pytest.mark.xdist_group("third party")  # so that one worker builds for all


def files_of(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_of_mixstore_ships_the_types_of_its_packages(wheels):
    packages = {"mixstore", "_mixstore_pytest", "mixstore_backends", "mixstore_extensions"}
    files = files_of(wheels[0])
    assert {f"{package}/py.typed" for package in packages} <= files
    assert {file.partition("/")[0] for file in files} == {*packages, "mixstore-0.1.0.dist-info"}


def test_the_wheel_of_mixstore_brings_its_command_and_its_own_plugins(wheels):
    with ZipFile(wheels[0]) as archive:
        points = archive.read("mixstore-0.1.0.dist-info/entry_points.txt").decode()
    assert "[console_scripts]\nmixstore = mixstore.cli:main" in points
    assert "backends = mixstore_backends.plugin\nextensions = mixstore_extensions.plugin" in points


def test_the_wheel_of_mixstore_brings_the_examples_that_its_commands_copy(wheels):
    folder = "mixstore/cli/examples/"
    brought = {file.removeprefix(folder).partition("/")[0] for file in files_of(wheels[0]) if file.startswith(folder)}
    assert brought == {"acme-journal", "acme-slugs"}


def test_nothing_that_runs_here_comes_from_the_checkout(run):
    found = run(
        """
        import acme_journal, acme_jsonlines, acme_slugs, mixstore, mixstore_backends, mixstore_extensions, sys
        for module in (acme_journal, acme_jsonlines, acme_slugs, mixstore, mixstore_backends, mixstore_extensions):
            assert module.__file__.startswith(sys.prefix), module.__file__
        print(sys.path)
        """
    )
    assert str(ROOT) not in found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_strangers_code_passes_a_strict_type_checker(python, tmp_path, example):
    settings = ("--strict", "--cache-dir", tmp_path / "cache", "--python-executable", python)
    done = call(sys.executable, "-m", "mypy", *settings, cwd=example)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_strangers_models_pass_a_strict_type_checker(python, tmp_path):
    models = tmp_path / "models.py"
    models.write_text(MODELS.read_text() + "found: Session | None = Session.get('s1')\n")
    settings = ("--config-file=", "--cache-dir", tmp_path / "cache", "--python-executable", python)
    done = call(sys.executable, "-m", "mypy", "--strict", *settings, models, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_strangers_are_listed_with_what_they_register(run):
    run(
        """
        import mixstore
        with mixstore.registry() as registry:
            acme = {info.distribution: info for info in registry.plugins}
        assert {acme[name].state for name in ("acme-journal", "acme-jsonlines", "acme-slugs")} == {"active"}
        journal, slugs = acme["acme-journal"], acme["acme-slugs"]
        assert (journal.name, journal.version) == ("journal", "0.1.0")
        assert (journal.backends, journal.extensions) == (("journal",), ("ttl",))
        assert (slugs.name, slugs.hooks) == ("slugged", ("mixstore_register_lookups",))
        """
    )


BLOCKED = """
    from mixstore import ConfigurationError, connect, registry
    import sys

    with registry() as fresh:
        journal = next(plugin for plugin in fresh.plugins if plugin.name == "journal")
        assert (journal.state, journal.backends) == ("blocked", ())
        try:
            connect("journal:///rows.jsonl")
        except ConfigurationError as error:
            assert "journal (blocked)" in str(error)
        else:
            raise AssertionError("its backend is there")
        assert connect("memory://").backend_name == "memory"
    assert not [name for name in sys.modules if name.startswith("acme_journal")]
"""


@pytest.mark.parametrize("name", ["journal", "acme-journal"])
def test_a_blocked_stranger_is_absent_and_not_even_imported(run, tmp_path, name):
    (tmp_path / "mixstore.toml").write_text(f'[plugins]\nblock = ["{name}"]\n')
    run(BLOCKED)


def test_a_variable_blocks_a_stranger_as_the_file_does(run):
    run(BLOCKED, MIXSTORE_PLUGINS_BLOCK="journal")


CONFIGURED = """
    [backends.default]
    url = "sqlite:///notes.db"
    extensions.enable = ["slugged"]

    [backends.default.extensions.options.slugged]
    separator = "_"

    [backends.journal]
    url = "journal:///notes.jsonl"
    extensions.disable = ["slugged"]

    [models]
    "__main__.Draft" = "journal"
"""
ASKED = """
    class Draft(Slugged, Model):
        class Meta:
            slug_from = "title"
        id: str = Field(primary_key=True)
        title: str

    connect("default").initialize(Note)
"""


def test_the_config_enables_a_strangers_extension_on_one_backend_and_disables_it_on_another(app, tmp_path):
    (tmp_path / "mixstore.toml").write_text(dedent(CONFIGURED))
    app(
        dedent(ASKED)
        + dedent(
            """
            assert Note.create(id="n1", title="Crème brûlée!").slug == "creme_brulee"
            assert Draft.create(id="n1", title="Crème brûlée!").slug == ""
            states = [(entry.name, entry.state) for model in (Note, Draft) for entry in model.extensions()]
            assert states == [("slugged", "active"), ("slugged", "inactive")]
            assert Draft.extensions()[0].reason == "switched off in the config"
            connect("journal").close()
            """
        )
    )


def test_the_config_blocks_a_strangers_backend_and_leaves_its_extension_elsewhere(app, tmp_path):
    (tmp_path / "mixstore.toml").write_text('[plugins]\nblock = ["acme-journal"]\n' + dedent(CONFIGURED))
    app(
        dedent(ASKED)
        + dedent(
            """
            assert Note.create(id="n1", title="Crème brûlée!").slug == "creme_brulee"
            try:
                Draft.count()
            except mixstore.ConfigurationError as error:
                assert "journal (blocked)" in str(error)
            else:
                raise AssertionError("its backend is there")
            """
        )
    )
