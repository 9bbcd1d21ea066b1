"""`mixstore plugins`."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

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
    assert listed[0]["backends"] == ["memory", "sqlite"]


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


def test_without_plugins_it_says_so(run, points):
    points.clear()
    assert "No plugins" in run("plugins").stdout


def test_plain_output_fits_80_columns_and_has_no_trailing_blanks(run):
    for line in run("plugins").stdout.splitlines():
        assert len(line) <= 80
        assert line == line.rstrip()
