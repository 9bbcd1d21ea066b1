"""Vectors: what a field of them declares, and how near two of them are (the reference).

Sums run from the first number to the last, in 64 bits, so that an engine which does the same gives the same scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

from mixstore.errors import SchemaError, nearest

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from mixstore.types import FieldType

Score = Callable[[Mapping[str, Any]], "float | None"]
SIMILARITIES = ("cosine", "euclidean", "dot")
ARGUMENTS = ("k", "weight", "approximate")
"""What `similar()` takes besides a field, so that no field of vectors can be called like it."""
MOST_DIMENSIONS = 16_000
"""More can't be indexed by Lucene."""
LONGEST, SHORTEST = 1e18, 1e-18
"""Lengths whose squares 32 bits can hold. With cosine, a vector must not be shorter than the latter."""


@dataclass(frozen=True, slots=True)
class Vector:
    """The option of a field of vectors: `embedding: list[float] = Field(vector=Vector(dimensions=384))`.

    similarity: how two of them are compared. "cosine": by direction, their scores are (1 + cos) / 2, from 0 to 1;
    "euclidean": by distance, 1 / (1 + d²), from 0 to 1; "dot": by their product p, 1 + p if that is not negative, and
    1 / (1 - p) if it is. As metadata of an annotation it makes pydantic check values.
    """

    dimensions: int
    similarity: str = "cosine"

    def problem(self) -> tuple[str, str | None] | None:
        """What is wrong with the declaration, and a hint; None if nothing is."""
        count = self.dimensions
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_DIMENSIONS:
            return f"a vector has 1 to {MOST_DIMENSIONS} dimensions, not {count!r}", None
        if self.similarity not in SIMILARITIES:
            return f"vectors have no similarity {self.similarity!r}", nearest(str(self.similarity), SIMILARITIES)
        return None

    def checked(self, numbers: Any) -> Any:
        """The same numbers; None passes. ValueError if they are no vector of this field."""
        if numbers is None:
            return None
        if len(numbers) != self.dimensions:
            raise ValueError(f"a vector of {self.dimensions} dimensions can't have {len(numbers)} numbers")
        if not all(map(math.isfinite, numbers)):
            raise ValueError("a vector can't hold infinities or NaN")
        length = math.hypot(*numbers)
        if length > LONGEST:
            raise ValueError(f"a vector can't be longer than {LONGEST}")
        if self.similarity == "cosine" and length < SHORTEST:
            raise ValueError(f"a vector of length 0 (below {SHORTEST}) has no direction, which cosine compares")
        return numbers

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))


def check_declared(where: str, vector: Vector, described: FieldType) -> None:
    """SchemaError if this is no vector, or a field of this type holds none."""
    told = vector.problem()
    if told is not None:
        raise SchemaError(f"{where}: {told[0]}", hint=told[1])
    numbers = described.args[0] if described.args else None
    listed = described.kind == "list" or (described.kind == "tuple" and described.variadic)
    if not listed or numbers is None or numbers.kind != "float" or numbers.nullable:
        raise SchemaError(
            f"{where}: vector=... needs a list of floats, not {described}",
            hint="list[float], tuple[float, ...], or Optional of one of them",
        )


def scores_of(vector: Sequence[float], similarity: str) -> Callable[[Any], float | None]:
    """A function from stored numbers to their score: how near they are. None for what is no vector of that many."""
    made = _SCORES[similarity](vector)
    dimensions = len(vector)
    return lambda numbers: made(numbers) if isinstance(numbers, Sequence) and len(numbers) == dimensions else None


def scores_by(field: str, vector: Sequence[float], similarity: str) -> Score:
    """The same, of rows by the vector in a field."""
    score = scores_of(vector, similarity)
    return lambda row: score(row.get(field))


def _cosine(vector: Sequence[float]) -> Callable[[Iterable[float]], float]:
    own = _product(vector, vector)

    def score(numbers: Iterable[float]) -> float:
        product = square = 0.0
        for one, other in zip(vector, numbers, strict=True):
            product += one * other
            square += other * other
        both = own * square
        return 0.5 if both == 0.0 else (1.0 + max(-1.0, min(1.0, product / math.sqrt(both)))) / 2.0

    return score


def _euclidean(vector: Sequence[float]) -> Callable[[Iterable[float]], float]:
    def score(numbers: Iterable[float]) -> float:
        square = 0.0
        for one, other in zip(vector, numbers, strict=True):
            apart = one - other
            square += apart * apart
        return 1.0 / (1.0 + square)

    return score


def _dot(vector: Sequence[float]) -> Callable[[Iterable[float]], float]:
    def score(numbers: Iterable[float]) -> float:
        product = _product(vector, numbers)
        return 1.0 + product if product >= 0 else 1.0 / (1.0 - product)

    return score


def _product(first: Iterable[float], second: Iterable[float]) -> float:
    total = 0.0  # sum() of floats is another number in newer versions of python
    for one, other in zip(first, second, strict=True):
        total += one * other
    return total


_SCORES = {"cosine": _cosine, "euclidean": _euclidean, "dot": _dot}
