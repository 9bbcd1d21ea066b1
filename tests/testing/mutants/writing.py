"""Backends that store wrongly."""

from __future__ import annotations

from functools import partial
from typing import Any

from mixstore import Outcome
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.memory import backend as memory
from tests.testing.mutants.planting import plant


class Changed(InMemoryBackend):
    """A backend that changes the writes that it is given."""

    batched = True

    def changed(self, write: Any) -> None:
        """Whatever is wrong with them."""

    def compile_writes(self, bound: Any, writes: Any) -> Any:
        for write in writes:
            self.changed(write)
        return super().compile_writes(bound, writes)

    def compile_batch(self, bound: Any, writes: Any) -> Any:
        for write in writes if self.batched else ():
            self.changed(write)
        return super().compile_batch(bound, writes)


@plant(
    "a condition lost in a batch",
    "test_a_condition_of_an_extension_guards_every_path",
)
class LosesConditionsInABatch(InMemoryBackend):
    def compile_batch(self, bound: Any, writes: Any) -> Any:
        for write in writes:
            write.condition = None
        return super().compile_batch(bound, writes)


@plant(
    "a lost update",
    "test_a_stale_write_is_a_conflict_and_changes_nothing",
    "test_of_threads_that_write_on_one_version_one_wins",
)
class LosesUpdates(Changed):
    batched = False

    def changed(self, write: Any) -> None:
        if write.op == "update":
            write.condition = None


@plant("a lost update by query", "test_a_row_that_changes_between_the_query_and_the_commit_drops_the_transaction")
class ForgetsTheFilterOfAWrite(Changed):
    def changed(self, write: Any) -> None:
        if write.condition is not None and "version" not in repr(write.condition):
            write.condition = None


@plant(
    "a half-written transaction",
    "test_one_failing_write_leaves_nothing_behind",
    "test_a_conflict_drops_the_whole_transaction",
)
def half_written(patch: Any) -> None:
    patch.setattr(memory, "_roll_back", lambda undo: None)


@plant("a transaction of several requests", "test_one_failing_write_leaves_nothing_behind")
class WritesOneByOne(InMemoryBackend):
    def compile_writes(self, bound: Any, writes: Any) -> Any:
        def each() -> Any:
            outcomes = []
            for write in writes:
                outcomes.append(memory._alone(write))
                if write.fails(outcomes[-1]):
                    break
            return outcomes + [Outcome("skipped")] * (len(writes) - len(outcomes))

        return each


@plant("a duplicate in batch_upsert of which the first is kept", "test_batch_upsert_replaces_and_the_last_of_two_wins")
def keeps_the_first(patch: Any) -> None:
    from mixstore.batches import _Batch

    def first_of_each(self: Any, keyed: Any) -> list[int]:
        winners = dict(reversed(keyed))
        self.superseded.update((index, winners[key]) for key, index in keyed if index != winners[key])
        return sorted(winners.values())

    patch.setattr(_Batch, "last_of_each", first_of_each)


@plant(
    "an update that writes the whole row",
    "test_save_writes_only_what_changed_since_the_row_was_loaded",
)
class WritesWholeRows(InMemoryBackend):
    def compile_plain(self, bound: Any, operation: Any, key: Any, record: Any, changes: Any) -> Any:
        return super().compile_plain(bound, operation, key, record, record if operation == "update" else changes)


@plant("an upsert that keeps the fields of the old row", "test_upsert_replaces_the_whole_row")
class MergesUpserts(InMemoryBackend):
    def compile_plain(self, bound: Any, operation: Any, key: Any, record: Any, changes: Any) -> Any:
        if operation != "upsert":
            return super().compile_plain(bound, operation, key, record, changes)
        old = bound.native.rows.get(key) or {}
        kept = {name: value for name, value in old.items() if record.get(name) in (None, [], {})}
        return super().compile_plain(bound, operation, key, {**record, **kept}, changes)


@plant(
    "an update that brings a row back",
    "test_a_stale_instance_does_not_resurrect_a_deleted_row",
    "test_update_of_a_missing_row_is_not_found",
)
class BringsRowsBack(InMemoryBackend):
    def compile_plain(self, bound: Any, operation: Any, key: Any, record: Any, changes: Any) -> Any:
        operation = "upsert" if operation == "update" and key not in bound.native.rows else operation
        return super().compile_plain(bound, operation, key, record, changes)


@plant("a create that writes over a row", "test_create_on_an_existing_key_raises_and_changes_nothing")
class CreatesOverRows(InMemoryBackend):
    def compile_plain(self, bound: Any, operation: Any, key: Any, record: Any, changes: Any) -> Any:
        return super().compile_plain(bound, "upsert" if operation == "create" else operation, key, record, changes)


