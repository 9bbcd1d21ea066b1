"""Backends that compare vectors wrongly, and a kernel that fuses lists wrongly."""

from __future__ import annotations

from itertools import islice
from typing import Any

from mixstore import TRUE, Rows, nearness
from mixstore.expressions import evaluate
from mixstore_backends.memory import InMemoryBackend
from tests.testing.mutants.planting import Answered, plant

COME_FIRST = "test_the_nearest_come_first_with_their_scores_and_equal_ones_by_their_keys"


@plant("the nearest taken before the filter", "test_a_filter_applies_before_the_nearest_are_taken[condition0-c]")
class FiltersTheNearest(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        if query.similar is None:
            return super().compile_query(bound, query)
        plan = super().compile_query(bound, query.replace(where=TRUE))
        return Answered(plan, lambda rows: Rows([row for row in rows.rows if evaluate(query.where, row)]))


@plant("equal scores in any order", f"{COME_FIRST}[asked5-expected5]")
class TiesFallAnyhow(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        if query.similar is None:
            return super().compile_query(bound, query)
        plan = super().compile_query(bound, query.replace(limit=None))
        return Answered(plan, lambda rows: Rows(list(islice(reversed(rows.rows), query.limit))))


@plant("scores on another scale", f"{COME_FIRST}[asked0-expected0]", "test_scores_are_those_of_the_reference")
class ScoresOfItsOwn(InMemoryBackend):
    def row_hit(self, row: Any) -> Any:
        hit = super().row_hit(row)
        return None if hit is None else hit._replace(score=2 * hit.score - 1)


@plant(
    "vectors compared that are no longer there",
    "test_vectors_are_stored_as_they_are_and_changes_are_seen",
    "test_rows_that_are_hidden_are_not_among_the_nearest",
)
class RemembersTheNearest(InMemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.known: dict[Any, Any] = {}

    def compile_query(self, bound: Any, query: Any) -> Any:
        plan = super().compile_query(bound, query)
        if query.similar is None:
            return plan
        return Answered(plan, lambda rows: self.known.setdefault((bound.model, query.similar), rows))


@plant(
    "a fusion that counts both lists alike",
    "test_words_and_a_vector_make_one_list_by_the_ranks_in_both[0.9]",
)
def alike(patch: Any) -> None:
    fused = nearness.fused
    patch.setattr(nearness, "fused", lambda bound, asked, *both: fused(bound, asked._replace(weight=0.5), *both))
