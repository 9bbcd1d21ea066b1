"""The nodes that an edge has at its ends, as callers give them."""

from __future__ import annotations

from typing import Any

from mixstore import Bound, Model, QueryError, place_of
from mixstore_extensions.graph.edges import Edge
from mixstore_extensions.graph.nodes import node_id


def node_of(instance: Any) -> tuple[Bound, str]:
    """A row's model in its store, and its id. QueryError for what is no node."""
    if not isinstance(instance, Model) or Edge not in place_of(instance).chain.side_models:
        raise QueryError(f"a node is an instance of a model with Graph, not {type(instance).__name__}")
    bound = place_of(instance)
    key = bound.key_from(vars(instance))
    if key is None:
        raise QueryError(f"this {bound.schema.name} has no key yet, and is no node", model=bound.model)
    return bound, node_id(bound, key)


def ends_of(one: Any, other: Any) -> tuple[Bound, tuple[str, Any], tuple[str, Any]]:
    (bound, first), (place, second) = node_of(one), node_of(other)
    if place.backend is not bound.backend:
        raise QueryError(
            f"a {bound.schema.name} and a {place.schema.name} of two stores have no edge", model=bound.model
        )
    return bound, (first, one), (second, other)


def edge_of(one: Any, predicate: str, other: Any, properties: dict[str, Any]) -> tuple[Bound, dict[str, Any]]:
    bound, (subject, _), (object_, _) = ends_of(one, other)
    told = {"subject": subject, "predicate": predicate, "object": object_, "properties": properties}
    return bound.backend.bound(Edge), told
