"""Everything global, in one object: what plugins registered, the settings, the backends, the models.

    current()                      the registry in use
    with registry() as fresh: ...  another one, for tests: nothing connected, plugins found again

Nothing is imported or read before it is needed: the settings when they are looked at, the plugins when a
backend is asked for.
"""

from __future__ import annotations

import itertools
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from mixstore.errors import ConfigurationError, PluginError, nearest
from mixstore.events import Event, Observer, Observers
from mixstore.pairs import BoundPair, ChainOf

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from mixstore.backend import Backend
    from mixstore.bound import Bound
    from mixstore.extension import BackendExtension
    from mixstore.lookups import Lookup
    from mixstore.plugins import PluginInfo, Plugins
    from mixstore.settings import ExtensionSettings, Settings

APPLICATION = "the application"
"""Who registers what no plugin registered."""

_epochs = itertools.count(1)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


class BackendFactory(Protocol):
    """What a plugin registers under a URL scheme; a backend class with a classmethod `from_url` is one."""

    def from_url(self, url: str) -> Backend:
        """A new backend for `url`. Imports its driver here, not earlier."""


class Registry:
    """The global state. `epoch` changes whenever a model may have to be bound anew."""

    def __init__(self) -> None:
        from mixstore.lookups import BUILTIN

        self.epoch = next(_epochs)
        self.backends: dict[str, BackendFactory] = {}
        self.extensions: dict[str, list[type[BackendExtension]]] = {}
        self.lookups: dict[str, Lookup] = dict(BUILTIN)
        self._observers = Observers()
        self.named: dict[str, Backend] = {}
        self._lock = threading.RLock()
        # of its own, since a thread may define models in a module that another waits for with the first lock
        self._models_lock = threading.Lock()
        self._owners: dict[tuple[str, object], str] = {("lookup", name): "mixstore" for name in BUILTIN}
        self._models: weakref.WeakKeyDictionary[type, None] = weakref.WeakKeyDictionary()
        self._bound: weakref.WeakKeyDictionary[type, dict[ChainOf, None]] = weakref.WeakKeyDictionary()
        self._settings: Settings | None = None
        self._plugins: Plugins | None = None
        self._loaded = False
        self._from_url: dict[str, Backend] = {}
        self._configured: set[str] = set()

    # what plugins register

    def load_plugins(self, entry_points: Iterable[EntryPoint] | None = None) -> None:
        """Loads the installed plugins (or only `entry_points`), once; called before anything that needs them.

        A plugin that fails registers nothing and is listed as failed; MIXSTORE_STRICT=1 raises PluginError.
        ConfigurationError while a required one is missing.
        """
        if self._loaded and entry_points is None:
            return
        with self._lock:
            self._loaded = self._find_plugins(entry_points).ready(self.settings)

    def _find_plugins(self, entry_points: Iterable[EntryPoint] | None = None) -> Plugins:
        with self._lock:
            if entry_points is not None and self._plugins is not None:
                raise PluginError("the plugins are loaded already", hint="use a fresh registry()")
            if self._plugins is None:
                from mixstore.plugins import Plugins

                self._plugins = Plugins(self)
                try:
                    self._plugins.load(entry_points)
                except BaseException:
                    self._plugins = None
                    raise
            return self._plugins

    def add_plugin(self, plugin: object, name: str) -> PluginInfo:
        """Registers a module or object with hooks that no entry point names. PluginError if it is broken."""
        with self._lock:
            self.load_plugins()
            return self._find_plugins().add(plugin, name)

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """All plugins that were found, in the order of loading: active, blocked, failed, incompatible."""
        return self._find_plugins().listing()

    def register_commands(self, adding: Callable[[PluginInfo], AbstractContextManager[object]]) -> None:
        """Lets each plugin add its commands to the app that `adding(info)` opens; for the command line."""
        with self._lock:
            self._find_plugins().register_commands(adding)

    def register_backend(self, name: str, factory: BackendFactory, plugin: str = APPLICATION) -> None:
        """Makes `name` a URL scheme. PluginError for a name that is taken or can't be a scheme."""
        if not isinstance(name, str) or not _SCHEME.fullmatch(name):
            raise PluginError(f"backend {name!r}: a name is a URL scheme, [a-z][a-z0-9+.-]*")
        if not callable(getattr(factory, "from_url", None)):
            raise PluginError(f"backend {name!r}: {factory!r} has no from_url(url)")
        with self._lock:
            self._own("backend", name, plugin, f"backend {name!r}")
            self.backends[name] = factory

    def register_extension(self, extension: type[BackendExtension], plugin: str = APPLICATION) -> str:
        """Adds an extension from outside of its mixin and answers its name.

        PluginError if it would change the chain of a model that is bound already.
        """
        from mixstore.mixin import BackendExtension, snake_case

        if not (isinstance(extension, type) and issubclass(extension, BackendExtension)):
            raise PluginError(f"extension {extension!r} is not a subclass of BackendExtension")
        if extension.name is None:
            if extension.extends is None:
                raise PluginError(f"extension {extension.__qualname__} needs a name, or a mixin in `extends`")
            extension.name = snake_case(extension.extends.__name__)
        name = extension.name
        what = f"extension {name!r} ({extension.__qualname__}) for backend {extension.backend_name!r}"
        with self._lock:
            for pair in self.bound_pairs:
                if pair.takes(extension):
                    bound = f"{pair.model.__name__} is bound to {pair.backend_name!r} already"
                    raise PluginError(f"{what} is too late: {bound}", hint="register it before the first use")
            self._own("extension", _identity(extension), plugin, what)
            self.extensions.setdefault(name, []).append(extension)
        return name

    def all_extensions(self) -> tuple[type[BackendExtension], ...]:
        """Every extension that was registered, by any name."""
        return tuple(extension for extensions in self.extensions.values() for extension in extensions)

    def register_lookup(self, lookup: Lookup, plugin: str = APPLICATION) -> None:
        """Adds a lookup for filters. PluginError for one that can't be, or whose name is taken."""
        from mixstore.lookups import Lookup

        if not isinstance(lookup, Lookup):
            raise PluginError(f"lookup {lookup!r} is no mixstore.Lookup")
        name = lookup.name
        if not isinstance(name, str) or not name.isidentifier() or "__" in name:
            raise PluginError(f"lookup {name!r}: its name must be an identifier without '__'")
        if (fault := lookup.fault()) is not None:
            raise PluginError(f"lookup {name!r}: {fault}")
        with self._lock:
            self._own("lookup", name, plugin, f"lookup {name!r}")
            self.lookups[name] = lookup

    def register_observer(self, observer: Observer, plugin: str = APPLICATION) -> None:
        """Calls `observer(event)` after every operation from now on."""
        with self._lock:
            self._own("observer", observer, plugin, f"observer {observer!r}")
            self._observers.change((*self.observers, observer))

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Those that are told of every operation, in the order in which they came."""
        return self._observers.all

    def notify(self, event: Event) -> None:
        """Tells all observers. What one raises is logged: the operation has happened already."""
        for observer in self.observers:
            try:
                observer(event)
            except Exception:
                import logging

                logging.getLogger("mixstore").exception("%s failed", self._owners.get(("observer", observer)))

    def _own(self, kind: str, key: object, plugin: str, what: str) -> None:
        if (kind, key) in self._owners:
            raise PluginError(f"{what} of {plugin} is already registered by {self._owners[kind, key]}")
        self._owners[kind, key] = plugin

    def withdraw(self, plugin: str) -> None:
        """Takes back all that `plugin` registered; for one that failed halfway."""
        with self._lock:
            for (kind, key), owner in list(self._owners.items()):
                if owner == plugin:
                    del self._owners[kind, key]
                    self._remove(kind, key)

    def _remove(self, kind: str, key: Any) -> None:
        match kind:
            case "backend":
                del self.backends[key]
            case "lookup":
                del self.lookups[key]
            case "observer":
                self._observers.change(tuple(observer for observer in self.observers if observer is not key))
            case "extension":
                kept = [found for found in self.extensions.pop(key[0]) if _identity(found) != key]
                if kept:
                    self.extensions[key[0]] = kept

    # settings

    @property
    def settings(self) -> Settings:
        """The settings; read from file and environment at the first use, unless `configure()` came before."""
        if self._settings is None:
            from mixstore.settings import load

            with self._lock:
                if self._settings is None:
                    self._settings = load()
        return self._settings

    def use(self, settings: Settings) -> None:
        """Replaces the settings. Backends that they configure differently are made anew at the next use."""
        with self._lock:
            if self._plugins is not None:
                self._plugins.check_block(settings)
                self._loaded = False  # other plugins may be required now
            old, self._settings = self._settings, settings
            for name in list(self._configured):
                if old is None or settings.backends.get(name) != old.backends.get(name):
                    self._configured.discard(name)
                    del self.named[name]
            self.epoch = next(_epochs)

    def extension_settings(self, name: str | None) -> ExtensionSettings:
        """What the config says about extensions on the backend that it calls `name`, or the defaults."""
        from mixstore.settings import ExtensionSettings

        found = self.settings.backends.get(name) if name is not None else None
        return found.extensions if found is not None else ExtensionSettings()

    def model_backend(self, dotted_path: str) -> str | None:
        """The backend (a name or URL) that `[models]` gives to the model "module.QualName", or None."""
        return self.settings.models.get(dotted_path)

    # backends

    def has_backend(self, name: str) -> bool:
        """Whether `name` is connected or configured."""
        return name in self.named or name in self.settings.backends

    def backend(self, name_or_url: str) -> Backend:
        """The one backend of this registry for a name or a URL, connected at the first call."""
        if name_or_url in self.named:
            return self.named[name_or_url]
        with self._lock:
            if "://" in name_or_url:
                if name_or_url not in self._from_url:
                    self._from_url[name_or_url] = self.build(name_or_url)
                return self._from_url[name_or_url]
            if name_or_url not in self.named:
                backend = self.build(self._url_of(name_or_url))
                backend.config_name = name_or_url
                self._configured.add(name_or_url)
                self.named[name_or_url] = backend
            return self.named[name_or_url]

    def build(self, url: str) -> Backend:
        """A new backend for a URL, by the factory that is registered for its scheme."""
        from mixstore.backend import Backend

        self.load_plugins()
        scheme, separator, _ = url.partition("://")
        factory = self.backends.get(scheme)
        if not separator or factory is None:
            raise ConfigurationError(
                f"no backend for URLs of scheme {scheme!r}, {nearest(scheme, self.backends)}",
                hint=f"installed: {', '.join(sorted(self.backends)) or 'none'}; {self._missing_plugin()}",
            )
        backend = factory.from_url(url)
        if not isinstance(backend, Backend):
            told = f"backend {scheme!r} of {self._owners['backend', scheme]}"
            raise PluginError(f"{told}: from_url() made a {type(backend).__name__}, which is no Backend")
        return backend

    def connect_as(self, name: str, backend: Backend) -> None:
        """Makes `backend` the one called `name`; models that use that name are bound anew."""
        with self._lock:
            backend.config_name = backend.config_name or name
            self.named[name] = backend
            self._configured.discard(name)
            self.epoch = next(_epochs)

    def close(self) -> None:
        """Closes every backend that is connected here."""
        with self._lock:
            backends = {id(backend): backend for backend in (*self.named.values(), *self._from_url.values())}
            self.named.clear()
            self._from_url.clear()
            self._configured.clear()
            self.epoch = next(_epochs)
        for backend in backends.values():
            backend.close()

    def _url_of(self, name: str) -> str:
        configured = self.settings.backends.get(name)
        if configured is not None:
            return configured.url
        self.load_plugins()
        hint = f"[backends.{name}] in mixstore.toml, or connect(url, name={name!r})"
        scheme, _, rest = name.partition(":")
        if scheme in self.backends:
            hint = f"{scheme!r} is a scheme: write a URL, '{scheme}:///{rest.lstrip('/') or '...'}', or {hint}"
        known = {*self.named, *self.settings.backends}
        raise ConfigurationError(f"no backend is called {name!r}, {nearest(name, known)}", hint=hint)

    def _missing_plugin(self) -> str:
        broken = [f"{info.name} ({info.state})" for info in self.plugins if info.state != "active"]
        return f"see `mixstore plugins` on {', '.join(broken)}" if broken else "is its plugin installed?"

    # models

    @property
    def models(self) -> tuple[type, ...]:
        """The concrete model classes that are alive, in the order of definition."""
        with self._models_lock:
            return tuple(self._models)

    def add_model(self, model: type) -> None:
        """Called for every concrete model class when it is defined; does not keep it alive."""
        with self._models_lock:
            self._models[model] = None

    def add_bound(
        self,
        model: type,
        backend_name: str,
        options: Iterable[str] = (),
        bound: Bound | None = None,
        applied: Iterable[str] = (),
    ) -> None:
        """Called at bind: from now on no extension may be registered that belongs into the pair's chain.

        The pair tells its operations to the observers of this registry, those that come later included.
        """
        with self._models_lock:
            self._bound.setdefault(model, {})[ChainOf(backend_name, frozenset(options), frozenset(applied))] = None
        if bound is not None:
            with self._lock:
                self._observers.watch(bound)

    @property
    def bound_pairs(self) -> tuple[BoundPair, ...]:
        """The living models that were bound, with the kind of backend and the field options they set."""
        with self._models_lock:
            return tuple(BoundPair(model, *chain) for model, chains in self._bound.items() for chain in chains)


def _identity(extension: type[BackendExtension]) -> tuple[str | None, type | None, str]:
    return extension.name, extension.extends, extension.backend_name


_registries: list[Registry] = []
_first = threading.Lock()


def current() -> Registry:
    """The registry in use."""
    if not _registries:
        with _first:
            if not _registries:
                _registries.append(Registry())
    return _registries[-1]


@contextmanager
def registry() -> Iterator[Registry]:
    """A fresh registry for the block, in all threads. At its end the backends connected in it are closed."""
    current()
    fresh = Registry()
    _registries.append(fresh)
    try:
        yield fresh
    finally:
        _registries.remove(fresh)
        fresh.close()
