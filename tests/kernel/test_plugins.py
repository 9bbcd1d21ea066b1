"""Plugins of installed distributions: each test writes real ones to a folder on sys.path."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from mixstore.config import configure
from mixstore.errors import ConfigurationError, PluginError
from mixstore.hookspecs import hookimpl
from mixstore.registry import Event, Registry, registry

BACKEND = """
    from mixstore.hookspecs import hookimpl

    class Factory:
        @classmethod
        def from_url(cls, url):
            raise NotImplementedError

    @hookimpl
    def mixstore_register_backends(register):
        register({name!r}, Factory)
"""
Install = Callable[..., list[EntryPoint]]


class Factory:
    @classmethod
    def from_url(cls, url: str) -> object:
        raise NotImplementedError


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.chdir(tmp_path)
    with registry() as fresh:
        yield fresh


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """install(distribution, source): puts one on sys.path, answers the entry points of all installed so."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def install(distribution: str, source: str, name: str | None = None) -> list[EntryPoint]:
        module = distribution.replace("-", "_") + "_plugin"
        (site / f"{module}.py").write_text(dedent(source))
        info = site / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[mixstore]\n{name or distribution} = {module}\n")
        importlib.invalidate_caches()
        found = importlib.metadata.distributions(path=[str(site)])
        return [point for one in found for point in one.entry_points]

    yield install
    for module in set(sys.modules) - before:
        del sys.modules[module]


def test_an_installed_plugin_is_found_and_listed(install: Install, fresh: Registry):
    install("acme-box", BACKEND.format(name="box"), name="box")
    info = next(info for info in fresh.plugins if info.name == "box")
    assert (info.distribution, info.version, info.state, info.error) == ("acme-box", "1.2", "active", None)
    assert info.hooks == ("mixstore_register_backends",)
    assert info.backends == ("box",)
    assert "box" in fresh.backends


def test_the_built_ins_register_through_entry_points_like_anyone(fresh: Registry):
    fresh.load_plugins(
        [
            EntryPoint("backends", "mixstore_backends.plugin", "mixstore"),
            EntryPoint("extensions", "mixstore_extensions.plugin", "mixstore"),
        ]
    )
    assert [(info.name, info.state, info.backends) for info in fresh.plugins] == [
        ("backends", "active", ("memory", "sqlite", "dynamodb", "opensearch", "composite")),
        ("extensions", "active", ()),
    ]


def test_plugins_are_loaded_when_a_backend_is_asked_for_and_only_once(install: Install, fresh: Registry):
    points = install("acme-box", BACKEND.format(name="box"))
    assert fresh.backends == {}
    fresh.load_plugins(points)
    fresh.load_plugins()
    assert list(fresh.backends) == ["box"]
    with pytest.raises(PluginError, match="loaded already"):
        fresh.load_plugins(points)


def test_a_broken_plugin_is_reported_with_its_traceback_and_the_rest_work(
    install: Install, fresh: Registry, caplog: pytest.LogCaptureFixture
):
    install("a-broken", "raise RuntimeError('no such file')")
    points = install("b-box", BACKEND.format(name="box"))
    with caplog.at_level(logging.WARNING, "mixstore"):
        fresh.load_plugins(points)
    broken, box = fresh.plugins
    assert (broken.name, broken.state, box.state) == ("a-broken", "failed", "active")
    assert "Traceback" in broken.error
    assert "a_broken_plugin.py" in broken.error
    assert "RuntimeError: no such file" in broken.error
    assert "plugin 'a-broken' (a-broken 1.2) is not used: no such file" in caplog.text


def test_a_plugin_that_exits_is_only_broken(install: Install, fresh: Registry):
    fresh.load_plugins(install("a-broken", "import sys; sys.exit('no licence')"))
    assert fresh.plugins[0].state == "failed"


def test_a_plugin_that_fails_halfway_registers_nothing(install: Install, fresh: Registry):
    source = BACKEND.format(name="box") + "        raise OSError('half')\n"
    fresh.load_plugins(install("acme-box", source))
    assert fresh.plugins[0].state == "failed"
    assert fresh.plugins[0].backends == ()
    assert fresh.backends == {}


