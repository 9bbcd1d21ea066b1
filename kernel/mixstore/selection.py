"""Which extensions a model uses on a backend: those along its bases, from plugins, or named in the config."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import pydantic

from mixstore.backend import Backend
from mixstore.errors import ConfigurationError, SettingsError, nearest
from mixstore.extension import ANY_BACKEND, BackendExtension
from mixstore.mixin import Mixin, below, snake_case

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema
    from mixstore.settings import ExtensionSettings


class Candidate(NamedTuple):
    """An extension that a model could use: where it comes from and how near."""

    name: str
    mixin: type
    extension: type[BackendExtension]
    distance: int


class Selection(NamedTuple):
    """The extension of each name that is active, in no particular order yet, with its options, and the names that are
    not, with why.
    """

    active: Mapping[str, Candidate]
    options: Mapping[str, Any]
    inactive: Mapping[str, str]
    found: Sequence[Candidate]


def candidates(model: type, registered: Iterable[type[BackendExtension]], options: Iterable[str]) -> list[Candidate]:
    """Every extension along the MRO, and those registered for a mixin in it or for an option in use."""
    found: list[Candidate] = []
    used = set(options)
    for distance, base in enumerate(model.__mro__):
        found += _own(base, distance)
        found += [Candidate(_name(one, base), base, one, distance) for one in registered if one.extends is base]
    far = len(model.__mro__)
    found += [
        Candidate(_name(one, one), one, one, far)
        for one in registered
        if one.extends is None and used & one.activates_on
    ]
    return found


def _own(base: type, distance: int = 0) -> list[Candidate]:
    members = [member for member in vars(base).values() if _is_extension(member)]
    return [Candidate(_name(member, base), base, member, distance) for member in members]


def _is_extension(member: Any) -> TypeGuard[type[BackendExtension]]:
    return isinstance(member, type) and issubclass(member, BackendExtension)


def _name(extension: type[BackendExtension], mixin: type) -> str:
    if extension.name is not None:
        return extension.name
    own = getattr(extension.extends, "__name__", None) or mixin.__name__
    return snake_case(own)


def select(schema: ModelSchema, backend: Backend, registry: Any) -> Selection:
    """The extensions of a model on a backend. ConfigurationError for names that clash; SettingsError for all settings
    that are wrong.
    """
    settings: ExtensionSettings = registry.extension_settings(backend.config_name)
    if schema.definition.internal:
        settings = settings.model_copy(update={"apply": ()})
    used = {option for spec in schema.fields.values() for option in spec.options}
    own = candidates(schema.model, registry.all_extensions(), used)
    found = [*own, *_applied(schema, settings, registry, own), *_brought(schema, backend)]
    _check_names(schema, found)
    best = best_of(found, backend.extension_names) if backend.runs_extensions else {}
    mistakes = [*_unfit(schema, backend, found, registry), *_wrong_names(backend, settings, registry, best, found)]
    active: dict[str, Candidate] = {}
    options: dict[str, Any] = {}
    brought = backend.brings
    why = "no extension for this backend" if backend.runs_extensions else "the backend runs no extensions"
    nowhere = f"{schema.name} on {backend.backend_name}: {why}"
    inactive = {one.name: nowhere for one in found if one.name not in best}
    for name, one in best.items():
        needless = one.extension.unless and all(one in backend.capabilities for one in one.extension.unless)
        if needless:
            inactive[name] = f"the engine enforces it: {', '.join(str(one.name) for one in one.extension.unless)}"
            continue
        enabled = settings.enable is None or name in (*settings.enable, *settings.apply) or one.extension in brought
        if enabled and name not in settings.disable:
            active[name] = one
        else:
            inactive[name] = "switched off in the config"
    for name, one in active.items():
        options[name], wrong = options_of(registry, backend.config_name, one)
        mistakes += wrong
    if mistakes:
        raise SettingsError(mistakes=mistakes, model=schema.model, backend=backend.backend_name)
    _check_required(schema, backend, own, active, inactive)
    return Selection(active, options, inactive, found)


def best_of(found: Sequence[Candidate], names: Sequence[str]) -> dict[str, Candidate]:
    """The one extension of each name that fits a backend of these names: exact beats any, near beats far."""
    best: dict[str, Candidate] = {}
    ranks = {name: rank for rank, name in enumerate((*names, ANY_BACKEND))}
    fitting = [one for one in found if one.extension.backend_name in ranks]
    for one in sorted(fitting, key=lambda one: (ranks[one.extension.backend_name], one.distance)):
        best.setdefault(one.name, one)
    order = list(dict.fromkeys(one.name for one in found))
    return {name: best[name] for name in order if name in best}


def _check_names(schema: ModelSchema, found: Sequence[Candidate]) -> None:
    """One name is one mixin's: of two mixins that have nothing in common, neither may silently lose to the other."""
    owners: dict[str, type] = {}
    for one in found:
        namesakes = {other.mixin for other in found if other.name == one.name}
        origin = [base for base in one.mixin.__mro__ if base in namesakes][-1]
        other = owners.setdefault(one.name, origin)
        if other is not origin:
            raise ConfigurationError(
                f"{schema.name}: {other.__module__}.{other.__qualname__} and {origin.__module__}.{origin.__qualname__} "
                f"both have an extension called {one.name!r}",
                model=schema.model,
                hint="set `name` on one of them",
            )


# -- what the config says ----------------------------------------------------------------------------------------------