@plant(
    "a create in a batch that writes over a row",
    "test_batch_create_tries_every_row_and_tells_each_outcome",
)
class CreatesOverRowsInABatch(InMemoryBackend):
    def compile_batch(self, bound: Any, writes: Any) -> Any:
        for write in writes:
            write.op = "upsert"
        return super().compile_batch(bound, writes)


@plant("rows of a batch that the engine left out", "test_a_large_batch_is_stored_and_read_whole")
class ForgetsUnprocessedRows(InMemoryBackend):
    def compile_batch(self, bound: Any, writes: Any) -> Any:
        plan = super().compile_batch(bound, writes[:25])
        return lambda: plan() + [Outcome("ok")] * (len(writes) - 25)


@plant("a delete that says it did what it did not", "test_delete_tells_whether_the_row_was_there")
class ClaimsToHaveDeleted(InMemoryBackend):
    def compile_plain(self, bound: Any, operation: Any, key: Any, record: Any, changes: Any) -> Any:
        plan = super().compile_plain(bound, operation, key, record, changes)
        return (lambda: [Outcome("ok")] if plan() else None) if operation == "delete" else plan


@plant(
    "a stale unique guard",
    "test_delete_releases_the_value",
    "test_a_change_releases_the_old_value",
    "test_an_upsert_without_the_value_releases_it",
)
class KeepsGuards(InMemoryBackend):
    """A guard beside each row, which nobody removes."""

    def __init__(self) -> None:
        super().__init__()
        self.guards: dict[Any, Any] = {}

    def compile_plain(self, bound: Any, operation: Any, key: Any, record: Any, changes: Any) -> Any:
        plan = super().compile_plain(bound, operation, key, record, changes)
        names = [name for name in bound.chain.unique if (record or {}).get(name) is not None]
        return partial(self._guarded, bound, key, {name: record[name] for name in names}, plan)

    def _guarded(self, bound: Any, key: Any, values: Any, plan: Any) -> Any:
        for name, value in values.items():
            if self.guards.setdefault((bound.schema.entity, name, value), key) != key:
                return [Outcome("unique", None, name)]
        return plan()


@plant("None that is a value of a unique field", "test_none_is_no_value")
class NoneIsUnique(InMemoryBackend):
    def prepare(self, bound: Any) -> Any:
        table = super().prepare(bound)

        def taken(self: Any, key: Any, record: Any) -> Any:
            for name in self.unique:
                for other, row in self.rows.items():
                    if other != key and row.get(name) == record.get(name):
                        return name, other
            return None

        table.__class__ = type("Strict", (type(table),), {"taken": taken})
        return table


@plant("unique values that are compared without case", "test_values_that_differ_at_all_are_different")
class UniqueWithoutCase(InMemoryBackend):
    def prepare(self, bound: Any) -> Any:
        table = super().prepare(bound)

        def taken(self: Any, key: Any, record: Any) -> Any:
            for name in self.unique:
                wanted = None if record.get(name) is None else str(record[name]).casefold()
                for other, row in self.rows.items():
                    if other != key and wanted == str(row.get(name)).casefold():
                        return name, other
            return None

        table.__class__ = type("Loose", (type(table),), {"taken": taken})
        return table


@plant(
    "a row that is gone and keeps its key",
    "test_the_key_of_a_dead_row_is_free",
    "test_a_batch_takes_the_places_of_dead_rows_only",
)
class KeepsTheExpired(Changed):
    def changed(self, write: Any) -> None:
        write.evict = None


@plant(
    "an addition that reads, adds and writes",
    "test_of_sixteen_threads_that_add_inside_the_engine_none_meets_a_conflict_and_each_is_told_the_sum",
)
class AddsByReading(InMemoryBackend):
    def compile_writes(self, bound: Any, writes: Any) -> Any:
        import time

        if not any(write.adds for write in writes):
            return super().compile_writes(bound, writes)
        [write] = writes
        stored = bound.native.rows.get(write.key)

        def late() -> Any:
            time.sleep(0.001)
            record = write.applied_to(stored)
            bound.native.put(write.key, record, bound.native.rows.get(write.key))
            return [Outcome("ok", record)]

        return late


@plant(
    "an addition that tells the row as it was",
    "test_an_addition_inside_the_engine_is_one_request_that_tells_the_row_after_it",
    "test_an_addition_is_stored_and_shown",
)
class TellsTheRowBefore(InMemoryBackend):
    def compile_writes(self, bound: Any, writes: Any) -> Any:
        plan = super().compile_writes(bound, writes)
        if not any(write.adds for write in writes):
            return plan
        stored = bound.native.rows.get(writes[0].key)
        return lambda: [Outcome(one.status, stored) for one in plan()]


@plant("an addition that is delivered twice", "test_an_addition_is_stored_and_shown")
class AddsTwice(InMemoryBackend):
    def compile_writes(self, bound: Any, writes: Any) -> Any:
        plan = super().compile_writes(bound, writes)
        return (lambda: plan() and plan()) if any(write.adds for write in writes) else plan
