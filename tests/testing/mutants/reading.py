"""Backends that answer queries and point reads wrongly."""

from __future__ import annotations

from typing import Any

from mixstore import TRUE, Backend, Rows
from mixstore.expressions import Compare, Order, conjunction, evaluate, paths, replaced, sort_key, terms
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from tests.testing.mutants.planting import MUTANTS, Answered, Mutant, plant


class Asked(InMemoryBackend):
    """A backend that changes what it is asked."""

    def asked(self, query: Any) -> Any:
        return query

    def compile_query(self, bound: Any, query: Any) -> Any:
        return super().compile_query(bound, self.asked(query))

    def compile_count(self, bound: Any, query: Any) -> Any:
        return super().compile_count(bound, self.asked(query))


@plant(
    "filter after limit",
    "test_limit_and_offset_come_after_filter_and_order",
    "test_pages_are_full_under_a_filter",
    "test_dead_rows_do_not_count_towards_limits_and_pages",
)
class FiltersAfterTheLimit(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        plan = super().compile_query(bound, query.replace(where=TRUE))
        plan.residual = query.where
        return plan


@plant("an ignored lookup", "test_every_lookup_answers_as_the_reference_does[text]", "test_comparing_text")
class IgnoresALookup(Asked):
    def asked(self, query: Any) -> Any:
        where = replaced(query.where, lambda one: TRUE if one.lookup == "iendswith" else one)
        return query.replace(where=where)


@plant(
    "a dropped residual",
    "test_every_lookup_answers_as_the_reference_does[text]",
    "test_pages_are_full_under_a_filter",
)
class DropsTheResidual(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        where = replaced(query.where, lambda one: TRUE if one.lookup == "regex" else one)
        return super().compile_query(bound, query.replace(where=where))


@plant("an offset applied before the residual", "test_limit_and_offset_come_after_filter_and_order")
class OffsetBeforeTheResidual(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        if not any(isinstance(one, Compare) and one.lookup == "regex" for one in terms(query.where)):
            return super().compile_query(bound, query)
        plan = super().compile_query(bound, query.replace(where=TRUE, limit=None))
        plan.residual, plan.sliced = query.where, False
        return plan


@plant(
    "rows of another entity type",
    "test_rows_of_another_model_of_the_same_shape_are_never_read[all]",
    "test_rows_of_another_model_of_the_same_shape_are_never_read[pages]",
    "test_rows_of_another_model_of_the_same_shape_are_never_counted",
)
class ReadsTheWholeTable(InMemoryBackend):
    """As where all models lie in one table, and the filter on the entity was forgotten."""

    def compile_query(self, bound: Any, query: Any) -> Any:
        others = [one for one in self._bounds.values() if one is not bound and set(one.names) == set(bound.names)]
        if not others:
            return super().compile_query(bound, query)
        end = None if query.limit is None else query.offset + query.limit

        def mixed(rows: Any) -> Any:
            found = [row for one in others for row in one.native.rows.values() if evaluate(query.where, row)]
            return Rows(sorted([*rows.rows, *found], key=sort_key(query.order))[query.offset : end])

        return Answered(super().compile_query(bound, query.replace(limit=None, offset=0)), mixed)

    def compile_count(self, bound: Any, query: Any) -> Any:
        return self.compile_query(bound, query)


@plant(
    "rows of another entity type found by an index",
    "test_rows_of_another_model_of_the_same_shape_are_never_read[an equal value of an index]",
)
class SharesItsIndexes(InMemoryBackend):
    """As where one index of the engine serves all models, and the filter on the entity was forgotten."""

    def compile_query(self, bound: Any, query: Any) -> Any:
        plan = super().compile_query(bound, query)
        if plan.index != "n":
            return plan
        others = [one for one in self._bounds.values() if one is not bound and set(one.names) == set(bound.names)]
        return Answered(
            plan, lambda rows: Rows([*rows.rows, *(row for one in others for row in one.native.rows.values())])
        )


def _not_none(row: Any, order: Any) -> Any:
    return tuple((row.get(one.path[0]) is None) != one.descending for one in order)


@plant(
    "None ordered like a value",
    "test_rows_come_in_order_none_first_ties_by_key",
    "test_every_plain_kind_orders_by_its_meaning",
)
class NoneComesLast(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        plan = super().compile_query(bound, query.replace(limit=None, offset=0))
        end = None if query.limit is None else query.offset + query.limit
        order = query.order[:1]
        return Answered(
            plan, lambda rows: Rows(sorted(rows.rows, key=lambda row: _not_none(row, order))[query.offset : end])
        )


@plant(
    "an order that is unstable under ties",
    "test_rows_come_in_order_none_first_ties_by_key",
    "test_pages_together_are_the_whole_result_in_order",
)
class ForgetsTheTieBreaker(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        if len(query.order) < 2:
            return super().compile_query(bound, query)
        plan = super().compile_query(bound, query.replace(order=(), limit=None, offset=0))
        end = None if query.limit is None else query.offset + query.limit
        key = sort_key(query.order[:1])
        return Answered(plan, lambda rows: Rows(sorted(rows.rows, key=key)[query.offset : end]))


@plant(
    "text that is compared without case", "test_comparing_text", "test_every_lookup_answers_as_the_reference_does[text]"
)
class ComparesWithoutCase(Asked):
    def asked(self, query: Any) -> Any:
        def loose(one: Any) -> Any:
            return (
                Compare(one.path, "iexact_", one.value, _folded)
                if type(one.value) is str and one.lookup == "eq"
                else one
            )

        return query.replace(where=replaced(query.where, loose))


def _folded(value: Any, operand: Any) -> bool:
    return isinstance(value, str) and value.casefold() == operand.casefold()


@plant(
    "a row given once for each term that it fulfils",
    "test_a_row_that_fulfils_a_filter_in_several_ways_is_given_once",
)
class GivesARowTwice(InMemoryBackend):
    def compile_query(self, bound: Any, query: Any) -> Any:
        found = [one for one in terms(query.where) if type(one).__name__ == "Or"]
        if len(found) != 1:
            return super().compile_query(bound, query)
        plan = super().compile_query(bound, query.replace(limit=None, offset=0))
        end = None if query.limit is None else query.offset + query.limit

        def each(rows: Any) -> Any:
            twice = [row for row in rows.rows for one in found[0].terms if evaluate(one, row)]
            return Rows(twice[query.offset : end])

        return Answered(plan, each)


@plant(
    "an engine's page that is taken for the end",
    "test_a_row_far_behind_many_that_do_not_match_is_found",
    "test_iteration_gives_every_row_once_across_its_pages",
)
class StopsAtAPage(InMemoryBackend):
    """Looks at a thousand rows, as engines do, and forgets to ask for more."""

    def compile_query(self, bound: Any, query: Any) -> Any:
        first = super().compile_query(bound, query.replace(where=TRUE, limit=None, offset=0, search=None))
        end = None if query.limit is None else query.offset + query.limit
        seen = query.where

        def page(rows: Any) -> Any:
            looked = rows.rows if query.search else rows.rows[:1000]
            return Rows([row for row in looked if evaluate(seen, row)][query.offset : end])

        return Answered(first, page) if query.search is None else super().compile_query(bound, query)


@plant("keys of a batch that the engine left out", "test_a_large_batch_is_stored_and_read_whole")
class ForgetsUnprocessedKeys(InMemoryBackend):
    def compile_get(self, bound: Any, keys: Any) -> Any:
        plan = super().compile_get(bound, keys)
        return lambda: [row if place < 100 else None for place, row in enumerate(plan())]


@plant("batch_get in the order of the store", "test_batch_get_answers_in_the_order_of_the_keys")
class AnswersInItsOwnOrder(InMemoryBackend):
    def compile_get(self, bound: Any, keys: Any) -> Any:
        plan = super().compile_get(bound, keys)
        return lambda: sorted(plan(), key=lambda row: (row is None, [] if row is None else str(row.get("id"))))


@plant(
    "an expired row counted",
    "test_a_dead_row_is_absent_on_every_path[count]",
    "test_a_dead_row_is_absent_on_every_path[backend.count]",
)
class CountsTheExpired(InMemoryBackend):
    def compile_count(self, bound: Any, query: Any) -> Any:
        alive = conjunction(*[term for term in terms(query.where) if ("expires_at",) not in paths(term)])
        return super().compile_count(bound, query.replace(where=alive))


@plant("an index that an update leaves behind", "test_update_may_change_what_the_filter_asks_for")
class LeavesIndexesBehind(InMemoryBackend):
    def prepare(self, bound: Any) -> Any:
        table = super().prepare(bound)
        table.__class__ = type("Lazy", (type(table),), {"_replace": lambda self, key, old, record: None})
        return table


@plant("a second key that an update leaves behind", "test_no_write_leaves_an_index_behind")
class LeavesSecondKeysBehind(InMemoryBackend):
    def prepare(self, bound: Any) -> Any:
        table = super().prepare(bound)
        for one in table._partitions:
            one.__class__ = type(
                "Lazy", (type(one),), {"__slots__": (), "replace": lambda self, old, record, key: None}
            )
        return table


@plant(
    "a sparse index asked for that gives every row",
    "test_using_an_index_asks_for_the_rows_in_it_and_no_other_query_does",
)
class GivesRowsThatAreNotInTheIndex(Asked):
    def asked(self, query: Any) -> Any:
        if query.index is None:
            return query
        return query.replace(
            where=replaced(query.where, lambda one: TRUE if one.lookup == "isnull" or one.value is None else one)
        )


@plant("last that turns only the first column round", "test_first_and_last_follow_the_order_or_the_key")
class TurnsOnlyTheFirst(Asked):
    def asked(self, query: Any) -> Any:
        if query.limit != 1 or len(query.order) < 2 or not query.order[-1].descending:
            return query
        return query.replace(order=(*query.order[:-1], Order(query.order[-1].path, False)))


class Swallowing(SQLiteBackend):
    """What the driver says is that there is nothing."""

    def execute(self, plan: Any) -> Any:
        try:
            return super().execute(plan)
        except Exception:
            return Rows([])


class LosesTheCause(SQLiteBackend):
    """Tells its own error, and not what the driver said."""

    def execute(self, plan: Any) -> Any:
        try:
            return super().execute(plan)
        except Exception as error:
            error.__cause__ = None
            raise error from None


def on_sqlite(made: Any) -> Any:
    def make(folder: Any) -> Backend:
        backend: Backend = made(folder / "mutant.db")
        return backend

    return make


MUTANTS["a swallowed driver error"] = Mutant(
    (
        "test_an_engine_that_fails_is_an_error_with_its_cause_and_never_an_answer[all]",
        "test_an_engine_that_fails_is_an_error_with_its_cause_and_never_an_answer[exists]",
        "test_a_closed_backend_answers_as_before_or_refuses_but_never_as_if_nothing_were_there[all]",
    ),
    on_sqlite(Swallowing),
    None,
)
MUTANTS["an error that loses its cause"] = Mutant(
    (
        "test_an_engine_that_fails_is_an_error_with_its_cause_and_never_an_answer[get]",
        "test_an_engine_that_fails_is_an_error_when_it_is_awaited",
    ),
    on_sqlite(LosesTheCause),
    None,
)
