"""Edges of nodes that are deleted, hidden or moved."""

from __future__ import annotations

import pytest

from mixstore import copy
from mixstore.testing import count_requests
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import Edge, TooManyEdgesError, tenant, without_tenant
from mixstore_extensions.graph.removing import AT_ONCE
from tests.extensions.graphs import Hidden, Person, found, people, store

__all__ = ["store"]


def test_a_node_takes_its_edges_along_when_it_is_deleted(store):
    ann, bob, cat = people("abc")
    ann.relate("F", bob)
    bob.relate("F", ann)
    cat.relate("F", ann)
    ann.relate("F", ann)
    bob.relate("F", cat)
    with count_requests() as requests:
        assert ann.delete()
    assert requests.count <= 3 + 2  # the edges at each end, the row where it is read first, one unit
    assert [edge.subject for edge in Person.edges_where(predicate="F")] == ['["Person","b"]']
    Person.create(id="a")
    assert Person.get("a").neighbours(direction="both") == []


def test_a_node_with_more_edges_than_fit_lets_go_of_them_first(store):
    ann = Person.create(id="ann")
    me = '["Person","ann"]'
    store.batch_create(
        Edge, [{"subject": me, "predicate": "F", "object": f'["Person","{n}"]'} for n in range(AT_ONCE + 5)]
    )
    store.batch_create(
        Edge, [{"subject": f'["Person","{n}"]', "predicate": "F", "object": me} for n in range(AT_ONCE + 5)]
    )
    with pytest.raises(TooManyEdgesError, match="detach"):
        Person.where(id="ann").delete()
    assert Person.get("ann") is not None
    assert ann.edges().count() == AT_ONCE + 5
    assert ann.delete()
    assert Person.edges_where(predicate="F").count() == 0
    assert Person.get("ann") is None


def test_a_transaction_refuses_a_node_with_more_edges_than_fit(store):
    ann, bob = people("ab")
    ann.relate("F", bob)
    rows = [{"subject": '["Person","a"]', "predicate": "F", "object": f'["Person","{n}"]'} for n in range(AT_ONCE)]
    store.batch_create(Edge, rows)

    def both():
        with store.transaction():
            bob.delete()
            ann.delete()

    with pytest.raises(TooManyEdgesError):
        both()
    assert ann.edges().count() == AT_ONCE + 1
    assert Person.get("b") is not None


def test_a_row_that_is_purged_takes_its_edges_along_and_one_that_is_only_hidden_keeps_them(store):
    with tenant("a"):
        ann, bob = Hidden.create(id="ann"), Hidden.create(id="bob")
        ann.relate("F", bob)
        bob.delete()
        assert ann.edges().count() == 1
        assert Hidden.purge_deleted() == 1
        assert ann.edges().count() == 0


def test_a_node_that_is_hidden_is_neither_found_nor_passed_through(store):
    clock = store.clock
    with tenant("a"):
        ann, deleted, expired, end = [Hidden.create(id=name) for name in ("ann", "del", "exp", "end")]
        expired.update(expires_in=60)
    with tenant("b"):
        theirs = Hidden.create(id="theirs")
    with without_tenant():
        for middle in (deleted, expired, theirs):
            ann.relate("F", middle)
            middle.relate("F", end)
        assert len(ann.traverse("F", depth=2)) == 4
    with tenant("a"):
        deleted.delete()
        clock.forward(minutes=5)
        assert ann.traverse("F", depth=3) == []
        assert ann.shortest_path(end) is None
        deleted.restore()
        assert found(ann.traverse("F", depth=3)) == [("del", 1), ("end", 2)]


def test_edges_move_along_with_their_nodes(store):
    ann, bob = people("ab")
    ann.relate("F", bob, since=2020)
    with InMemoryBackend() as other:
        copy(Person, store, other)
        Person.bind(other)
        assert Person.get("a").traverse()[0].edge.properties == {"since": 2020}
