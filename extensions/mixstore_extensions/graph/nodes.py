"""Nodes: how edges tell them, and how those that may be seen are read."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from mixstore import Bound, ConfigurationError, schema_of
from mixstore.binding import models_of
from mixstore.errors import nearest
from mixstore.write import KeyValue

Steps = Generator[Any, Any, Any]


def prefix_of(entity: str) -> str:
    """What the id of each node of an entity starts with."""
    return json.dumps([entity])[:-1] + ","


def node_id(bound: Bound, key: KeyValue) -> str:
    """Entity and key of a row as text; different keys give different texts."""
    return prefix_of(bound.schema.entity) + bound.schema.key_texts.text(key)[1:]


def entity_and_key(node: str) -> tuple[str, str]:
    """What an id is made of: the entity, and the key as text."""
    entity: str = json.loads(node)[0]
    return entity, "[" + node[len(prefix_of(entity)) :]


def models_by_entity(bound: Bound) -> dict[str, type[Any]]:
    """The models of the store."""
    return {schema_of(model).entity: model for model in models_of(bound.backend)}


def loaded(backend: Any, models: Mapping[str, type[Any]], ids: Iterable[str]) -> Steps:
    """{id: instance} of the nodes that are there and may be seen: one read for each model."""
    texts: dict[str, dict[str, str]] = {}
    for node in ids:
        entity, text = entity_and_key(node)
        texts.setdefault(entity, {})[node] = text
    found: dict[str, Any] = {}
    for entity, nodes in texts.items():
        if entity not in models:
            raise ConfigurationError(
                f"an edge leads to a {entity}, and no model of that entity is bound to the store",
                hint=f"import it first; {nearest(entity, models)}",
            )
        bound = backend.bound(models[entity])
        keys = [bound.schema.key_texts.key(text) for text in nodes.values()]
        rows = yield bound.engine.compile_get(bound, tuple(keys))
        visible = bound.visible(bound.backend.clock())
        for node, at, row in zip(nodes, keys, rows, strict=True):
            values = None if row is None else bound.stored_values(row)
            if values is not None and visible(values):
                found[node] = bound.load(row, at, bound.after_read(row, values))
    return found
