"""`mixstore plugins`."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from mixstore import ConfigurationError
from mixstore.cli.app import build

KEYS = {"name", "distribution", "version", "state", "hooks", "backends", "extensions", "error"}


def test_plugins_are_listed_with_their_state_and_what_they_bring(run):
    done = run("plugins")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert lines[0].split() == ["plugin", "distribution", "version", "state", "brings"]
    assert "backends" in lines[1]
    assert "active" in lines[1]
    assert "memory, sqlite" in lines[1]


def test_json_is_a_list_of_objects_with_the_same_keys(run):
    listed = json.loads(run("plugins", "--json").stdout)
    assert [info["name"] for info in listed] == ["backends", "extensions"]
    assert all(set(info) == KEYS for info in listed)
    assert listed[0]["backends"] == ["memory", "sqlite", "dynamodb", "opensearch", "composite"]


def test_a_failed_plugin_shows_its_traceback_and_the_list_goes_on(run, points):
    points.append(EntryPoint("broken", "no_such_module", "mixstore"))
    done = run("plugins")
    assert done.exit_code == 0
    assert "plugin 'broken' is failed:" in done.stdout
    assert "Traceback (most recent call last):" in done.stdout
    assert "No module named 'no_such_module'" in done.stdout


def test_a_blocked_plugin_is_listed_as_blocked(run, points, write):
    write("mixstore.toml", '[plugins]\nblock = ["legacy"]\n')
    points.append(EntryPoint("legacy", "no_such_module", "mixstore"))
    legacy = json.loads(run("plugins", "--json").stdout)[-1]
    assert (legacy["name"], legacy["state"], legacy["error"]) == ("legacy", "blocked", None)


def built_in(distribution: str, version: str) -> EntryPoint:
    """An entry point of a distribution, which need not be installed."""
    point = EntryPoint(distribution.removeprefix("acme-"), "mixstore_extensions.plugin", "mixstore")
    vars(point)["dist"] = SimpleNamespace(name=distribution, version=version)
    return point


def test_what_comes_with_mixstore_is_shown_when_it_is_asked_for(run, points):
    points[:] = [built_in("mixstore", "0.1.0"), EntryPoint("geo", "mixstore_backends.plugin", "mixstore")]
    assert [info["name"] for info in json.loads(run("plugins", "--json").stdout)] == ["geo"]
    listed = json.loads(run("plugins", "--all", "--json").stdout)
    assert [info["name"] for info in listed] == ["mixstore", "geo"]


def test_what_comes_with_mixstore_is_shown_when_it_does_not_work(run, points, write):
    write("mixstore.toml", '[plugins]\nblock = ["mixstore"]\n')
    points[:] = [built_in("mixstore", "0.1.0")]
    assert json.loads(run("plugins", "--json").stdout)[0]["state"] == "blocked"


def test_with_mixstores_own_only_it_says_how_to_see_them(run, points):
    points[:] = [built_in("mixstore", "0.1.0")]
    assert "--all shows" in run("plugins").stdout


@pytest.mark.parametrize("hook", ["register_commands", "mixstore_register_commands"])
def test_a_hook_selects_the_plugins_that_have_it(run, hook):
    assert [info["name"] for info in json.loads(run("plugins", "--json", "--hook", hook).stdout)] == [
        "backends",
        "extensions",
    ]


def test_a_hook_that_no_plugin_has_leaves_none(run):
    assert "No plugins with the hook observe" in run("plugins", "--hook", "observe").stdout


def test_an_unknown_hook_is_refused_with_the_nearest(run):
    done = run("plugins", "--hook", "obzerve")
    assert done.exit_code == 1
    assert "did you mean 'mixstore_observe'" in done.stderr


def test_a_required_plugin_that_is_not_there_is_told_after_the_list(fresh, write):
    write("mixstore.toml", '[plugins]\nrequired = ["acme-geo>=1.2,<2"]\n')
    with pytest.raises(ConfigurationError):
        fresh.load_plugins([built_in("acme-box", "1.0")])
    done = CliRunner().invoke(build(), ["plugins"], prog_name="mixstore")
    assert done.exit_code == 1
    assert "acme-box" in done.stdout
    assert "acme-geo>=1.2,<2: it is not installed" in done.stderr


def test_without_plugins_it_says_so(run, points):
    points.clear()
    assert "No plugins" in run("plugins").stdout


def test_plain_output_fits_80_columns_and_has_no_trailing_blanks(run):
    for line in run("plugins").stdout.splitlines():
        assert len(line) <= 80
        assert line == line.rstrip()
