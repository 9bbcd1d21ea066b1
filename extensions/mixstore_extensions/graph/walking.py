"""Walks along edges, as generators of plans: one for the driver that waits, and for the one that awaits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mixstore import Bound, Capability, Query, QueryError
from mixstore.pages import walk_rows
from mixstore_extensions.graph.edges import Edge, check_direction, edges_at
from mixstore_extensions.graph.nodes import Steps, loaded, models_by_entity

MOST = 100_000
"""Nodes of one walk: their ids are in memory, so that none is visited twice."""
TOGETHER = 100
"""Nodes that are read at once."""


class Visit(NamedTuple):
    """A node that was reached: how many edges away, and the edge that led to it."""

    node: Any
    depth: int
    edge: Edge


class Walk(NamedTuple):
    """What to follow, and how far. `breadth` is how many edges of a node at most, `limit` how many nodes in all."""

    predicate: str | None
    direction: str
    depth: int
    breadth: int | None = None
    limit: int | None = None

    def checked(self) -> Walk:
        """QueryError for what makes no sense."""
        check_direction(self.direction)
        for name in ("depth", "breadth", "limit"):
            value, least = getattr(self, name), 0 if name == "limit" else 1
            if value is None and name != "depth":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise QueryError(f"{name} is a number from {least} on, not {value!r}")
        return self


class _Search:
    """One walk, in the order of distance: `reached` are the visits by id, `before` whence each was reached."""

    def __init__(self, bound: Bound, start: str, walk: Walk, to: str | None) -> None:
        self.bound = bound
        self.walk = walk
        self.to = to
        self.models = models_by_entity(bound)
        self.seen = {start}
        self.before: dict[str, str] = {}
        self.reached: dict[str, Visit] = {}
        self.level = [start]

    @property
    def done(self) -> bool:
        limit = self.walk.limit
        return (limit is not None and len(self.reached) >= limit) or self.to in self.reached

    def run(self) -> Steps:
        for depth in range(1, self.walk.depth + 1):
            level, self.level = self.level, []
            waiting: dict[str, Edge] = {}
            for node in level:
                for way in ("out", "in") if self.walk.direction == "both" else (self.walk.direction,):
                    yield from self._follow(node, way, depth, waiting)
                    if self.done:
                        return
            yield from self._arrive(waiting, depth)
            if self.done or not self.level:
                return

    def _follow(self, node: str, way: str, depth: int, waiting: dict[str, Edge]) -> Steps:
        """Read the edges of a node, a page at a time, and visit what they lead to."""
        edges = self.bound.backend.bound(Edge)
        asked, state, left = self._query(node, way), None, self.walk.breadth
        while True:
            rows, state = yield from walk_rows(edges, asked, state)
            for edge in edges.load_all(rows if left is None else rows[:left]):
                other = edge.object if way == "out" else edge.subject
                if other not in self.seen:
                    self._see(other, node)
                    waiting[other] = edge
            left = None if left is None else left - len(rows)
            while len(waiting) >= TOGETHER:
                yield from self._arrive({other: waiting.pop(other) for other in list(waiting)[:TOGETHER]}, depth)
            if state is None or self.done or (left is not None and left <= 0):
                return

    def _query(self, node: str, way: str) -> Query:
        found = edges_at(self.bound, node, self.walk.predicate, way)
        if way == "in" and Capability.ORDERED in self.bound.backend.capabilities:
            found = found.order_by("predicate", "subject")  # the order of the index that they are found by
        return found.query.replace(limit=self.walk.breadth)

    def _see(self, node: str, before: str) -> None:
        if len(self.seen) >= MOST:
            raise QueryError(
                f"this walk meets more than {MOST:,} nodes", hint="give it a limit, a breadth or less depth"
            )
        self.seen.add(node)
        self.before[node] = before

    def _arrive(self, waiting: Mapping[str, Edge], depth: int) -> Steps:
        """Read nodes. What is not there, or can't be seen, is no way to others either."""
        nodes = yield from loaded(self.bound.backend, self.models, waiting)
        for other, edge in waiting.items():
            if other in nodes and not self.done:
                self.reached[other] = Visit(nodes[other], depth, edge)
                self.level.append(other)


def traverse(bound: Bound, start: str, walk: Walk) -> Steps:
    """The visits of a walk, each node once; the start is none of them."""
    if walk.checked().limit == 0:
        return []
    search = _Search(bound, start, walk, None)
    yield from search.run()
    return list(search.reached.values())


def shortest_path(bound: Bound, start: tuple[str, Any], to: tuple[str, Any], walk: Walk) -> Steps:
    """The nodes of a way that has the fewest edges, from end to end (each given as id and instance), or None."""
    walk.checked()
    if start[0] == to[0]:
        return [start[1]]
    search = _Search(bound, start[0], walk, to[0])
    yield from search.run()
    if to[0] not in search.reached:
        return None
    path, node = [], to[0]
    while node != start[0]:
        path.append(search.reached[node].node)
        node = search.before[node]
    return [start[1], *reversed(path)]
