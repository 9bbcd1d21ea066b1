"""What is installed, and what is found of it."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.third_party.environment import MODELS, ROOT, STRANGER, call

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


def test_nothing_that_runs_here_comes_from_the_checkout(run):
    found = run(
        """
        import acme_mixstore, mixstore, mixstore_backends, mixstore_extensions, sys
        for module in (acme_mixstore, mixstore, mixstore_backends, mixstore_extensions):
            assert module.__file__.startswith(sys.prefix), module.__file__
        print(sys.path)
        """
    )
    assert str(ROOT) not in found


def test_a_strangers_code_passes_a_strict_type_checker(python, tmp_path):
    models = tmp_path / "models.py"
    models.write_text(MODELS.read_text() + "found: Session | None = Session.get('s1')\n")
    settings = ("--config-file=", "--cache-dir", tmp_path / "cache", "--python-executable", python)
    done = call(sys.executable, "-m", "mypy", "--strict", *settings, STRANGER / "acme_mixstore", models, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stranger_is_listed_with_what_it_registers(run):
    run(
        """
        import mixstore
        with mixstore.registry() as registry:
            acme = next(plugin for plugin in registry.plugins if plugin.name == "acme")
        assert (acme.distribution, acme.version, acme.state) == ("acme-mixstore", "1.2.0", "active")
        assert (acme.backends, acme.extensions) == (("jsonlines", "journal"), ("ttl",))
        """
    )


BLOCKED = """
    from mixstore import ConfigurationError, connect, registry
    import sys

    with registry() as fresh:
        acme = next(plugin for plugin in fresh.plugins if plugin.name == "acme")
        assert (acme.state, acme.backends) == ("blocked", ())
        try:
            connect("journal:///rows.jsonl")
        except ConfigurationError as error:
            assert "acme (blocked)" in str(error)
        else:
            raise AssertionError("its backend is there")
        assert connect("memory://").backend_name == "memory"
    assert not [name for name in sys.modules if name.startswith("acme_mixstore")]
"""


@pytest.mark.parametrize("name", ["acme", "acme-mixstore"])
def test_a_blocked_stranger_is_absent_and_not_even_imported(run, tmp_path, name):
    (tmp_path / "mixstore.toml").write_text(f'[plugins]\nblock = ["{name}"]\n')
    run(BLOCKED)


def test_a_variable_blocks_a_stranger_as_the_file_does(run):
    run(BLOCKED, MIXSTORE_PLUGINS_BLOCK="acme")
