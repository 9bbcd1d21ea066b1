"""What `mixstore check` and `mixstore init` look at: modules, plugins, settings and models, all mistakes at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mixstore.binding import bound_of
from mixstore.cli.importing import Mistake, imported, model_named, path_of, search_here, told
from mixstore.errors import ConfigurationError, PluginError, SettingsError
from mixstore.extension import ANY_BACKEND
from mixstore.mixin import Mixin, below
from mixstore.registry import Registry, current
from mixstore.requirements import canonical
from mixstore.selection import Candidate, best_of, candidates, options_of, place_of, unknown

if TYPE_CHECKING:
    from mixstore.bound import Bound
    from mixstore.cli.screen import Screen


@dataclass
class Inspection:
    """The models that could be bound, and all that is wrong."""

    bounds: list[Bound] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def show_mistakes(self, screen: Screen) -> None:
        """Print them all."""
        for where, what in self.mistakes:
            screen.bad(where)
            screen.show(what, indent=2)


def inspect(modules: Sequence[str]) -> Inspection:
    """Import the modules and those of the models in the config, look at plugins and settings, bind every model."""
    registry = current()
    try:
        registry.plugins  # noqa: B018  # reads the settings, and finds the plugins
    except ConfigurationError as error:  # nothing can be bound then
        return Inspection(mistakes=list(_mistakes("plugins" if isinstance(error, PluginError) else "settings", error)))
    before = set(registry.models)
    mistakes = list(_surroundings(modules, registry))
    models = [model for model in registry.models if model not in before or _inside(model, modules)]
    mistakes += _extensions(registry, models)
    found = Inspection()
    for model in models:
        try:
            found.bounds.append(bound_of(model))
        except Exception as error:
            mistakes += _mistakes(path_of(model), error)
    found.mistakes = list(dict.fromkeys(mistakes))  # a wrong setting is one mistake, however many models it concerns
    return found


def _inside(model: type, modules: Iterable[str]) -> bool:
    return any(f"{model.__module__}.".startswith(f"{name}.") for name in modules)


def _mistakes(where: str, error: BaseException) -> Iterator[Mistake]:
    """An error as mistakes: those that it lists, or itself at this place."""
    listed = getattr(error, "mistakes", ()) if isinstance(error, SettingsError) else ()
    yield from (Mistake(*one) for one in listed)
    if not listed:
        yield Mistake(where, told(error))


def _surroundings(modules: Iterable[str], registry: Registry) -> Iterator[Mistake]:
    search_here()
    for name in modules:
        yield from imported(name)
    for info in registry.plugins:
        if info.error is not None:
            last = info.error.strip().splitlines()[-1]
            yield Mistake(info.label, f"is {info.state}: {last}\n`mixstore plugins` shows the traceback")
    settings = registry.settings
    yield from _nearly_blocked(registry)
    for path in settings.models:
        yield from model_named(path, settings)
    try:
        registry.load_plugins()
    except SettingsError as error:
        yield from _mistakes("", error)
        return  # no backend can be made without the plugins that are required
    for name in settings.backends:
        try:
            registry.backend(name)
        except Exception as error:
            yield Mistake(settings.where("backends", name, "url"), told(error))


def _nearly_blocked(registry: Registry) -> Iterator[Mistake]:
    """Names in `plugins.block` that block nothing, and nearly are a plugin's; others may be for other machines."""
    names = {canonical(name): name for info in registry.plugins for name in (info.name, info.distribution) if name}
    for name in registry.settings.plugins.block:
        close = difflib.get_close_matches(canonical(name), names, n=1, cutoff=0.8)
        if close and canonical(name) not in names:
            told = f"no plugin {name!r} is installed, did you mean {names[close[0]]!r}?"
            yield Mistake(registry.settings.where("plugins", "block"), told)


def _extensions(registry: Registry, models: Iterable[type]) -> Iterator[Mistake]:
    """What is wrong in `[backends.NAME.extensions]`: names that no extension has, and options of all that have one.

    Also of extensions that no model uses, as far as they are imported.
    """
    found = [one for owner in (*models, *below(Mixin)) for one in candidates(owner, (), ())]
    found += [Candidate(name, one, one, 0) for name, several in registry.extensions.items() for one in several]
    known = {one.name for one in found}
    for backend, settings in registry.settings.backends.items():
        for key in ("enable", "disable", "apply", "options"):
            for name in getattr(settings.extensions, key) or ():
                if name not in known:
                    fitting = registry.extensions if key == "apply" else known
                    yield Mistake(place_of(registry, backend, key), unknown(name, fitting))
        kinds = registry.named[backend].extension_names if backend in registry.named else (ANY_BACKEND,)
        for name, one in best_of(found, kinds).items():
            if name in settings.extensions.options:
                yield from (Mistake(*wrong) for wrong in options_of(registry, backend, one)[1])
