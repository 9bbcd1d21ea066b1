"""Fields of vectors when they are defined, what pydantic checks of them, and the scores that are the reference."""

from __future__ import annotations

import math
from typing import Annotated, Any, Optional

import pydantic
import pytest

from mixstore import Capability, Field, Model, QueryBuilder, SchemaError, Similar, UnsupportedOperationError, Vector
from mixstore.schema import schema_of
from mixstore.vectors import scores_of


class Picture(Model):
    id: str = Field(primary_key=True)
    look: list[float] | None = Field(None, vector=Vector(dimensions=2))


@pytest.mark.parametrize(
    ("annotation", "vector", "problem"),
    [
        (list[float], Vector(dimensions=0), "1 to 16000 dimensions, not 0"),
        (list[float], Vector(dimensions=16_001), "not 16001"),
        (list[float], Vector(dimensions=True), "not True"),
        (list[float], Vector(dimensions=2, similarity="cosinus"), "did you mean 'cosine'"),
        (list[int], Vector(dimensions=2), r"needs a list of floats, not list\[int\]"),
        (list[float | None], Vector(dimensions=2), "needs a list of floats"),
        (set[float], Vector(dimensions=2), "needs a list of floats"),
        (tuple[float, float], Vector(dimensions=2), r"tuple\[float, \.\.\.\]"),
        (str, Vector(dimensions=2), "needs a list of floats, not str"),
        (list[float], 384, "must be Vector, not int"),
    ],
)
def test_a_field_that_can_hold_no_such_vector_is_refused_when_it_is_defined(
    annotation: Any, vector: Any, problem: str
) -> None:
    with pytest.raises(SchemaError, match=f"(?s)Bad\\.look.*{problem}"):
        type(
            "Bad",
            (Model,),
            {
                "__annotations__": {"id": str, "look": annotation},
                "__module__": __name__,
                "id": Field(primary_key=True),
                "look": Field(vector=vector),
            },
        )


@pytest.mark.parametrize("name", ["k", "weight", "approximate"])
def test_a_field_of_vectors_is_not_called_as_an_argument_of_similar(name: str) -> None:
    with pytest.raises(SchemaError, match=f"can't be called '{name}'"):
        type(
            "Bad",
            (Model,),
            {
                "__annotations__": {"id": str, name: list[float]},
                "__module__": __name__,
                "id": Field(primary_key=True),
                name: Field(vector=Vector(dimensions=2)),
            },
        )


def test_lists_and_tuples_of_floats_hold_vectors_and_may_be_none_or_annotated() -> None:
    class Several(Model):
        id: str = Field(primary_key=True)
        a: list[float] = Field(vector=Vector(dimensions=1))
        b: Optional[tuple[float, ...]] = Field(None, vector=Vector(dimensions=2, similarity="dot"))  # noqa: UP045
        c: Annotated[list[float], Field(vector=Vector(dimensions=3, similarity="euclidean"))]

    assert {name: one.dimensions for name, one in schema_of(Several).vectors.items()} == {"a": 1, "b": 2, "c": 3}
    with pytest.raises(pydantic.ValidationError, match="3 dimensions can't have 1"):
        Several(id="x", a=[1.0], c=[1.0])
    assert Several(id="x", a=[1.0], b=None, c=[1, 2, 3]).c == [1.0, 2.0, 3.0]


def test_who_redefines_a_field_of_vectors_says_the_option_again() -> None:
    with pytest.raises(SchemaError, match=r"Photo\.look redefines a field of vectors\n.*say it again"):

        class Photo(Picture):
            look: list[float] = []

    class Drawing(Picture):
        look: list[float] | None = Field(None, vector=Vector(dimensions=2))
        by: str = ""

    assert schema_of(Drawing).vectors == {"look": Vector(dimensions=2)}


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ([1.0], "2 dimensions can't have 1 numbers"),
        ([math.inf, 0.0], "infinities or NaN"),
        ([0.0, -0.0], "no direction"),
        ([1e-19, 0.0], "no direction"),
        ([1e18, 1e18], "can't be longer than 1e.18"),
    ],
)
def test_the_constructor_refuses_what_is_no_vector(numbers: list[float], problem: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=problem) as caught:
        Picture(id="a", look=numbers)
    assert caught.value.errors()[0]["loc"] == ("look",)


def test_scores_have_their_scales() -> None:
    assert scores_of([3, 4], "cosine")([3.0, 4.0]) == 1.0
    assert scores_of([3, 4], "cosine")([-30.0, -40.0]) == 0.0
    assert scores_of([3, 4], "cosine")([-4.0, 3.0]) == 0.5
    assert scores_of([3, 4], "euclidean")([0.0, 0.0]) == 1 / 26
    assert scores_of([3, 4], "dot")([1.0, 1.0]) == 8.0
    assert scores_of([3, 4], "dot")([-1.0, -1.0]) == 1 / 8
    assert scores_of([3, 4], "dot")([4.0, -3.0]) == 1.0
    assert [scores_of([3, 4], "dot")(one) for one in (None, [1.0], [1.0, 2.0, 3.0], {"sealed": "x"})] == [None] * 4


def test_a_query_for_the_nearest_is_a_value(store: Any) -> None:
    asked = Picture.similar(look=(1, 2), k=3, approximate=True)
    assert asked.query.similar == Similar("look", (1.0, 2.0), "cosine", 3, None, True)
    assert Picture.where().query.similar is None
    with pytest.raises(Exception, match="only the filter of a query can be a condition, and this one has similar"):
        Picture.where(asked)


def test_rows_at_hand_are_not_compared() -> None:
    with pytest.raises(UnsupportedOperationError, match=Capability.VECTORS.name or ""):
        QueryBuilder.over(Picture, [{"id": "a", "look": [1.0, 0.0]}]).similar(look=[1, 0]).all()
