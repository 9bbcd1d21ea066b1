"""Edges, kept in six orders."""

from __future__ import annotations

from typing import Any, Literal

from mixstore import GSI, Bound, Field, Key, Model, QueryBuilder, QueryError
from mixstore.errors import nearest

Direction = Literal["out", "in", "both"]
DIRECTIONS = ("out", "in", "both")


class Edge(Model):
    """`subject` and `object` are ids of nodes, entity and key as JSON text: nodes of two models never clash.

    The key is the order spo; the indexes are named after the other five. Whatever of an edge is known, one of them has
    all edges like that side by side.
    """

    class Meta:
        entity = "mixstore_edge"
        internal = True
        key = Key(partition="{subject}", sort="{predicate}#{object}")
        indexes = [
            GSI("sop", partition="{subject}", sort="{object}#{predicate}"),
            GSI("pso", partition="{predicate}", sort="{subject}#{object}"),
            GSI("pos", partition="{predicate}", sort="{object}#{subject}"),
            GSI("osp", partition="{object}", sort="{subject}#{predicate}"),
            GSI("ops", partition="{object}", sort="{predicate}#{subject}"),
        ]

    subject: str = Field(min_length=1)
    predicate: str = Field(min_length=1)
    object: str = Field(min_length=1)
    properties: dict[str, Any] = {}


def check_direction(direction: str) -> None:
    """QueryError for a direction that there is not."""
    if direction not in DIRECTIONS:
        raise QueryError(f"a direction is out, in or both, not {direction!r}", hint=nearest(str(direction), DIRECTIONS))


def edges_at(bound: Bound, node: str, predicate: str | None, direction: str) -> QueryBuilder[Edge]:
    """The edges that go out of a node, or come in, with a predicate or any. `bound` is any model of the store."""
    check_direction(direction)
    if direction == "both":
        raise QueryError("one query finds edges of one direction, out or in")
    told = {} if predicate is None else {"predicate": predicate}
    query = bound.backend.query(Edge)
    return query.filter(subject=node, **told) if direction == "out" else query.filter(object=node, **told).using("ops")
