"""The registry: what is global, and how a test gets another one."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from mixstore.backend import Backend
from mixstore.config import configure, connect
from mixstore.errors import ConfigurationError, PluginError
from mixstore.extension import BackendExtension
from mixstore.lookups import Lookup
from mixstore.mixin import Mixin
from mixstore.registry import Event, Registry, current, registry


class Shelf(Backend):
    """A backend that remembers its URL, and whether it was closed."""

    backend_name = "shelf"

    def __init__(self, url: str) -> None:
        super().__init__(adapter=None)
        self.url = url
        self.closed = False

    @classmethod
    def from_url(cls, url: str) -> Shelf:
        return cls(url)

    def close(self) -> None:
        self.closed = True

    def _unused(self, *args: Any, **filters: Any) -> Any:
        raise NotImplementedError

    create = upsert = get = update = delete = query = count = exists = _unused


class Geo(Mixin):
    pass


class GeoOnShelf(BackendExtension):
    backend_name = "shelf"
    extends = Geo


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with registry() as fresh:
        fresh.load_plugins([])
        fresh.register_backend("shelf", Shelf)
        yield fresh


def test_a_block_has_its_own_registry_and_gives_the_old_one_back():
    outer = current()
    with registry() as inner:
        assert current() is inner
        assert inner is not outer
        assert inner.epoch != outer.epoch
    assert current() is outer


def test_a_block_that_fails_gives_the_old_registry_back():
    outer = current()
    with pytest.raises(ZeroDivisionError), registry():
        raise ZeroDivisionError
    assert current() is outer


def test_blocks_nest():
    with registry() as outer:
        with registry() as inner:
            assert current() is inner
        assert current() is outer


def test_all_threads_see_the_registry_of_the_block():
    seen = []
    with registry() as fresh:
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [fresh]


def test_the_backends_of_a_block_are_closed_at_its_end():
    with registry() as fresh:
        fresh.load_plugins([])
        fresh.register_backend("shelf", Shelf)
        named, shared = connect("shelf://a", name="default"), fresh.backend("shelf://b")
    assert (named.closed, shared.closed) == (True, True)


# backends


def test_a_url_names_one_backend_in_the_registry_but_connect_makes_a_new_one(fresh: Registry):
    assert fresh.backend("shelf://a") is fresh.backend("shelf://a")
    assert fresh.backend("shelf://a").url == "shelf://a"
    assert connect("shelf://a") is not connect("shelf://a")


def test_a_configured_name_is_connected_once(fresh: Registry):
    configure(backends={"events": {"url": "shelf://events"}})
    assert fresh.named == {}
    assert connect("events") is fresh.backend("events")
    assert fresh.backend("events").url == "shelf://events"
    assert fresh.backend("events").config_name == "events"


def test_threads_that_ask_at_once_get_the_same_backend(fresh: Registry):
    configure(backends={"default": {"url": "shelf://"}})
    start, found = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        found.append(fresh.backend("default"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_connect_with_a_name_keeps_the_backend_under_it_and_binds_models_anew(fresh: Registry):
    epoch = fresh.epoch
    backend = connect("shelf://a", name="default")
    assert fresh.backend("default") is backend
    assert backend.config_name == "default"
    assert fresh.epoch != epoch
    again = connect("shelf://b", name="default")
    assert fresh.backend("default") is again


def test_a_backend_that_code_connected_beats_the_config(fresh: Registry):
    backend = connect("shelf://code", name="default")
    configure(backends={"default": {"url": "shelf://config"}})
    assert fresh.backend("default") is backend


def test_configure_connects_changed_backends_anew_and_keeps_the_others(fresh: Registry):
    configure(backends={"a": {"url": "shelf://a"}, "b": {"url": "shelf://b"}})
    a, b = fresh.backend("a"), fresh.backend("b")
    configure(backends={"a": {"url": "shelf://a"}, "b": {"url": "shelf://new"}})
    assert fresh.backend("a") is a
    assert fresh.backend("b") is not b
    assert fresh.backend("b").url == "shelf://new"


def test_an_unknown_scheme_names_the_nearest_and_what_is_installed(fresh: Registry):
    fresh.register_backend("box", Shelf)
    with pytest.raises(ConfigurationError, match=r"(?s)'shel', did you mean 'shelf'\?.*installed: box, shelf"):
        connect("shel://user:secret@host")


def test_an_unknown_scheme_keeps_the_rest_of_the_url_to_itself(fresh: Registry):
    with pytest.raises(ConfigurationError) as caught:
        connect("other://user:secret@host")
    assert "secret" not in str(caught.value)


def test_an_unknown_name_names_the_nearest_and_the_ways_to_define_it(fresh: Registry):
    configure(backends={"events": {"url": "shelf://"}})
    with pytest.raises(ConfigurationError, match=r"(?s)'event', did you mean 'events'\?.*\[backends.event\]"):
        connect("event")


def test_a_scheme_without_a_url_is_told_how_to_become_one(fresh: Registry):
    with pytest.raises(ConfigurationError, match="'shelf' is a scheme: write a URL, 'shelf://"):
        connect("shelf")


def test_a_url_without_its_slashes_is_shown_with_them(fresh: Registry):
    with pytest.raises(ConfigurationError, match="write a URL, 'shelf:///books'"):
        connect("shelf:books")


def test_a_factory_that_makes_something_else_is_refused_with_its_owner(fresh: Registry):
    class Odd:
        @classmethod
        def from_url(cls, url: str) -> int:
            return 5

    fresh.register_backend("odd", Odd)
    with pytest.raises(PluginError, match=r"backend 'odd' of the application: .* made a int, which is no Backend"):
        connect("odd://")


def test_has_backend_knows_the_connected_and_the_configured(fresh: Registry):
    configure(backends={"events": {"url": "shelf://"}})
    connect("shelf://", name="mine")
    assert fresh.has_backend("events")
    assert fresh.has_backend("mine")
    assert not fresh.has_backend("default")


# registration


@pytest.mark.parametrize("name", ["Shelf", "my_shelf", "", "9p", "a://", 5])
def test_a_backend_name_that_is_no_scheme_is_refused(fresh: Registry, name):
    with pytest.raises(PluginError, match="URL scheme"):
        fresh.register_backend(name, Shelf)


def test_a_factory_without_from_url_is_refused(fresh: Registry):
    with pytest.raises(PluginError, match=r"has no from_url\(url\)"):
        fresh.register_backend("box", object())


def test_a_backend_name_is_taken_once_and_the_error_names_both(fresh: Registry):
    with pytest.raises(PluginError, match="'shelf' of plugin 'x' is already registered by the application"):
        fresh.register_backend("shelf", Shelf, "plugin 'x'")


def test_an_extension_without_a_name_gets_that_of_its_mixin(fresh: Registry):
    assert fresh.register_extension(GeoOnShelf) == "geo"
    assert fresh.extensions == {"geo": [GeoOnShelf]}
    assert fresh.all_extensions() == (GeoOnShelf,)


def test_an_extension_with_neither_name_nor_mixin_is_refused(fresh: Registry):
    class Nameless(BackendExtension):
        pass

    with pytest.raises(PluginError, match="Nameless needs a name, or a mixin in `extends`"):
        fresh.register_extension(Nameless)


@pytest.mark.parametrize("wrong", [int, "geo", GeoOnShelf.__init__])
def test_what_is_no_extension_class_is_refused(fresh: Registry, wrong):
    with pytest.raises(PluginError, match="not a subclass of BackendExtension"):
        fresh.register_extension(wrong)


def test_one_mixin_has_one_extension_of_a_name_for_a_backend(fresh: Registry):
    class Other(BackendExtension):
        backend_name = "shelf"
        extends = Geo

    class Elsewhere(BackendExtension):
        backend_name = "box"
        extends = Geo

    fresh.register_extension(GeoOnShelf, "plugin 'a'")
    fresh.register_extension(Elsewhere, "plugin 'b'")
    with pytest.raises(PluginError, match=r"'geo' .* of plugin 'b' is already registered by plugin 'a'"):
        fresh.register_extension(Other, "plugin 'b'")


def test_an_extension_that_would_change_a_bound_chain_is_refused_and_names_the_pair(fresh: Registry):
    class Place(Geo):
        pass

    fresh.add_bound(Place, "shelf")
    with pytest.raises(PluginError, match=r"'geo' .* too late: Place is bound to 'shelf' already"):
        fresh.register_extension(GeoOnShelf)
    assert fresh.extensions == {}


def test_an_extension_that_a_bound_models_option_would_activate_is_refused(fresh: Registry):
    class Guard(BackendExtension):
        name = "guard"
        activates_on = frozenset({"unique"})

    class User:
        pass

    class Note:
        pass

    fresh.add_bound(Note, "shelf", {"index"})
    fresh.add_bound(User, "shelf", {"index", "unique"})
    with pytest.raises(PluginError, match="User is bound"):
        fresh.register_extension(Guard)


def test_an_extension_for_another_backend_or_mixin_may_come_late(fresh: Registry):
    class Place(Geo):
        pass

    class Plain:
        pass

    fresh.add_bound(Place, "box")
    fresh.add_bound(Plain, "shelf")
    assert fresh.register_extension(GeoOnShelf) == "geo"


def test_bound_pairs_tell_model_backend_and_options(fresh: Registry):
    fresh.add_bound(Geo, "shelf", ["unique"])
    fresh.add_bound(Geo, "shelf", ["unique"])
    assert fresh.bound_pairs == ((Geo, "shelf", frozenset({"unique"}), frozenset()),)


def test_a_lookup_of_mixstore_can_not_be_replaced(fresh: Registry):
    with pytest.raises(PluginError, match="'gte' of the application is already registered by mixstore"):
        fresh.register_lookup(fresh.lookups["gte"])


def test_a_lookup_is_known_in_its_registry_only(fresh: Registry):
    fresh.register_lookup(Lookup("near", None, "value", lambda stored, operand: stored == operand))
    assert "near" in fresh.lookups
    with registry() as other:
        assert "near" not in other.lookups


@pytest.mark.parametrize("name", ["", "a__b", "not one", None])
def test_a_lookup_needs_a_name_that_a_filter_can_spell(fresh: Registry, name):
    with pytest.raises(PluginError, match="identifier without '__'"):
        fresh.register_lookup(Lookup(name, None, "value", None))


def test_observers_are_called_in_the_order_of_registration(fresh: Registry):
    told: list[Any] = []
    fresh.register_observer(told.append)
    fresh.register_observer(lambda event: told.append(event.rows))
    event = Event("get", Geo, "shelf", 0.001, 1)
    fresh.notify(event)
    assert told == [event, 1]


def test_an_observer_that_fails_is_logged_and_the_others_are_told(fresh: Registry, caplog):
    told: list[Any] = []
    fresh.register_observer(lambda event: 1 / 0, "plugin 'x'")
    fresh.register_observer(told.append)
    fresh.notify(Event("get", Geo, "shelf", 0.001, 1))
    assert len(told) == 1
    assert "plugin 'x' failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_what_a_plugin_registered_can_be_withdrawn_as_a_whole(fresh: Registry):
    before = dict(fresh.lookups)
    fresh.register_backend("box", Shelf, "plugin 'x'")
    fresh.register_extension(GeoOnShelf, "plugin 'x'")
    fresh.register_lookup(Lookup("near", None, "value", None), "plugin 'x'")
    fresh.register_observer(print, "plugin 'x'")
    fresh.withdraw("plugin 'x'")
    assert (list(fresh.backends), fresh.extensions, fresh.observers) == (["shelf"], {}, ())
    assert fresh.lookups == before
    fresh.register_backend("box", Shelf, "plugin 'y'")


# models


def test_models_are_listed_in_the_order_of_definition_while_they_live(fresh: Registry):
    class First:
        pass

    class Second:
        pass

    fresh.add_model(First)
    fresh.add_model(Second)
    fresh.add_model(First)
    fresh.add_bound(First, "shelf")
    assert fresh.models == (First, Second)
    del First
    gc.collect()
    assert fresh.models == (Second,)
    assert fresh.bound_pairs == ()
