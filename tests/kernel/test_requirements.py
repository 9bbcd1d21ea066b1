"""`plugins.required`: which plugins must be there, in which versions."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from mixstore import ConfigurationError, configure, registry
from mixstore.requirements import parse


def point(name: str, distribution: str, version: str) -> EntryPoint:
    made = EntryPoint(name, "mixstore_extensions.plugin", "mixstore")
    vars(made)["dist"] = SimpleNamespace(name=distribution, version=version)
    return made


GEO = point("geo", "acme_geo", "1.4.2")


@pytest.mark.parametrize(
    ("text", "version", "admitted"),
    [
        ("geo", "1.0", True),
        ("geo", "unreadable", True),
        ("geo>=1.2,<2", "1.2", True),
        ("geo >= 1.2, < 2", "1.10.3", True),
        ("geo>=1.2,<2", "1.1.9", False),
        ("geo>=1.2,<2", "2.0", False),
        ("geo>=1.2,<2", "2.0rc1", False),
        ("geo>=1.2", "1.2rc1", False),
        ("geo>=1.2", "1.2.dev3", False),
        ("geo>=1.2", "1.2.post1", True),
        ("geo==1.2", "1.2.0", True),
        ("geo==1.2", "1.2+local", True),
        ("geo!=1.3", "1.3", False),
        ("geo>1.2", "1.2.1", True),
        ("geo<=1.2", "1.2.1", False),
        ("geo>=1", "1!2.0", False),
        ("geo>=1", "unreadable", False),
    ],
)
def test_a_version_is_in_the_range_or_not(text: str, version: str, admitted: bool):
    assert parse(text).admits(version) is admitted


@pytest.mark.parametrize("text", ["geo~=1.2", "geo>=1.2rc1", "geo==1.*", "geo 1.2", ">=1.2", "", "geo>=1.2,", "geo>="])
def test_a_range_that_cannot_be_read_is_refused_with_an_example(text: str):
    with pytest.raises(ValueError, match=r"write geo>=1\.2,<2|does not begin with the name"):
        parse(text)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with registry() as fresh:
        yield fresh


def test_a_range_in_the_settings_is_read_at_load(fresh):
    with pytest.raises(ConfigurationError, match=r"plugins\.required.*write geo>=1\.2,<2"):
        configure(plugins={"required": ["geo~=1.2"]})


def test_a_variable_separates_plugins_and_not_the_parts_of_a_range(fresh, monkeypatch):
    monkeypatch.setenv("MIXSTORE_PLUGINS_REQUIRED", "acme-geo>=1.2,<2, audit")
    assert configure().plugins.required == ("acme-geo>=1.2,<2", "audit")


@pytest.mark.parametrize("name", ["geo", "acme-geo", "Acme.Geo"])
def test_a_plugin_is_required_by_its_name_or_its_distributions(fresh, name: str):
    configure(plugins={"required": [f"{name}>=1.2,<2"]})
    fresh.load_plugins([GEO])
    assert fresh.plugins[0].state == "active"


def test_every_plugin_that_is_missing_is_told_at_once(fresh):
    configure(plugins={"required": ["geo<1", "gio", "box"], "block": ["box"]})
    with pytest.raises(ConfigurationError) as caught:
        fresh.load_plugins([GEO, point("box", "acme-box", "1.0")])
    told = str(caught.value)
    assert "plugins.required: geo<1: plugin 'geo' (acme_geo 1.4.2) is another version" in told
    assert "gio: it is not installed, did you mean 'geo'?" in told
    assert "box: plugin 'box' (acme-box 1.0) is blocked" in told


def test_nothing_works_until_a_required_plugin_is_there_and_the_list_still_does(fresh):
    configure(plugins={"required": ["audit"]})
    with pytest.raises(ConfigurationError):
        fresh.load_plugins([GEO])
    with pytest.raises(ConfigurationError):
        fresh.build("memory://")
    assert [info.name for info in fresh.plugins] == ["geo"]
    configure(plugins={"required": []})
    fresh.load_plugins()
