"""Rows by how near their vectors are, alone and together with words. Scores are the same numbers on every backend."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixstore
from mixstore import (
    Backend,
    Capability,
    Field,
    Model,
    Q,
    QueryError,
    Terms,
    UnsupportedOperationError,
    ValidationError,
    Vector,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.mixins import Hideable
from mixstore.testing.support import Use, awaited, examples, ids, paged
from mixstore.testing.tags import EXTENSIONS, missing, needs

vectors = needs(Capability.VECTORS)
hybrid = needs(Capability.VECTORS, Capability.FULL_TEXT)


class Star(Model):
    """A row with a vector of each similarity."""

    id: str = Field(primary_key=True)
    name: str = Field("", searchable=True)
    shelf: int = 0
    way: list[float] | None = Field(None, vector=Vector(dimensions=2))
    spot: tuple[float, ...] | None = Field(None, vector=Vector(dimensions=2, similarity="euclidean"))
    traits: list[float] = Field([0.0, 0.0, 0.0], vector=Vector(dimensions=3, similarity="dot"))


class Spark(Hideable, Model):
    """A row with a vector that may be hidden."""

    id: str = Field(primary_key=True)
    way: list[float] = Field(vector=Vector(dimensions=2))


NUMBERS = st.floats(-1000, 1000, width=32) | st.integers(-3, 3).map(float)
SPOTS = st.lists(st.lists(NUMBERS, min_size=2, max_size=2), max_size=8)
EVERY_END: dict[str, Any] = {
    "all": lambda query: query.all(),
    "first": lambda query: query.first(),
    "count": lambda query: query.count(),
    "exists": lambda query: query.exists(),
    "paginate": lambda query: query.paginate(),
    "explain": lambda query: query.explain(),
    "delete": lambda query: query.delete(),
    "iteration": list,
}


def told(rows: Any) -> list[tuple[Any, float]]:
    """The id and the score of each row."""
    return [(row.id, row.meta.score) for row in rows]


class SearchVectorCases(Conformance):
    """`similar()`: the nearest of the rows that the filter leaves."""

    @pytest.fixture
    def stars(self, use: Use) -> Any:
        """Five stars, of which d has no vector that may be missing."""
        use(Star)
        rows: list[dict[str, Any]] = [
            {"id": "a", "name": "red giant", "shelf": 1, "way": [1, 0], "spot": [0, 0], "traits": [1, 2, 0]},
            {"id": "b", "name": "red dwarf", "shelf": 1, "way": [3, 4], "spot": [3, 4], "traits": [-1, 0, 1]},
            {"id": "c", "name": "white dwarf", "shelf": 2, "way": [0, 2], "spot": [0, 1], "traits": [0, 0, 0.5]},
            {"id": "d", "name": "red hole", "shelf": 2},
            {"id": "e", "name": "blue giant", "shelf": 3, "way": [-5, 0], "spot": [0, -1], "traits": [0, 3, 0]},
        ]
        Star.batch_create(rows)
        return Star

    @vectors
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"way": [2, 0]}, [("a", 1.0), ("b", 0.8), ("c", 0.5), ("e", 0.0)]),
            ({"way": (0, -0.5)}, [("a", 0.5), ("e", 0.5), ("b", 0.1), ("c", 0.0)]),
            ({"spot": [0, 0]}, [("a", 1.0), ("c", 0.5), ("e", 0.5), ("b", 1 / 26)]),
            ({"spot": [3, 2]}, [("b", 0.2), ("c", 1 / 11), ("a", 1 / 14), ("e", 1 / 19)]),
            ({"traits": [1, 1, 0]}, [("a", 4.0), ("e", 4.0), ("c", 1.0), ("d", 1.0), ("b", 0.5)]),
            ({"traits": [0, 0, 0]}, [(one, 1.0) for one in "abcde"]),
        ],
    )
    def test_the_nearest_come_first_with_their_scores_and_equal_ones_by_their_keys(
        self, stars: Any, asked: Any, expected: Any
    ) -> None:
        found = told(stars.similar(**asked))
        assert [id for id, _ in found] == [id for id, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-15)
        assert told(stars.similar(k=2, **asked)) == found[:2]
        assert mixstore.hit_of(stars.similar(k=1, **asked).one()).score == found[0][1]

    @vectors
    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (Q(shelf=2), "c"),
            (Q(shelf__gt=1), "ce"),
            (Q(id="e") | Q(id="d"), "e"),
            (Q(name__regex="[rw].* d"), "bc"),
            (Q(name__icontains="GIANT", shelf__gt=1), "e"),
            (~Q(name__icontains="GIANT"), "bc"),
            (Q(way__isnull=True), ""),
            (Q(way__isnull=False, spot=(0, 1)), "c"),
        ],
    )
    def test_a_filter_applies_before_the_nearest_are_taken(self, stars: Any, condition: Q, expected: str) -> None:
        assert ids(stars.similar(way=[1, 0], k=2).where(condition).all()) == list(expected)
        assert ids(stars.where(condition).similar(way=[1, 0], k=2).all()) == list(expected)
        assert stars.where(condition).similar(way=[1, 0], k=2).count() == len(expected)

    @vectors
    def test_what_else_a_query_says_is_about_the_nearest(self, stars: Any) -> None:
        asked = stars.similar(way=[1, 0], k=3)
        assert ids(asked.order_by("-name").all()) == list("cab")
        assert ids(asked.order_by("score").all()) == list("cba")
        assert ids(asked.order_by("shelf", "-score").limit(2).all()) == list("ab")
        assert ids(asked.order_by("-id").offset(1).limit(1).all()) == ["b"]
        assert ids(asked.limit(2).all()) == list("ab")
        assert (asked.count(), asked.limit(2).count(), asked.offset(2).count(), asked.limit(0).count()) == (3, 2, 1, 0)
        assert (asked.first().id, asked.last().id) == ("a", "c")
        assert (asked.order_by("-id").first().id, asked.order_by("-id").last().id) == ("c", "a")
        assert asked.exists() is True
        assert stars.where(id="d").similar(way=[1, 0]).exists() is False
        assert asked.select("id", "shelf").all() == [
            {"id": "a", "shelf": 1},
            {"id": "b", "shelf": 1},
            {"id": "c", "shelf": 2},
        ]
        assert ids(list(asked)) == list("abc")
        assert asked.aggregate(by_shelf=Terms("shelf"))["by_shelf"] == [mixstore.Bucket(1, 2), mixstore.Bucket(2, 1)]

    @vectors
    @pytest.mark.parametrize("order", [(), ("-score",), ("score",), ("-shelf",), ("shelf", "-score")])
    def test_pages_of_the_nearest_are_those_of_all_of_them(self, stars: Any, order: tuple[str, ...]) -> None:
        asked = stars.similar(traits=[1, 1, 0], k=4).order_by(*order)
        assert paged(asked, 1) == paged(asked, 3) == ids(asked.all())
        cursor = asked.limit(1).paginate().cursor
        with pytest.raises(mixstore.InvalidCursorError):
            stars.similar(traits=[1, 1, 1], k=4).order_by(*order).limit(1).cursor(cursor).paginate()

    @vectors
    def test_vectors_are_stored_as_they_are_and_changes_are_seen(self, stars: Any) -> None:
        row = stars.get("b")
        assert (row.way, row.spot, row.traits) == ([3.0, 4.0], (3.0, 4.0), [-1.0, 0.0, 1.0])
        row.way = [-0.1, 0.01]
        row.save()
        assert ids(stars.similar(way=[-1, 0], k=2).all()) == ["e", "b"]
        row.update(way=None)
        assert ids(stars.similar(way=[-1, 0], k=2).all()) == ["e", "c"]
        stars.get("e").delete()
        assert ids(stars.similar(way=[-1, 0], k=2).all()) == ["c", "a"]

    @vectors
    def test_writes_by_query_reach_the_nearest_only(self, stars: Any) -> None:
        assert stars.similar(way=[1, 0], k=2).update(shelf=9) == 2
        assert ids(stars.where(shelf=9).order_by("id").all()) == list("ab")
        assert stars.similar(way=[1, 0], k=1).where(shelf__lt=9).delete() == 1
        assert ids(stars.where().order_by("id").all()) == list("abde")
        with pytest.raises(QueryError, match="similar"):
            stars.similar(way=[1, 0]).update_one(stars.get("a"), shelf=1)

    @needs(Capability.VECTORS, EXTENSIONS)
    def test_rows_that_are_hidden_are_not_among_the_nearest(self, use: Use) -> None:
        use(Spark)
        Spark.batch_create([{"id": str(n), "way": [1, n]} for n in range(4)])
        Spark.get("0").delete()
        asked = Spark.similar(way=[1, 0], k=2)
        assert ids(asked.all()) == ["1", "2"]
        assert ids(asked.include_hidden().all()) == ["0", "1"]

    @vectors
    @awaited
    async def test_the_nearest_can_be_awaited(self, stars: Any) -> None:
        asked = stars.similar(way=[1, 0], k=2)
        assert ids(await asked.aall()) == list("ab")
        assert await asked.acount() == 2
        assert [row.id async for row in asked] == list("ab")

    @vectors
    def test_approximate_answers_are_rows_of_the_filter_with_exact_scores(self, stars: Any) -> None:
        """Of so few rows an index finds all."""
        for asked in ({"way": [1, 0.5]}, {"spot": [1, 1]}, {"traits": [1, 1, 1]}):
            exact, near = stars.similar(**asked), stars.similar(approximate=True, **asked)
            assert told(near) == told(exact)
            assert told(near.where(shelf__lt=3)) == told(exact.where(shelf__lt=3))
            assert told(near.where(name__regex="dw")) == told(exact.where(name__regex="dw"))

    @vectors
    @examples(30)
    @given(spots=SPOTS, asked=st.lists(NUMBERS, min_size=2, max_size=2), k=st.integers(1, 9))
    def test_scores_are_those_of_the_reference(
        self, use: Use, spots: list[list[float]], asked: list[float], k: int
    ) -> None:
        use(Star)
        Star.where().delete()
        rows = [
            {"id": str(n), "spot": spot, "traits": [*spot, 1.0], "way": spot if math.hypot(*spot) > 0.01 else None}
            for n, spot in enumerate(spots)
        ]
        Star.batch_create(rows)
        reference = mixstore.connect("memory://")
        reference.batch_create(Star, rows)
        questions: list[dict[str, Any]] = [{"spot": asked}, {"traits": [*asked, -1.0]}, {"way": [asked[0], 0.5]}]
        for vector in questions:
            assert told(Star.similar(k=k, **vector)) == told(reference.query(Star).similar(k=k, **vector)), vector

    # -- words and a vector -------------------------------------------------------------------------------------------

    @hybrid
    @pytest.mark.parametrize("weight", [None, 0.25, 0.9])
    def test_words_and_a_vector_make_one_list_by_the_ranks_in_both(self, stars: Any, weight: float | None) -> None:
        part = 0.5 if weight is None else weight
        by_words = ids(stars.search("red").order_by("-score").all())
        by_vector = ids(stars.similar(way=[-1, 1], k=100).all())
        scores: dict[str, float] = {}
        for of_one, ranked in ((1 - part, by_words), (part, by_vector)):
            for rank, id in enumerate(ranked, 1):
                scores[id] = scores.get(id, 0) + of_one / (60 + rank)
        expected = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        assert {id for id, _ in expected} == set("abcde")
        asked = stars.search("red").similar(way=[-1, 1], weight=weight)
        found = told(asked)
        assert [id for id, _ in found] == [id for id, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected])
        assert told(stars.where().similar(way=[-1, 1], k=3, weight=weight).search("red")) == found[:3]

    @hybrid
    def test_filters_pages_and_orders_go_with_both(self, stars: Any) -> None:
        asked = stars.search("red").similar(way=[-1, 1], k=4)
        assert set(ids(asked.where(shelf=2).all())) == {"c", "d"}
        assert paged(asked, 3) == ids(asked.all())
        assert ids(asked.order_by("-id").all()) == sorted(ids(asked.all()), reverse=True)
        assert ids(asked.order_by("score").all()) == ids(asked.all())[::-1]
        assert (asked.count(), asked.where(shelf=1).count()) == (4, 2)
        assert asked.where(shelf=1).update(shelf=7) == 2
        assert ids(stars.where(shelf=7).order_by("id").all()) == ["a", "b"]

    @hybrid
    def test_explain_tells_what_both_lists_are_asked(self, stars: Any) -> None:
        told = stars.search("red").similar(way=[1, 0]).explain()
        assert set(told.request) == {"words", "vector"}
        assert told.request["words"] != told.request["vector"]
        assert "by the ranks of rows" in str(told)
        assert "10 nearest" in str(stars.similar(way=[1, 0]).explain())

    @vectors
    def test_a_weight_is_beside_words(self, stars: Any) -> None:
        with pytest.raises(QueryError, match="beside words, and this query has none"):
            stars.similar(way=[1, 0], weight=0.5).all()

    # -- what is refused ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("asked", "problem"),
        [
            ({"trait": [1, 0]}, "did you mean 'traits'"),
            ({"shelf": [1, 0]}, "shelf is no field of vectors"),
            ({}, "one vector by the name of its field, of way, spot, traits; not 0"),
            ({"way": [1, 0], "spot": [1, 0]}, "not 2"),
            ({"way": [1, 0, 0]}, "2 dimensions can't have 3 numbers"),
            ({"way": [0, 0]}, "has no direction"),
            ({"way": [math.nan, 1]}, "infinities or NaN"),
            ({"way": [1e30, 1]}, "can't be longer"),
            ({"way": ["1", 0]}, "made of numbers, not str"),
            ({"way": [True, 0]}, "made of numbers, not bool"),
            ({"way": "ab"}, "a list of numbers, not str"),
            ({"way": 5}, "a list of numbers, not int"),
            ({"way": [1, 0], "k": 0}, "1 to 10000, not 0"),
            ({"way": [1, 0], "k": True}, "not True"),
            ({"way": [1, 0], "weight": 1}, "between 0 and 1, not 1"),
        ],
    )
    def test_what_makes_no_sense_is_refused_when_it_is_written(self, asked: Any, problem: str) -> None:
        with pytest.raises(QueryError, match=problem):
            Star.similar(**asked)

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"way": [1.0]}, "way"),
            ({"way": [0.0, 0.0]}, "way"),
            ({"spot": (1.0, math.inf)}, "spot"),
            ({"spot": (math.nan, 1.0)}, "spot"),
            ({"traits": [1.0, 2.0, 3.0, 4.0]}, "traits"),
        ],
    )
    def test_a_value_that_is_no_such_vector_is_refused_and_its_field_named(
        self, use: Use, values: Any, field: str
    ) -> None:
        use(Star)
        row = Star.create(id="a", spot=(0.0, 0.0))
        with pytest.raises(ValidationError, match=field):
            Star.create(id="b", **values)
        with pytest.raises(ValidationError, match=field):
            row.update(**values)
        for name, value in values.items():
            setattr(row, name, value)
        with pytest.raises(ValidationError, match=field):
            row.save()
        assert (Star.count(), Star.get("a").spot) == (1, (0.0, 0.0))

    @missing(Capability.VECTORS)
    def test_without_vectors_fields_of_them_are_listed_as_inactive_and_stored_all_the_same(self, use: Use) -> None:
        use(Star)
        [entry] = [entry for entry in Star.extensions() if entry.name == "vector"]
        assert entry.state == "inactive"
        assert "way, spot, traits" in entry.reason
        assert "VECTORS" in entry.reason
        Star.create(id="a", way=[1, 2])
        assert Star.get("a").way == [1.0, 2.0]

    @missing(Capability.VECTORS)
    @pytest.mark.parametrize("end", EVERY_END)
    def test_without_vectors_every_end_of_a_query_for_the_nearest_is_refused(
        self, use: Use, backend: Backend, end: str
    ) -> None:
        use(Star)
        Star.create(id="a", way=[1, 2])
        with pytest.raises(UnsupportedOperationError, match="vectors") as caught:
            EVERY_END[end](Star.similar(way=[1, 0]))
        assert caught.value.backend == backend.backend_name
        assert "VECTORS" in str(caught.value)
        assert Star.count() == 1
