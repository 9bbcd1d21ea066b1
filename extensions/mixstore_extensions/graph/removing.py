"""What happens to edges when their node is deleted, or moved to another store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mixstore import BackendExtension, Capability, ConflictError, Query, SideWrite, WriteContext
from mixstore_extensions.graph.edges import Edge, edges_at
from mixstore_extensions.graph.nodes import node_id, prefix_of

AT_ONCE = 40
"""Edges of each direction that are removed in the same atomic unit as their node: DynamoDB takes 100 writes in one."""


class TooManyEdgesError(ConflictError):
    """A node has more edges than can be removed together with it; nothing was deleted."""


class _Ends(BackendExtension):
    """Removes the edges at one end of a row with the row."""

    requires = (Capability.ATOMIC_WRITES, Capability.SECONDARY_INDEXES)
    way = "out"

    def side_models(self, model_class: type[Any]) -> Iterable[type[Any]]:
        return (Edge,)

    def read_beside(self, operation: str, key: tuple[Any, ...]) -> Query | None:
        if operation != "delete":
            return None
        bound = self.backend.bound(self.model)
        return edges_at(bound, node_id(bound, key), None, self.way).limit(AT_ONCE + 1).query

    def write_beside(self, context: WriteContext, found: Sequence[Mapping[str, Any]]) -> Iterator[SideWrite]:
        if len(found) > AT_ONCE:
            raise TooManyEdgesError(
                f"this {self.schema.name} has more than {AT_ONCE} edges going {self.way}, too many for one atomic unit",
                hint="detach() removes them before; delete() of an instance does so by itself",
            )
        for edge in found:
            if self.way == "out" or edge["subject"] != edge["object"]:  # an edge to itself is found at both ends
                yield SideWrite("delete", Edge.model_construct(**edge))


class Outgoing(_Ends):
    """Those that go out; they are also what moves along with the rows of the model."""

    name = "graph_out"

    def kept_beside(self, model_class: type[Any]) -> Iterable[Query]:
        whole = self.backend.query(Edge).filter(subject__startswith=prefix_of(self.schema.entity))
        return (whole.query,)


class Incoming(_Ends):
    """Those that come in."""

    name = "graph_in"
    way = "in"
