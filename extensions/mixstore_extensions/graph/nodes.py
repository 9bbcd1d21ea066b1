"""Nodes: how edges tell them, and how those that may be seen are read."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from mixstore import Bound, ConfigurationError, jsonable, schema_of
from mixstore.binding import models_of
from mixstore.errors import nearest

Steps = Generator[Any, Any, Any]


def prefix_of(entity: str) -> str:
    """What the id of each node of an entity starts with."""
    return json.dumps([entity])[:-1] + ","


def node_id(bound: Bound, key: tuple[Any, ...]) -> str:
    """Entity and key of a row as text; different keys give different texts."""
    pairs = zip(bound.schema.key_names, key, strict=True)
    parts = [_converted(bound, name, "encode", value) for name, value in pairs]
    return prefix_of(bound.schema.entity) + json.dumps(parts, separators=(",", ":"))[1:]


def entity_and_parts(node: str) -> tuple[str, list[Any]]:
    """What an id is made of: the entity, and the parts of the key as JSON values."""
    entity, *parts = json.loads(node)
    return entity, parts


def key_of(bound: Bound, parts: list[Any]) -> tuple[Any, ...]:
    """The key of a row, of the parts of its id."""
    pairs = zip(bound.schema.key_names, parts, strict=True)
    return tuple([_converted(bound, name, "decode", part) for name, part in pairs])


def _converted(bound: Bound, name: str, way: str, value: Any) -> Any:
    if name in bound.schema.hidden_key:
        return value  # a part of a rendered key is text
    convert = getattr(jsonable(bound.schema.fields[name].type), way)
    return value if convert is None else convert(value)


def models_by_entity(bound: Bound) -> dict[str, type[Any]]:
    """The models of the store."""
    return {schema_of(model).entity: model for model in models_of(bound.backend)}


def loaded(backend: Any, models: Mapping[str, type[Any]], ids: Iterable[str]) -> Steps:
    """{id: instance} of the nodes that are there and may be seen: one read for each model."""
    parts: dict[str, dict[str, list[Any]]] = {}
    for node in ids:
        entity, key = entity_and_parts(node)
        parts.setdefault(entity, {})[node] = key
    found: dict[str, Any] = {}
    for entity, nodes in parts.items():
        if entity not in models:
            raise ConfigurationError(
                f"an edge leads to a {entity}, and no model of that entity is bound to the store",
                hint=f"import it first; {nearest(entity, models)}",
            )
        bound = backend.bound(models[entity])
        keys = [key_of(bound, key) for key in nodes.values()]
        rows = yield bound.engine.compile_get(bound, tuple(keys))
        visible = bound.visible(bound.backend.clock())
        for node, at, row in zip(nodes, keys, rows, strict=True):
            values = None if row is None else bound.stored_values(row)
            if values is not None and visible(values):
                found[node] = bound.load(row, at, bound.after_read(row, values))
    return found