def _applied(
    schema: ModelSchema, settings: ExtensionSettings, registry: Any, own: Sequence[Candidate]
) -> list[Candidate]:
    """The extensions that the config attaches to every model, where they are not attached already."""
    there = {one.extension for one in own}
    far = len(schema.model.__mro__)
    return [
        Candidate(one.name, one.extends or one, one, far)
        for one in registry.all_extensions()
        if one.name in settings.apply and one not in there
    ]


def _brought(schema: ModelSchema, backend: Backend) -> list[Candidate]:
    """The extensions that the backend itself has for every model but internal ones."""
    far = len(schema.model.__mro__)
    brought = () if schema.definition.internal else backend.brings
    return [Candidate(_name(one, one), one, one, far) for one in brought]


Mistakes = list[tuple[str, str]]
"""Place and problem, as a SettingsError has them."""


def place_of(registry: Any, config_name: str | None, *key: str) -> str:
    """Where a key of a backend's extensions is set: "mixstore.toml: backends.events.extensions.enable"."""
    return str(registry.settings.where("backends", config_name or "", "extensions", *key))


def _unfit(schema: ModelSchema, backend: Backend, found: Sequence[Candidate], registry: Any) -> Mistakes:
    """What the config applies to a model that lacks the fields it needs."""
    mistakes: Mistakes = []
    for one in found:
        lacking = [name for name in getattr(one.mixin, "__pydantic_fields__", ()) if name not in schema.fields]
        if lacking:
            needs = f"{one.name!r} needs the fields of {one.mixin.__name__}, and {schema.name} has no "
            advice = f"; make {one.mixin.__name__} a base of the models that want it"
            place = place_of(registry, backend.config_name, "apply")
            mistakes.append((place, f"{needs}{', '.join(lacking)}{advice}"))
    return mistakes


def _wrong_names(
    backend: Backend,
    settings: ExtensionSettings,
    registry: Any,
    best: Mapping[str, Candidate],
    found: Sequence[Candidate],
) -> Mistakes:
    """A name that nothing has may belong to a model that is not imported; one that is nearly a known one does not."""
    mistakes: Mistakes = []
    known = {*registry.extensions, *(one.name for one in found)}
    for name in settings.apply:
        if name not in best:
            off = f"no extension {name!r} can run on {backend.backend_name!r}"
            told = off if name in known else _unregistered(name, registry)
            mistakes.append((place_of(registry, backend.config_name, "apply"), told))
    named = {"enable": settings.enable or (), "disable": settings.disable, "options": tuple(settings.options)}
    if known.issuperset(name for names in named.values() for name in names):
        return mistakes
    import difflib  # slow to import, and only such settings need it

    known.update(one.name for one in _of_all_mixins())
    for key, names in named.items():
        for name in names:
            if name not in known and difflib.get_close_matches(name, known, n=1, cutoff=0.75):
                mistakes.append((place_of(registry, backend.config_name, key), unknown(name, known)))
    return mistakes


def _unregistered(name: str, registry: Any) -> str:
    owner = next((one.mixin for one in _of_all_mixins() if one.name == name), None)
    if owner is None:
        return unknown(name, registry.extensions)
    return f"{name!r} is the mixin {owner.__name__}'s own: make that a base of the models that want it"


def unknown(name: str, known: Iterable[str]) -> str:
    """The problem of a name that no extension has."""
    return f"there is no extension {name!r}, {nearest(name, known)}"


def _of_all_mixins() -> Iterator[Candidate]:
    for base in dict.fromkeys(base for one in below(Mixin) for base in one.__mro__):
        yield from _own(base)


def options_of(registry: Any, config_name: str | None, one: Candidate) -> tuple[Any, Mistakes]:
    """The options that the config gives to an extension on the backend of that name, or all that is wrong with them."""
    given = registry.extension_settings(config_name).options.get(one.name, {})
    known = one.extension.Options.model_fields
    try:
        return one.extension.Options(**given), []
    except pydantic.ValidationError as error:
        mistakes: Mistakes = []
        for wrong in error.errors(include_url=False, include_input=False):
            path = [str(part) for part in wrong["loc"]]
            odd = wrong["type"] == "extra_forbidden" and len(path) == 1
            told = (
                f"there is no option {path[0]!r}, {nearest(path[0], known)}"
                if odd
                else str(wrong["msg"]).removeprefix("Value error, ")
            )
            mistakes.append((place_of(registry, config_name, "options", one.name, *path), told))
        return None, mistakes


def _check_required(
    schema: ModelSchema,
    backend: Backend,
    found: Sequence[Candidate],
    active: Mapping[str, Candidate],
    inactive: Mapping[str, str],
) -> None:
    for base, required in schema.declared.required.items():
        names = {one.name for one in found if one.mixin is base} or {snake_case(base.__name__)}
        if not required or names & set(active):
            continue
        off = sorted(name for name in names if inactive.get(name) == "switched off in the config")
        if off:
            raise ConfigurationError(
                f"the config switches {', '.join(off)} off, which {base.__name__} requires on {schema.name}",
                model=schema.model,
                backend=backend.backend_name,
                hint=f"take {base.__name__} from the bases of {schema.name}, or leave its extension on",
            )
        known = sorted({one.extension.backend_name for one in found if one.name in names})
        raise ConfigurationError(
            f"{schema.name} needs {base.__name__}, which has no extension that can run on {backend.backend_name!r}",
            model=schema.model,
            backend=backend.backend_name,
            hint=f"installed for: {', '.join(known) or 'nothing'}; bind to another backend, or install a plugin",
        )
