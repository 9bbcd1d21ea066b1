"""What an extension says of itself when a model is bound: the answers of its hooks, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mixstore.errors import ConfigurationError, MixstoreError
from mixstore.extension import BackendExtension
from mixstore.mixin import MixstoreMeta
from mixstore.query import Query
from mixstore.registry import current
from mixstore.tracing import TracedStep

if TYPE_CHECKING:
    from mixstore.schema import ModelSchema


def told_by(schema: ModelSchema, extension: BackendExtension, name: str, *args: Any) -> Any:
    """What a hook says when the model is bound; ConfigurationError names extension, hook and model if it fails."""
    own = getattr(type(extension), name) is not getattr(BackendExtension, name)
    hook = TracedStep(extension, name) if own and current().settings.trace else getattr(extension, name)
    try:
        answer = hook(*args)
        return _GIVES[name](answer) if name in _GIVES else answer
    except MixstoreError as error:
        error.model = error.model or schema.model
        error.backend = error.backend or extension.backend.backend_name
        error.hook = error.hook or f"{type(extension).__qualname__}.{name}"
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{type(extension).__qualname__}.{name} failed on {schema.name}: {type(error).__name__}: {error}",
            model=schema.model,
            backend=extension.backend.backend_name,
        ) from error


def _by_field(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise TypeError(f"it must give a dict by field, not {type(answer).__name__}")
    return answer


def _groups(answer: Any) -> tuple[tuple[str, ...], ...]:
    groups = (answer,) if isinstance(answer, str) else tuple(answer)
    if not all(isinstance(one, (tuple, list)) and one for one in groups):
        raise TypeError('it must give tuples of fields, as [("email",), ("tenant", "name")]')
    return tuple(tuple(one) for one in groups)


def _models(answer: Any) -> tuple[type[Any], ...]:
    models = tuple(answer)
    for one in models:
        if not isinstance(one, MixstoreMeta):
            raise TypeError(f"it must give models, not {one!r}")
    return models


def _queries(answer: Any) -> tuple[Query, ...]:
    queries = tuple(answer) if not isinstance(answer, Query) else (answer,)
    for one in queries:
        if not isinstance(one, Query):
            raise TypeError(f"it must give queries (`builder.query`), not {one!r}")
    return queries


_GIVES: Mapping[str, Callable[[Any], Any]] = {
    "opaque": _by_field,
    "derived": _by_field,
    "enforces": _groups,
    "kept_beside": _queries,
    "side_models": _models,
}
"""What the answer of a hook must be; TypeError if it is not."""
