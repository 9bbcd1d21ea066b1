"""What is installed, and what is found of it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

from tests.third_party.environment import EXAMPLES, MODELS, ROOT

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
def test_a_strangers_code_passes_a_strict_type_checker(type_check, example):
    type_check(cwd=example)


def test_a_strangers_models_pass_a_strict_type_checker(type_check, tmp_path):
    models = tmp_path / "models.py"
    models.write_text(MODELS.read_text() + "found: Session | None = Session.get('s1')\n")
    type_check("--config-file=", models, cwd=tmp_path)


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
        jsonlines = next(plugin for plugin in fresh.plugins if plugin.name == "jsonlines")
        assert (jsonlines.state, jsonlines.backends) == ("blocked", ())
        try:
            connect("jsonlines:///rows.jsonl")
        except ConfigurationError as error:
            assert "jsonlines (blocked)" in str(error)
        else:
            raise AssertionError("its backend is there")
        assert connect("memory://").backend_name == "memory"
    assert not [name for name in sys.modules if name.startswith("acme_jsonlines")]
"""


@pytest.mark.parametrize("name", ["jsonlines", "acme-jsonlines"])
def test_a_blocked_stranger_is_absent_and_not_even_imported(run, tmp_path, name):
    (tmp_path / "mixstore.toml").write_text(f'[plugins]\nblock = ["{name}"]\n')
    run(BLOCKED)


def test_a_variable_blocks_a_stranger_as_the_file_does(run):
    run(BLOCKED, MIXSTORE_PLUGINS_BLOCK="jsonlines")


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
            note, draft = (model.extensions()[0] for model in (Note, Draft))
            assert (note.name, note.state, draft.name, draft.state) == ("slugged", "active", "slugged", "inactive")
            assert draft.reason == "switched off in the config"
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