def test_strict_raises_what_broke_and_keeps_nothing(install: Install, fresh: Registry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_STRICT", "1")
    install("a-box", BACKEND.format(name="box"))
    points = install("b-broken", "raise RuntimeError('no such file')")
    for _ in range(2):
        with pytest.raises(PluginError, match=r"'b-broken' \(b-broken 1.2\) failed: no such file") as caught:
            fresh.load_plugins(points)
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert fresh.backends == {}


def test_a_blocked_plugin_is_not_imported(install: Install, fresh: Registry):
    points = install("legacy-geo", "raise SystemError('imported')")
    configure(plugins={"block": ["legacy_geo"]})
    fresh.load_plugins(points)
    assert [(info.name, info.state, info.error) for info in fresh.plugins] == [("legacy-geo", "blocked", None)]
    assert "legacy_geo_plugin" not in sys.modules


def test_a_plugin_can_be_blocked_by_its_distribution(install: Install, fresh: Registry):
    points = install("Acme-Box", BACKEND.format(name="box"), name="box")
    configure(plugins={"block": ["acme.box"]})
    fresh.load_plugins(points)
    assert fresh.plugins[0].state == "blocked"


def test_the_environment_blocks_plugins(install: Install, fresh: Registry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MIXSTORE_PLUGINS_BLOCK", "other, box")
    fresh.load_plugins(install("acme-box", BACKEND.format(name="box"), name="box"))
    assert fresh.plugins[0].state == "blocked"


def test_blocking_a_plugin_that_is_active_comes_too_late(install: Install, fresh: Registry):
    fresh.load_plugins(install("acme-box", BACKEND.format(name="box"), name="box"))
    with pytest.raises(ConfigurationError, match=r"configure\(\): plugins.block: too late for plugin 'box'"):
        configure(plugins={"block": ["box"]})
    assert fresh.settings.plugins.block == ()


def test_two_distributions_with_the_same_backend_are_an_error_that_names_both(install: Install, fresh: Registry):
    install("a-box", BACKEND.format(name="box"))
    fresh.load_plugins(install("b-box", BACKEND.format(name="box")))
    first, second = fresh.plugins
    assert (first.state, second.state) == ("active", "failed")
    assert "backend 'box' of plugin 'b-box' (b-box 1.2) is already registered by plugin 'a-box' (a-box 1.2)" in (
        second.error
    )
    assert list(fresh.backends) == ["box"]


def test_two_distributions_with_the_same_plugin_name_are_an_error_that_names_both(install: Install, fresh: Registry):
    install("a-box", BACKEND.format(name="box"), name="box")
    fresh.load_plugins(install("b-box", BACKEND.format(name="crate"), name="box"))
    first, second = fresh.plugins
    assert (first.state, second.state) == ("active", "failed")
    assert "plugin 'box' (b-box 1.2): the name is taken by plugin 'box' (a-box 1.2)" in second.error
    assert list(fresh.backends) == ["box"]


def test_mixstores_own_plugins_are_loaded_first(install: Install, fresh: Registry):
    install("a-box", BACKEND.format(name="box"))
    fresh.load_plugins(install("mixstore", BACKEND.format(name="box"), name="zz"))
    assert [(info.name, info.state) for info in fresh.plugins] == [("zz", "active"), ("a-box", "failed")]


def test_a_hook_with_a_wrong_signature_names_plugin_hook_and_argument(install: Install, fresh: Registry):
    source = """
        from mixstore.hookspecs import hookimpl

        @hookimpl
        def mixstore_register_backends(registry):
            pass
    """
    fresh.load_plugins(install("acme-box", source))
    [info] = fresh.plugins
    assert info.state == "failed"
    assert "Plugin 'acme-box' for hook 'mixstore_register_backends'" in info.error
    assert "registry" in info.error


def test_a_hook_that_does_not_exist_makes_a_plugin_incompatible_and_names_the_nearest(
    install: Install, fresh: Registry
):
    source = """
        from mixstore.hookspecs import hookimpl

        @hookimpl
        def mixstore_register_backend(register):
            pass
    """
    fresh.load_plugins(install("acme-box", source))
    [info] = fresh.plugins
    assert info.state == "incompatible"
    assert "did you mean 'mixstore_register_backends'?" in info.error


def test_an_optional_hook_may_be_unknown(fresh: Registry):
    class Plugin:
        @hookimpl(optionalhook=True)
        def mixstore_of_tomorrow(self):
            raise NotImplementedError

        @hookimpl
        def mixstore_register_backends(self, register):
            register("box", Factory)

    assert fresh.add_plugin(Plugin(), "box").hooks == ("mixstore_register_backends",)


def test_a_hook_without_its_mark_is_an_error(fresh: Registry):
    plugin = SimpleNamespace(mixstore_register_backends=lambda register: None)
    with pytest.raises(PluginError, match="mixstore_register_backends is not marked with @mixstore"):
        fresh.add_plugin(plugin, "box")


def test_a_plugin_without_hooks_is_an_error_that_lists_them(fresh: Registry):
    with pytest.raises(PluginError, match=r"(?s)plugin 'box' has no hooks.*mixstore_register_extensions"):
        fresh.add_plugin(SimpleNamespace(), "box")


def test_a_class_is_no_plugin(fresh: Registry):
    with pytest.raises(PluginError, match="name a module or an instance"):
        fresh.add_plugin(Factory, "box")


def test_a_hook_can_not_be_async(fresh: Registry):
    class Plugin:
        @hookimpl
        async def mixstore_observe(self, event):
            pass

    with pytest.raises(PluginError, match="hook mixstore_observe can't be async"):
        fresh.add_plugin(Plugin(), "slow")


def test_an_observer_can_not_be_a_wrapper(fresh: Registry):
    class Plugin:
        @hookimpl(wrapper=True)
        def mixstore_observe(self, event):
            return (yield)

    with pytest.raises(PluginError, match="hook mixstore_observe can't be a wrapper"):
        fresh.add_plugin(Plugin(), "around")


def test_a_plugin_object_is_added_without_an_entry_point(fresh: Registry):
    class Plugin:
        @hookimpl
        def mixstore_register_backends(self, register):
            register("box", Factory)

    fresh.load_plugins([])
    info = fresh.add_plugin(Plugin(), "box")
    assert (info.name, info.distribution, info.backends) == ("box", None, ("box",))
    assert fresh.plugins == (info,)
    with pytest.raises(PluginError, match="the name is taken by plugin 'box'"):
        fresh.add_plugin(Plugin(), "box")
    assert list(fresh.backends) == ["box"]


def test_an_added_plugin_that_raises_leaves_nothing_behind(fresh: Registry):
    class Plugin:
        @hookimpl
        def mixstore_register_backends(self, register):
            register("box", Factory)
            raise OSError("half")

    fresh.load_plugins([])
    with pytest.raises(PluginError, match="plugin 'box' failed: half") as caught:
        fresh.add_plugin(Plugin(), "box")
    assert isinstance(caught.value.__cause__, OSError)
    assert (fresh.backends, fresh.plugins) == ({}, ())


def test_observers_of_plugins_are_called_and_may_leave_the_event_out(fresh: Registry):
    told: list[object] = []

    class Plugin:
        @hookimpl
        def mixstore_observe(self, event):
            told.append(event)

    class Counter:
        @hookimpl
        def mixstore_observe(self):
            told.append("one")

    fresh.add_plugin(Plugin(), "log")
    fresh.add_plugin(Counter(), "count")
    event = Event("get", object, "box", 0.001, 1)
    fresh.notify(event)
    assert told == [event, "one"]


def test_models_can_be_defined_in_other_threads_while_plugins_load(fresh: Registry):
    class Plugin:
        @hookimpl
        def mixstore_register_backends(self, register):
            thread = threading.Thread(target=fresh.add_model, args=(Factory,), daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()

    fresh.add_plugin(Plugin(), "slow")
    assert fresh.models == (Factory,)


def test_a_plugin_that_looks_at_the_registry_while_it_loads_does_not_wait_for_itself(fresh: Registry):
    class Plugin:
        @hookimpl
        def mixstore_register_backends(self, register):
            fresh.load_plugins()
            register("box", Factory)

    fresh.add_plugin(Plugin(), "box")
    assert "box" in fresh.backends


def test_tracing_writes_hooks_and_operations_to_stderr(
    install: Install, fresh: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MIXSTORE_TRACE", "1")
    fresh.load_plugins(install("acme-box", BACKEND.format(name="box")))
    fresh.notify(Event("query", Factory, "box", 0.0015, 3))
    fresh.notify(Event("get", Factory, "box", 0.0015, 0, OSError("gone")))
    hook, *operations = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"mixstore: mixstore_register_backends of acme-box: done in \d+\.\d{3} ms", hook)
    assert operations == [
        "mixstore: query Factory on box: 3 rows in 1.500 ms",
        "mixstore: get Factory on box: OSError('gone') in 1.500 ms",
    ]


def test_a_listing_is_json(install: Install, fresh: Registry):
    fresh.load_plugins(install("acme-box", BACKEND.format(name="box"), name="box"))
    assert json.loads(json.dumps([asdict(info) for info in fresh.plugins])) == [
        {
            "name": "box",
            "distribution": "acme-box",
            "version": "1.2",
            "state": "active",
            "hooks": ["mixstore_register_backends"],
            "backends": ["box"],
            "extensions": [],
            "error": None,
        }
    ]
