"""What `mixstore check` and `mixstore init` look at: modules, plugins, settings and models, all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mixstore.binding import bound_of
from mixstore.cli.importing import Mistake, imported, model_named, path_of, search_here, told
from mixstore.errors import nearest
from mixstore.mixin import Mixin
from mixstore.registry import Registry, current
from mixstore.selection import candidates

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
    before = set(registry.models)
    found = Inspection(mistakes=list(_surroundings(modules, registry)))
    models = [model for model in registry.models if model not in before or _inside(model, modules)]
    for model in models:
        try:
            found.bounds.append(bound_of(model))
        except Exception as error:
            found.mistakes.append(Mistake(path_of(model), told(error)))
    found.mistakes += _extension_names(registry, models)
    return found


def _inside(model: type, modules: Iterable[str]) -> bool:
    return any(f"{model.__module__}.".startswith(f"{name}.") for name in modules)


def _surroundings(modules: Iterable[str], registry: Registry) -> Iterator[Mistake]:
    search_here()
    for name in modules:
        yield from imported(name)
    for info in registry.plugins:
        if info.error is not None:
            last = info.error.strip().splitlines()[-1]
            yield Mistake(info.label, f"is {info.state}: {last}\n`mixstore plugins` shows the traceback")
    settings = registry.settings
    for path in settings.models:
        yield from model_named(path, settings)
    for name in settings.backends:
        try:
            registry.backend(name)
        except Exception as error:
            yield Mistake(settings.where("backends", name, "url"), told(error))


def _extension_names(registry: Registry, models: Iterable[type]) -> Iterator[Mistake]:
    """Names in `[backends.NAME.extensions]` that no extension has."""
    known = {one.name for owner in (*models, *_below(Mixin)) for one in candidates(owner, (), ())}
    known.update(registry.extensions)
    for backend, settings in registry.settings.backends.items():
        for key in ("enable", "disable", "apply", "options"):
            for name in getattr(settings.extensions, key) or ():
                if name not in known:
                    where = registry.settings.where("backends", backend, "extensions", key)
                    yield Mistake(where, f"there is no extension {name!r}, {nearest(name, known)}")


def _below(base: type[Any]) -> Iterator[type[Any]]:
    child: type[Any]
    for child in base.__subclasses__():
        yield child
        yield from _below(child)
