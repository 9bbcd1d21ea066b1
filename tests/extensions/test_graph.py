"""`Graph`: edges between rows, and what is found along them, on every backend that can keep them."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import combinations

import pytest

from mixstore import ConflictError, QueryError, ValidationError
from mixstore.registry import registry
from mixstore.testing import assert_no_scan, count_requests
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import Edge, TooManyEdgesError
from mixstore_extensions.graph.walking import TOGETHER
from tests.backends.conftest import dynamodb
from tests.extensions.graphs import Band, Concert, Dated, Person, found, ids, people, store

__all__ = ["store"]


# -- edges


def test_an_edge_is_found_from_both_ends(store):
    ann, bob = people("ab")
    ann.relate("FRIENDS_WITH", bob, since=2020)
    assert ann.neighbours("FRIENDS_WITH") == [bob]
    assert bob.neighbours("FRIENDS_WITH") == []
    assert bob.neighbours("FRIENDS_WITH", direction="in") == [ann]
    assert bob.neighbours(direction="both") == [ann]
    (edge,) = ann.edges("FRIENDS_WITH")
    assert edge.properties == {"since": 2020}
    (visit,) = ann.traverse()
    assert (visit.node, visit.depth, visit.edge) == (bob, 1, edge)


def test_an_edge_that_is_added_twice_is_one_with_the_later_properties(store):
    ann, bob = people("ab")
    ann.relate("KNOWS", bob, since=2020)
    ann.relate("KNOWS", bob, since=2021, well=True)
    assert [edge.properties for edge in ann.edges()] == [{"since": 2021, "well": True}]


def test_predicates_and_directions_are_kept_apart(store):
    ann, bob, cat = people("abc")
    ann.relate("KNOWS", bob)
    ann.relate("KNOWS_OF", cat)
    bob.relate("KNOWS", ann)
    assert ids(ann.neighbours("KNOWS")) == ["b"]
    assert ids(ann.neighbours()) == ["b", "c"]
    assert ids(ann.neighbours("KNOWS", direction="in")) == ["b"]
    assert ids(ann.neighbours("KNOW")) == []


def test_predicates_and_keys_may_hold_what_separates_them(store):
    one, two, three = people(["x#y", 'z",["', "x"])
    one.relate("A#B", two)
    three.relate("A", two)
    assert ids(one.neighbours("A#B")) == ['z",["']
    assert one.neighbours("A") == []
    assert ids(two.neighbours("A", direction="in")) == ["x"]


def test_nodes_of_two_models_with_one_key_are_two_nodes(store):
    ann, band = Person.create(id="a"), Band.create(id="a")
    ann.relate("LIKES", band)
    assert ann.neighbours() == [band]
    assert band.neighbours() == []
    assert ann.neighbours(direction="in") == []


def test_keys_of_every_shape_are_nodes(store):
    concert = Concert.create(place="Wien", day=date(2025, 6, 1))
    dated = Dated.create(day=date(2025, 6, 1), number=7)
    (ann,) = people("a")
    ann.relate("WENT_TO", concert)
    concert.relate("ON", dated)
    assert [one.node for one in ann.traverse(depth=2)] == [concert, dated]
    assert dated.neighbours(direction="in") == [concert]


def test_unrelate_removes_one_edge_and_says_whether_it_was_there(store):
    ann, bob = people("ab")
    ann.relate("KNOWS", bob)
    ann.relate("LIKES", bob)
    assert ann.unrelate("KNOWS", bob)
    assert not ann.unrelate("KNOWS", bob)
    assert [edge.predicate for edge in ann.edges()] == ["LIKES"]


def test_edges_of_a_transaction_are_stored_together_or_not_at_all(store):
    ann, bob, cat = people("abc")
    with store.transaction():
        ann.relate("KNOWS", bob)
        bob.relate("KNOWS", cat)
    assert ids([one.node for one in ann.traverse(depth=2)]) == ["b", "c"]

    def half():
        with store.transaction():
            cat.relate("KNOWS", ann)
            cat.relate("", bob)

    with pytest.raises(ValidationError):
        half()
    assert cat.neighbours() == []


PARTS = ("subject", "predicate", "object")


@pytest.mark.parametrize("known", [some for size in (1, 2, 3) for some in combinations(PARTS, size)], ids="+".join)
def test_whatever_is_known_of_an_edge_it_is_found_without_a_scan(store, known):
    ann, bob, cat = people("abc")
    edges = [(ann, "KNOWS", bob), (ann, "LIKES", cat), (ann, "LIKES", bob), (cat, "LIKES", bob), (cat, "KNOWS", ann)]
    for one, predicate, other in edges:
        one.relate(predicate, other)
    asked = dict(zip(PARTS, (ann, "LIKES", bob), strict=True))
    wanted = [edge for edge in edges if all(edge[PARTS.index(name)] == asked[name] for name in known)]
    with assert_no_scan():
        rows = Person.edges_where(**{name: asked[name] for name in known}).all()
    told = sorted((one.subject, one.predicate, one.object) for one in rows)
    assert told == sorted((f'["Person","{a.id}"]', predicate, f'["Person","{b.id}"]') for a, predicate, b in wanted)
    assert wanted


# -- walks


def test_cycles_end_and_each_node_is_found_once_the_nearest_first(store):
    a, b, c, d = people("abcd")
    for one, other in ((a, b), (b, c), (c, a), (c, d), (a, a), (a, c), (d, b)):
        one.relate("F", other)
    assert found(a.traverse("F", depth=9)) == [("b", 1), ("c", 1), ("d", 2)]
    assert found(a.traverse("F", depth=1)) == [("b", 1), ("c", 1)]
    assert found(d.traverse("F", depth=3)) == [("b", 1), ("c", 2), ("a", 3)]


def test_breadth_limits_the_edges_of_each_node_and_limit_the_nodes_of_all(store):
    hub, *others = people("hijkl")
    for one in others:
        hub.relate("F", one)
        one.relate("F", hub)
    assert found(hub.traverse("F", breadth=2)) == [("i", 1), ("j", 1)]
    assert found(hub.traverse("F", direction="in", breadth=2)) == [("i", 1), ("j", 1)]
    assert len(hub.traverse("F", limit=3)) == len(hub.neighbours(limit=3)) == 3
    assert hub.traverse("F", limit=0) == []


def test_the_shortest_path_has_both_ends(store):
    a, b, c, d, e = people("abcde")
    for one, other in ((a, b), (b, c), (c, d), (a, c), (e, d)):
        one.relate("F", other)
    assert ids(a.shortest_path(d)) == ["a", "c", "d"]
    assert ids(d.shortest_path(a, "F", direction="in")) == ["d", "c", "a"]
    assert ids(a.shortest_path(e, direction="both")) == ["a", "c", "d", "e"]
    assert a.shortest_path(a) == [a]
    assert a.shortest_path(e) is None
    assert a.shortest_path(d, depth=1) is None
    assert a.shortest_path(d, "G") is None


async def test_every_verb_has_a_twin_that_is_awaited(store):
    ann, bob, cat = people("abc")
    await ann.arelate("F", bob, since=1)
    await bob.arelate("F", cat)
    assert found(await ann.atraverse("F", depth=2)) == [("b", 1), ("c", 2)]
    assert await cat.aneighbours(direction="in") == [bob]
    assert await ann.ashortest_path(cat) == [ann, bob, cat]
    assert await bob.aunrelate("F", cat)
    assert await ann.adetach() == 1
    ann.relate("F", bob)
    assert await bob.adelete()
    assert ann.edges().count() == 0


def test_a_walk_asks_by_keys_only_and_once_a_node(store):
    hub, *others = people("hijkl")
    for one in others:
        hub.relate("F", one)
    with assert_no_scan(), count_requests() as requests:
        assert len(hub.traverse("F", depth=2, direction="out")) == 4
    queries = 1 + len(others)  # the edges of each node; others' have none
    assert requests.count == queries + 1  # and one read of the nodes found
    with assert_no_scan():
        others[0].traverse(depth=2, direction="both")
        others[0].shortest_path(others[1], direction="both")


def test_dynamodb_is_asked_by_query_once_a_node_and_never_scanned(request, monkeypatch):
    with registry(), dynamodb(request) as made:
        Person.bind(made)
        made.initialize(Person)
        hub, *others = people("hijkl")
        for one in others:
            hub.relate("F", one)
        client, asked = request.getfixturevalue("dynamodb_client"), []
        send = client._make_api_call

        def told(operation, *args):
            asked.append(operation)
            return send(operation, *args)

        monkeypatch.setattr(client, "_make_api_call", told)
        assert len(hub.traverse("F", depth=2)) == 4
        assert Counter(asked) == {"Query": 5, "BatchGetItem": 1}
        asked.clear()
        assert others[0].neighbours(direction="in") == [hub]
        assert Counter(asked)["Query"] == 1
        assert "Scan" not in asked
        Person.bind(None)


def test_explain_tells_the_order_that_finds_the_edges(store):
    (ann,) = people("a")
    for way, order in (("out", "spo"), ("in", "ops")):
        told = ann.edges("F", direction=way).explain()
        assert "scan" not in told.operation.lower()
        assert "reads the whole table" not in str(told)
        assert order == "spo" or order in str(told.index)


def test_more_nodes_than_are_read_at_once_are_found(store):
    if store.backend_name == "dynamodb":
        pytest.skip("moto takes long for many rows, which are the same pages")
    hub = Person.create(id="hub")
    Person.batch_create([{"id": f"n{n:04d}"} for n in range(3 * TOGETHER + 7)])
    edges = [
        {"subject": '["Person","hub"]', "predicate": "F", "object": f'["Person","n{n:04d}"]'}
        for n in range(3 * TOGETHER + 7)
    ]
    store.batch_create(Edge, edges)
    assert len(hub.neighbours("F")) == len(set(ids(hub.neighbours("F")))) == 3 * TOGETHER + 7
    assert len(hub.traverse("F", limit=TOGETHER + 1)) == TOGETHER + 1


# -- what can't be


def test_what_makes_no_sense_is_one_error(store):
    ann, bob = people("ab")
    with pytest.raises(QueryError, match="did you mean 'out'"):
        ann.traverse(direction="outt")
    with pytest.raises(QueryError, match="depth is a number from 1 on"):
        ann.traverse(depth=0)
    with pytest.raises(QueryError, match="breadth"):
        ann.traverse(breadth=True)
    with pytest.raises(QueryError, match="one direction"):
        ann.edges(direction="both")
    with pytest.raises(QueryError, match="instance of a model with Graph, not str"):
        ann.relate("F", "bob")
    with pytest.raises(ValidationError):
        ann.relate("", bob)
    with pytest.raises(ValidationError):
        ann.relate("F", bob, since=object())


def test_nodes_of_two_stores_have_no_edge(store):
    (ann,) = people("a")
    with InMemoryBackend() as other:
        Band.bind(other)
        band = Band.create(id="x")
        with pytest.raises(QueryError, match="two stores"):
            ann.relate("LIKES", band)


def test_too_many_edges_is_a_conflict():
    assert issubclass(TooManyEdgesError, ConflictError)
