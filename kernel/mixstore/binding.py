"""The moment "bind": which backend a model uses, and the pair compiled, under a lock, once."""

from __future__ import annotations

import threading
from typing import Any

from mixstore.backend import Backend
from mixstore.bound import Bound
from mixstore.chain import compile_chain
from mixstore.errors import ConfigurationError, nearest
from mixstore.registry import Registry
from mixstore.registry import current as current_registry
from mixstore.schema import ModelSchema, schema_of

_lock = threading.RLock()


def bound_of(model: type[Any]) -> Bound:
    """The model on the backend it is bound to; compiled at the first call."""
    cached: tuple[int, type, Bound] | None = model.__mixstore_bound__
    current = current_registry()
    if cached is not None and cached[0] == current.epoch and cached[1] is model:
        return cached[2]
    bound = backend_of(model).bound(model)
    type.__setattr__(model, "__mixstore_bound__", (current.epoch, model, bound))
    return bound


def backend_of(model: type[Any]) -> Backend:
    """The backend of a model: `bind()`, then the config's [models], then Meta.backend, then the default.

    Nearer classes first.
    """
    schema_of(model)
    current = current_registry()
    current.load_plugins()
    for told in _told(model, current):
        if isinstance(told, Backend):
            return told
        if "://" in told or current.has_backend(told):
            try:
                return current.backend(told)
            except ConfigurationError as error:
                place = _place(model, told, current)
                if "://" not in told or not place:
                    raise
                raise ConfigurationError(f"{place}{error.message}", model=model, hint=error.hint) from error
        known = sorted({*current.named, *current.settings.backends})
        raise ConfigurationError(
            f"{_place(model, told, current)}{model.__name__} wants the backend {told!r}, "
            "which is neither configured nor connected",
            model=model,
            hint=f"{nearest(told, known)}; connect(url, name={told!r}) makes one",
        )
    if current.has_backend("default"):
        return current.backend("default")
    raise ConfigurationError(
        f"{model.__name__} is bound to no backend",
        model=model,
        hint=(
            f'{model.__name__}.bind(backend), connect("sqlite:///app.db", name="default"), Meta.backend = "NAME", '
            'or [backends.default] url = "..." in mixstore.toml'
        ),
    )


def _told(model: type[Any], current: Registry) -> list[Any]:
    bases = [base for base in model.__mro__ if "__mixstore_definition__" in vars(base)]
    direct = [
        vars(base)["__mixstore_backend__"] for base in bases if vars(base).get("__mixstore_backend__") is not None
    ]
    config = [current.model_backend(_path(base)) for base in bases]
    meta = schema_of(model).meta.get("backend")
    if meta is not None and not isinstance(meta, str | Backend):
        raise ConfigurationError(
            f"{model.__name__}.Meta.backend must be a name, a URL or a Backend, not {type(meta).__name__}",
            model=model,
        )
    return [*direct, *(one for one in config if one), *([meta] if meta is not None else [])]


def _path(model: type[Any]) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _place(model: type[Any], told: str, current: Registry) -> str:
    """Where the config gives this backend to the model, or to one of its bases; nothing if it is not from there."""
    paths = [_path(base) for base in model.__mro__ if current.model_backend(_path(base)) == told]
    return f"{current.settings.where('models', paths[0])}: " if paths else ""


def bind_pair(model: type[Any], backend: Backend) -> Bound:
    """Compile a model for a backend, once."""
    with _lock:
        found = backend._bounds.get(model)
        if found is not None:
            return found
        _check_entity(schema_of(model), backend)
        bound = backend._bounds[model] = _compiled(model, backend)
        return bound


def bind_copies(model: type[Any], backend: Backend) -> Bound:
    """Compile a model for a backend that keeps copies of rows which another one writes; the caller keeps the result."""
    with _lock:
        return _compiled(model, backend, copies=True)


def _compiled(model: type[Any], backend: Backend, copies: bool = False) -> Bound:
    from mixstore import direct, watching

    schema, current = schema_of(model), current_registry()
    current.load_plugins()
    chain = compile_chain(schema, backend, current, copies)
    bound = Bound(schema, backend, direct.engine_of(backend), chain)
    options = {option for spec in schema.fields.values() for option in spec.options}
    applied = () if schema.definition.internal else current.extension_settings(backend.config_name).apply
    current.add_bound(model, backend.backend_name, options, bound, applied)
    watching.follow(bound)
    return bound


def _check_entity(schema: ModelSchema, backend: Backend) -> None:
    """Two living classes of one entity on one backend would read each other's rows.

    A reloaded module is the same class.
    """
    model = schema.model
    for other in list(backend._bounds):
        if backend._bounds[other].schema.entity != schema.entity:
            continue
        if (other.__module__, other.__qualname__) == (model.__module__, model.__qualname__):
            del backend._bounds[other]
            continue
        raise ConfigurationError(
            f"{model.__module__}.{model.__qualname__} and {other.__module__}.{other.__qualname__} are both the entity "
            f"{schema.entity!r} on {backend.backend_name}",
            model=model,
            hint='give one of them another name: class Meta: entity = "..."',
        )


def models_of(backend: Backend) -> list[type[Any]]:
    """Every concrete model that is bound to this backend, by whichever way."""
    found = dict.fromkeys(backend._bounds)
    for model in current_registry().models:
        try:
            if backend_of(model) is backend:
                found[model] = None
        except ConfigurationError:
            continue  # it has no backend, or one that is not there: not this one
    return list(found)
