"""Plugins: found by entry points, checked, registered, listed. One that fails leaves the others alone."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Literal

import pluggy

from mixstore import hookspecs
from mixstore.errors import ConfigurationError, PluginError, SettingsError, nearest
from mixstore.requirements import Requirement, canonical, parse
from mixstore.tracing import CallTimes, tell_event

if TYPE_CHECKING:
    from mixstore.events import Observer
    from mixstore.extension import BackendExtension
    from mixstore.lookups import Lookup
    from mixstore.registry import BackendFactory, Registry
    from mixstore.settings import Settings

GROUP = "mixstore"
HOOKS = tuple(sorted(name for name in vars(hookspecs) if name.startswith("mixstore_")))
_COMMANDS = "mixstore_register_commands"
_TRACE = "MIXSTORE_TRACE"
State = Literal["active", "blocked", "failed", "incompatible"]


class _IncompatibleError(PluginError):
    """The plugin was written for hooks that this mixstore does not have."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A line of `mixstore plugins`: what is known of one plugin. `error` is the traceback of a failed one."""

    name: str
    distribution: str | None = None
    version: str | None = None
    state: State = "active"
    hooks: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    error: str | None = None

    @property
    def names(self) -> set[str]:
        """What the settings may call it: its own name and that of its distribution, in canonical form."""
        return {canonical(self.name), canonical(self.distribution or self.name)}

    @property
    def built_in(self) -> bool:
        """Whether it comes with mixstore itself."""
        return self.distribution == "mixstore"

    @property
    def label(self) -> str:
        """How messages call it: plugin 'geo' (mixstore-geo 1.2)."""
        origin = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"plugin {self.name!r}{origin}"


