"""Walks find what a walk over a plain dict of edges finds, whatever edges there are and were."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import Field, Model
from mixstore.registry import registry
from mixstore_extensions import Graph
from tests.backends.conftest import BACKENDS, dynamodb
from tests.backends.shared.support import examples

KINDS: dict[str, Any] = {
    "memory": (BACKENDS["memory"], 60),
    "sqlite": (BACKENDS["sqlite-memory"], 40),
    "dynamodb": (dynamodb, 6),
}
NAMES = "abcdef"
PREDICATES = ("F", "L")
EDGES = st.tuples(st.sampled_from(NAMES), st.sampled_from(PREDICATES), st.sampled_from(NAMES))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), EDGES, st.integers(0, 3)),
        st.tuples(st.just("add"), EDGES, st.integers(0, 3)),
        st.tuples(st.just("remove"), EDGES, st.none()),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
    ),
    min_size=3,
    max_size=20,
)
WALKS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from([None, *PREDICATES]),
    st.sampled_from(["out", "in", "both"]),
    st.integers(1, 4),
)


class Node(Graph, Model):
    id: str = Field(primary_key=True)


class Reference:
    """A dict of edges, walked level by level."""

    def __init__(self) -> None:
        self.edges: dict[tuple[str, str, str], int] = {}

    def apply(self, step: tuple[str, Any, Any]) -> None:
        kind, what, value = step
        if kind == "add":
            self.edges[what] = value
        elif kind == "remove":
            self.edges.pop(what, None)
        else:
            self.edges = {edge: kept for edge, kept in self.edges.items() if what not in (edge[0], edge[2])}

    def beside(self, node: str, predicate: str | None, direction: str) -> set[str]:
        told = [edge for edge in self.edges if predicate in (None, edge[1])]
        out = {edge[2] for edge in told if edge[0] == node} if direction != "in" else set()
        into = {edge[0] for edge in told if edge[2] == node} if direction != "out" else set()
        return out | into

    def distances(self, start: str, predicate: str | None, direction: str, depth: int) -> dict[str, int]:
        found, level = {start: 0}, {start}
        for distance in range(1, depth + 1):
            level = {other for node in level for other in self.beside(node, predicate, direction)} - found.keys()
            found.update(dict.fromkeys(level, distance))
        return found


def apply(step):
    kind, what, value = step
    if kind == "delete":
        Node.get(what).delete()
        Node.create(id=what)
        return
    one, other = Node.get(what[0]), Node.get(what[2])
    if kind == "add":
        one.relate(what[1], other, weight=value)
    else:
        one.unrelate(what[1], other)


@pytest.mark.parametrize("kind", KINDS)
def test_walks_agree_with_a_dict_of_edges(kind, request):
    make, times = KINDS[kind]
    with registry(), make(request) as backend:
        Node.bind(backend)
        backend.initialize(Node)

        @examples(times)
        @given(STEPS, st.lists(WALKS, min_size=1, max_size=4))
        def check(steps, walks):
            reference = Reference()
            for name in NAMES:
                Node.upsert(id=name).detach()
            for step in steps:
                reference.apply(step)
                apply(step)
            kept = {(edge.subject[9:-2], edge.predicate, edge.object[9:-2]): edge for edge in edges()}
            assert {name: edge.properties["weight"] for name, edge in kept.items()} == reference.edges
            for start, predicate, direction, depth in walks:
                agrees(reference, start, predicate, direction, depth)

        check()
        Node.bind(None)


def edges():
    return [edge for name in NAMES for edge in Node.get(name).edges()]


def agrees(reference, start, predicate, direction, depth):
    node = Node.get(start)
    wanted = reference.distances(start, predicate, direction, depth)
    visits = node.traverse(predicate, direction=direction, depth=depth)
    assert {start: 0, **{one.node.id: one.depth for one in visits}} == wanted
    assert len(visits) == len(wanted) - 1
    for name in NAMES:
        path = node.shortest_path(Node.get(name), predicate, direction=direction, depth=depth)
        assert (path is not None) == (name in wanted)
        if path is not None:
            told = [one.id for one in path]
            assert (told[0], told[-1], len(told) - 1) == (start, name, wanted[name])
            for one, other in pairwise(told):
                assert other in reference.beside(one, predicate, direction)
