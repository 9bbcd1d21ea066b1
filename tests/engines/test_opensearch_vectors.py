"""Vectors on OpenSearch with the k-NN plugin: the cases of the kit by its graphs too, and what only they do."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from mixstore import ConfigurationError, Field, Model, SchemaError, Vector
from mixstore.testing.cases.search_vectors import SearchVectorCases
from mixstore_backends.opensearch import OpenSearchBackend
from tests.engines.engines import Server
from tests.engines.opensearch_store import SETTINGS, ReusedIndexes, store


class Point(Model):
    id: int = Field(primary_key=True)
    name: str = ""
    shelf: int = 0
    at: list[float] | None = Field(None, vector=Vector(dimensions=8))


class TestWithThePlugin(SearchVectorCases):
    """The conformance kit where fields of vectors have graphs."""

    @pytest.fixture
    def backend(self, opensearch_knn: Server) -> Iterator[OpenSearchBackend]:
        with ReusedIndexes(hosts=[opensearch_knn.url], refresh="lazy", settings=SETTINGS, knn=True) as made:
            yield made
            made.empty()


@pytest.fixture
def points(opensearch_knn: Server) -> Iterator[type[Point]]:
    """A thousand points in eight dimensions, of which every tenth has no vector."""
    made = random.Random(7)
    rows = [
        {
            "id": n,
            "name": str(n),
            "shelf": n % 4,
            "at": None if n % 10 == 0 else [made.uniform(-1, 1) for _ in range(8)],
        }
        for n in range(1000)
    ]
    with store(opensearch_knn, prefix="points-", knn=True) as backend:
        Point.bind(backend)
        backend.initialize(Point)
        Point.batch_upsert(rows)
        yield Point
        backend.client.indices.delete(index="points-point-000001")
        Point.bind(None)


def test_a_graph_answers_with_the_filter_and_nearly_as_exactly(points: type[Point]) -> None:
    asked = [0.5, -0.25, 0.125, 1.0, 0.0, -1.0, 0.75, 0.5]
    exact = points.similar(at=asked, k=20).where(shelf=3)
    near = points.similar(at=asked, k=20, approximate=True).where(shelf=3)
    knn = near.explain().request["body"]["query"]["knn"]["at"]
    assert (knn["k"], knn["filter"]) == (20, {"term": {"shelf": 3}})
    assert "may miss" in str(near.explain())
    assert "script" in str(exact.explain())
    found = near.all()
    assert len(found) == 20
    assert {row.shelf for row in found} == {3}
    assert len({row.id for row in found} & {row.id for row in exact}) >= 18
    scores = {row.id: row.meta.score for row in points.similar(at=asked, k=1000)}
    assert [row.meta.score for row in found] == [scores[row.id] for row in found]
    assert [row.meta.score for row in found] == sorted((row.meta.score for row in found), reverse=True)


def test_the_nearest_of_many_come_page_by_page_after_a_filter_that_mixstore_applies(points: type[Point]) -> None:
    asked = [1.0] * 8
    every = {row.id: row.meta.score for row in points.similar(at=asked, k=10_000)}
    assert len(every) == 900
    told = points.similar(at=asked, k=700).where(name__regex="[1-4]$", shelf__in=[0, 1, 2])
    expected = [id for id in every if id % 10 in (1, 2, 3, 4) and id % 4 < 3]
    assert [row.id for row in told] == expected
    assert "name" in told.explain().residual
    assert [row.id for row in told.where(shelf=2).limit(5)] == [id for id in expected if id % 4 == 2][:5]


def test_an_index_without_graphs_is_refused_and_made_anew_by_reindex(opensearch_knn: Server) -> None:
    with store(opensearch_knn, prefix="later-") as plain:
        plain.initialize(Point)
        plain.create(Point, {"id": 1, "at": [1.0] * 8})
        with store(opensearch_knn, prefix="later-", knn=True) as backend:
            with pytest.raises(SchemaError, match="'at' is mapped as"):
                backend.initialize(Point)
            assert any("field at" in str(one) for one in backend.drift(Point))
            assert backend.reindex(Point, keep=False) == 1
            backend.initialize(Point)
            assert backend.drift(Point) == []
            assert backend.query(Point).similar(at=[1.0] * 8, approximate=True).one().id == 1
            backend.client.indices.delete(index="later-point-*")


def test_a_cluster_without_the_plugin_says_so_when_it_is_initialized(opensearch: Server) -> None:
    with store(opensearch, prefix="none-", knn=True) as backend:
        backend.bound(Point)
        with pytest.raises(ConfigurationError, match="k-NN plugin") as caught:
            backend.initialize(Point)
        assert "knn" in str(caught.value)
        assert not backend.client.indices.exists(index="none-point")