class Plugins:
    """The plugins of one registry. Its callers hold the registry's lock."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._infos: list[PluginInfo] = []
        self._complete = False
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        if registry.settings.trace:
            times = CallTimes()
            self._manager.add_hookcall_monitoring(times.before, times.after)
            registry.register_observer(tell_event, _TRACE)

    def listing(self) -> tuple[PluginInfo, ...]:
        """All of them, in the order in which they were found."""
        return tuple(self._infos)

    def load(self, found: Iterable[EntryPoint] | None = None) -> None:
        """Loads entry points (default: the installed ones), mixstore's own first.

        If the settings are strict, the first failure raises PluginError and nothing stays registered.
        """
        settings = self._registry.settings
        points = entry_points(group=GROUP) if found is None else found
        for point in sorted(points, key=_load_order):
            info = PluginInfo(point.name, *_origin(point))
            if _blocks(settings, info):
                self._infos.append(replace(info, state="blocked"))
                continue
            try:
                self._admit(info, point.load)
            except (Exception, SystemExit) as error:
                if settings.strict:
                    self._unload()
                    raise PluginError(f"{info.label} failed: {error}") from error
                self._infos.append(_failed(info, error))
        self._complete = True

    def add(self, plugin: object, name: str) -> PluginInfo:
        """Registers `plugin` under `name`, or raises PluginError and registers nothing of it, nor of a blocked one."""
        info = PluginInfo(name)
        if _blocks(self._registry.settings, info):
            self._infos.append(replace(info, state="blocked"))
            return self._infos[-1]
        try:
            return self._admit(info, lambda: plugin)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(f"{info.label} failed: {error}") from error

    def register_commands(self, adding: Callable[[PluginInfo], AbstractContextManager[object]]) -> None:
        """Calls mixstore_register_commands of each plugin with the app that `adding(info)` opens for it.

        A plugin that fails there is listed as failed, and what it had registered is taken back.
        """
        for position, info in enumerate(self._infos):
            if info.state != "active" or _COMMANDS not in info.hooks:
                continue
            try:
                with adding(info) as app:
                    self._call(_COMMANDS, self._manager.get_plugin(info.name), app=app)
            except (Exception, SystemExit) as error:
                if self._registry.settings.strict:
                    raise PluginError(f"{info.label} failed: {error}") from error
                self._forget(info)
                self._infos[position] = _failed(replace(info, hooks=(), backends=(), extensions=()), error)

    def check_block(self, settings: Settings) -> None:
        """ConfigurationError if `settings` block or unblock a plugin that has been dealt with already."""
        for info in self._infos:
            if _blocks(settings, info) != (info.state == "blocked"):
                raise ConfigurationError(
                    f"{settings.where('plugins', 'block')}: too late for {info.label}, it is {info.state}",
                    hint="call configure() before the first use of a backend",
                )

    def ready(self, settings: Settings) -> bool:
        """Whether all are loaded: not if one of them asks while it is.

        ConfigurationError that names each of `plugins.required` that is not there, not active, or out of range.
        """
        if not self._complete:
            return False
        wanted = [(text, parse(text)) for text in settings.plugins.required]
        place = settings.where("plugins", "required")
        wrong = [(place, f"{text}: {why}") for text, one in wanted if (why := self._lacks(one)) is not None]
        if wrong:
            raise SettingsError(mistakes=wrong, hint="see `mixstore plugins --all`")
        return True

    def _lacks(self, wanted: Requirement) -> str | None:
        found = [info for info in self._infos if canonical(wanted.name) in info.names]
        if not found:
            names = {name for info in self._infos for name in (info.name, info.distribution) if name}
            return f"it is not installed, {nearest(wanted.name, names)}"
        for info in found:
            if info.state != "active":
                return f"{info.label} is {info.state}"
            if not wanted.admits(info.version):
                return f"{info.label} is another version"
        return None

    def _admit(self, info: PluginInfo, load: Callable[[], object]) -> PluginInfo:
        if self._manager.has_plugin(info.name):
            other = next(known for known in self._infos if known.name == info.name and known.state == "active")
            raise PluginError(f"{info.label}: the name is taken by {other.label}")
        try:
            admitted = self._register(load(), info)
        except BaseException:
            self._forget(info)
            raise
        self._infos.append(admitted)
        return admitted

    def _forget(self, info: PluginInfo) -> None:
        self._registry.withdraw(info.label)
        if self._manager.has_plugin(info.name):
            self._manager.unregister(name=info.name)

    def _unload(self) -> None:
        for info in self._infos:
            self._forget(info)
        self._registry.withdraw(_TRACE)

    def _register(self, plugin: object, info: PluginInfo) -> PluginInfo:
        """`info` with all that the plugin registered."""
        self._check_marks(plugin, info)
        self._manager.register(plugin, name=info.name)
        hooks = self._check_hooks(plugin, info)
        registry, label = self._registry, info.label
        backends: list[str] = []
        extensions: dict[str, None] = {}

        def register_backend(name: str, factory: BackendFactory) -> None:
            registry.register_backend(name, factory, label)
            backends.append(name)

        def register_extension(extension: type[BackendExtension]) -> None:
            extensions[registry.register_extension(extension, label)] = None

        def register_lookup(lookup: Lookup) -> None:
            registry.register_lookup(lookup, label)

        self._call("mixstore_register_backends", plugin, register=register_backend)
        self._call("mixstore_register_extensions", plugin, register=register_extension)
        self._call("mixstore_register_lookups", plugin, register=register_lookup)
        for observer in self._observers(plugin):
            registry.register_observer(observer, label)
        return replace(info, hooks=hooks, backends=tuple(backends), extensions=tuple(extensions))

    def _call(self, hook: str, plugin: object, **arguments: object) -> None:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        caller = self._manager.subset_hook_caller(hook, others)
        if caller.get_hookimpls():
            caller(**arguments)

    def _check_marks(self, plugin: object, info: PluginInfo) -> None:
        if isinstance(plugin, type):
            raise PluginError(f"{info.label} is a class, {plugin.__qualname__}: name a module or an instance")
        for name in HOOKS:
            if getattr(plugin, name, None) is not None and self._manager.parse_hookimpl_opts(plugin, name) is None:
                raise PluginError(f"{info.label}: {name} is not marked with @mixstore.hookimpl")

    def _check_hooks(self, plugin: object, info: PluginInfo) -> tuple[str, ...]:
        names = []
        for caller, implementation in self._implementations(plugin):
            hook = f"{info.label}: hook {caller.name}"
            if not caller.has_spec():
                if implementation.optionalhook:
                    continue
                raise _IncompatibleError(
                    f"{hook} does not exist, {nearest(caller.name, HOOKS)}",
                    hint="it may have been written for another version of mixstore",
                )
            if inspect.iscoroutinefunction(implementation.function):
                raise PluginError(f"{hook} can't be async")
            if caller.name == "mixstore_observe" and (implementation.wrapper or implementation.hookwrapper):
                raise PluginError(f"{hook} can't be a wrapper")
            names.append(caller.name)
        if not names:
            hint = f"mark functions with @mixstore.hookimpl: {', '.join(HOOKS)}"
            raise PluginError(f"{info.label} has no hooks", hint=hint)
        return tuple(sorted(names))

    def _implementations(self, plugin: object) -> Iterator[tuple[pluggy.HookCaller, pluggy.HookImpl]]:
        for caller in self._manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    yield caller, implementation

    def _observers(self, plugin: object) -> Iterator[Observer]:
        for caller, implementation in self._implementations(plugin):
            if caller.name == "mixstore_observe":
                yield _observer(implementation)


def _observer(implementation: pluggy.HookImpl) -> Observer:
    """The hook itself, so that no operation goes through pluggy. As there, it may leave its argument out."""
    function: Callable[..., object] = implementation.function
    return function if implementation.argnames else lambda event: function()


def _failed(info: PluginInfo, error: BaseException) -> PluginInfo:
    import logging

    logging.getLogger("mixstore").warning("%s is not used: %s", info.label, error)
    state: State = "incompatible" if isinstance(error, _IncompatibleError) else "failed"
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return replace(info, state=state, error=text)


def _load_order(point: EntryPoint) -> tuple[bool, str, str]:
    distribution, _ = _origin(point)
    return distribution != "mixstore", distribution or "", point.name


def _origin(point: EntryPoint) -> tuple[str | None, str | None]:
    """Name and version of the distribution that an entry point belongs to."""
    return (point.dist.name, point.dist.version) if point.dist is not None else (None, None)


def _blocks(settings: Settings, info: PluginInfo) -> bool:
    blocked = {canonical(name) for name in settings.plugins.block}
    return not blocked.isdisjoint(info.names)
