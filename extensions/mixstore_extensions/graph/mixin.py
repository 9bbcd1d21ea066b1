"""`Graph`: relate rows, and find them along their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixstore import (
    Declaration,
    Mixin,
    QueryBuilder,
    bound_of,
    lifecycle,
)
from mixstore_extensions.graph.edges import Direction, Edge, edges_at
from mixstore_extensions.graph.ends import edge_of, ends_of, node_of
from mixstore_extensions.graph.removing import Incoming, Outgoing, TooManyEdgesError
from mixstore_extensions.graph.walking import Visit, Walk, shortest_path, traverse

if TYPE_CHECKING:
    pass


class Graph(Mixin):
    """Rows are nodes: `ann.relate("FRIENDS_WITH", bob, since=2020)`, then `ann.neighbours("FRIENDS_WITH")`.

    Edges lie in the same store as the rows, one row each. Nodes may be of any models with `Graph` there. What an edge
    leads to and is not there, or is hidden, is neither found nor passed through.
    """

    # required: on a backend that runs no extension, edges would outlive their nodes
    Declares = Declaration(required=True)

    Outgoing = Outgoing
    Incoming = Incoming

    def relate(self, predicate: str, other: Any, /, **properties: Any) -> Edge:
        """Add an edge to another node, or replace the properties (JSON values) of the one that is there."""
        edges, data = edge_of(self, predicate, other, properties)
        return edges.run("upsert", lifecycle.upsert(edges, data))  # type: ignore[no-any-return]

    async def arelate(self, predicate: str, other: Any, /, **properties: Any) -> Edge:
        """`relate()`, awaited."""
        edges, data = edge_of(self, predicate, other, properties)
        return await edges.arun("upsert", lifecycle.upsert(edges, data))  # type: ignore[no-any-return]

    def unrelate(self, predicate: str, other: Any, /) -> bool:
        """Remove the edge to another node; False if there is none."""
        edges, data = edge_of(self, predicate, other, {})
        return bool(edges.run("delete", lifecycle.delete(edges, Edge(**data), None)))

    async def aunrelate(self, predicate: str, other: Any, /) -> bool:
        """`unrelate()`, awaited."""
        edges, data = edge_of(self, predicate, other, {})
        return bool(await edges.arun("delete", lifecycle.delete(edges, Edge(**data), None)))

    def edges(self, predicate: str | None = None, /, *, direction: Direction = "out") -> QueryBuilder[Edge]:
        """A query for the edges of this node, out or in: `ann.edges("LIKES").filter(...)`, `.explain()`."""
        bound, node = node_of(self)
        return edges_at(bound, node, predicate, direction)

    @classmethod
    def edges_where(cls, **known: Any) -> QueryBuilder[Edge]:
        """A query for all edges of the store of which this is known: subject and object (nodes), predicate."""
        told = {name: node_of(value)[1] if isinstance(value, Graph) else value for name, value in known.items()}
        return bound_of(cls).backend.query(Edge).filter(**told)

    def traverse(
        self,
        predicate: str | None = None,
        /,
        *,
        direction: Direction = "out",
        depth: int = 1,
        breadth: int | None = None,
        limit: int | None = None,
    ) -> list[Visit]:
        """The nodes that are up to `depth` edges away, the nearest first, each once: `(node, depth, edge)`."""
        walk = Walk(predicate, direction, depth, breadth, limit)
        bound, node = node_of(self)
        return bound.run("traverse", traverse(bound, node, walk))  # type: ignore[no-any-return]

    async def atraverse(
        self,
        predicate: str | None = None,
        /,
        *,
        direction: Direction = "out",
        depth: int = 1,
        breadth: int | None = None,
        limit: int | None = None,
    ) -> list[Visit]:
        """`traverse()`, awaited."""
        walk = Walk(predicate, direction, depth, breadth, limit)
        bound, node = node_of(self)
        return await bound.arun("traverse", traverse(bound, node, walk))  # type: ignore[no-any-return]

    def neighbours(
        self, predicate: str | None = None, /, *, direction: Direction = "out", limit: int | None = None
    ) -> list[Any]:
        """The nodes that are one edge away."""
        return [one.node for one in self.traverse(predicate, direction=direction, limit=limit)]

    async def aneighbours(
        self, predicate: str | None = None, /, *, direction: Direction = "out", limit: int | None = None
    ) -> list[Any]:
        """`neighbours()`, awaited."""
        return [one.node for one in await self.atraverse(predicate, direction=direction, limit=limit)]

    def shortest_path(
        self, to: Any, predicate: str | None = None, /, *, direction: Direction = "out", depth: int = 6
    ) -> list[Any] | None:
        """The nodes from this one to another, both included, by the fewest edges; None if there is no way so short."""
        bound, here, there = ends_of(self, to)
        steps = shortest_path(bound, here, there, Walk(predicate, direction, depth))
        return bound.run("traverse", steps)  # type: ignore[no-any-return]

    async def ashortest_path(
        self, to: Any, predicate: str | None = None, /, *, direction: Direction = "out", depth: int = 6
    ) -> list[Any] | None:
        """`shortest_path()`, awaited."""
        bound, here, there = ends_of(self, to)
        steps = shortest_path(bound, here, there, Walk(predicate, direction, depth))
        return await bound.arun("traverse", steps)  # type: ignore[no-any-return]

    def detach(self) -> int:
        """Remove all edges of this node, one by one, however many; returns how many there were."""
        return sum(self.edges(direction=way).delete() for way in ("out", "in"))

    async def adetach(self) -> int:
        """`detach()`, awaited."""
        return sum([await self.edges(direction=way).adelete() for way in ("out", "in")])

    def delete(self) -> bool:
        """Delete the row and its edges, all at once; if those are too many for that, they are removed before."""
        try:
            return super().delete()  # type: ignore[misc,no-any-return]
        except TooManyEdgesError:
            self.detach()
        return super().delete()  # type: ignore[misc,no-any-return]

    async def adelete(self) -> bool:
        """`delete()`, awaited."""
        try:
            return await super().adelete()  # type: ignore[misc,no-any-return]
        except TooManyEdgesError:
            await self.adetach()
        return await super().adelete()  # type: ignore[misc,no-any-return]
