"""Bugs of the kernel, patched in below the in-memory backend."""

from __future__ import annotations

from typing import Any

from mixstore import builder, bulk, cursors, lifecycle, pages, points, reads
from mixstore.bound import Bound
from mixstore.envelopes import Envelope
from mixstore.prepared import PreparedWrite
from mixstore.transaction import Transaction
from tests.testing.mutants.planting import plant


@plant("forward deserialize", "test_every_path_of_reading_unwinds_the_chain")
def forward(patch: Any) -> None:
    def plain_record(self: Any, stored: Any) -> Any:
        record = dict(stored)
        for step in reversed(self.chain.deserialize):
            record = self._step(step, stored, record)
        assert not any(type(value) is Envelope for value in record.values())
        return record

    patch.setattr(Bound, "plain_record", plain_record)


@plant("a mutable builder", "test_building_changes_no_builder")
def mutable(patch: Any) -> None:
    def changed(self: Any, **changes: Any) -> Any:
        self.query = self.query.replace(**changes)
        return self

    patch.setattr(builder.QueryBuilder, "_with", changed)


@plant("a cursor from another query accepted", "test_a_cursor_of_another_query_is_refused")
def any_cursor(patch: Any) -> None:
    digest, tag = cursors._digest, cursors._tag
    patch.setattr(cursors, "_digest", lambda shape: digest(""))
    patch.setattr(cursors, "_tag", lambda shape, payload, secret: tag("", payload, secret))


@plant("a damaged cursor accepted", "test_a_cursor_with_a_changed_letter_is_refused")
def any_damage(patch: Any) -> None:
    patch.setattr(cursors, "_tag", lambda shape, payload, secret: b"\0" * 16)


@plant("a row left out between pages", "test_pages_together_are_the_whole_result_in_order")
def leaves_out(patch: Any) -> None:
    place_of = pages.place_of
    patch.setattr(pages, "place_of", lambda order, values: (*place_of(order, values)[:-1], "\U0010ffff"))


@plant(
    "a row repeated on the next page",
    "test_pages_together_are_the_whole_result_in_order",
    "test_pages_are_full_under_a_filter",
)
def repeats(patch: Any) -> None:
    place_of = pages.place_of
    patch.setattr(pages, "place_of", lambda order, values: (None, *place_of(order, values)[1:]))


def unseen(path: str, bug: str) -> None:
    """Visibility lost on one path of reading by key."""

    @plant(
        bug,
        {
            "get": "test_a_dead_row_is_absent_on_every_path[get]",
            "batch_get": "test_a_dead_row_is_absent_on_every_path[batch_get]",
            "refresh": "test_a_row_that_is_out_of_sight_can_not_be_refreshed",
        }[path],
    )
    def lost(patch: Any) -> None:
        function = getattr(points, path)

        def steps(bound: Any, *args: Any) -> Any:
            seen = points._seen
            points._seen = lambda bound, rows: [None if row is None else bound.values_from_row(row) for row in rows]
            kept, bound.point_filter = bound.point_filter, None
            try:
                return (yield from function(bound, *args))
            finally:
                points._seen, bound.point_filter = seen, kept

        patch.setattr(points, path, steps)


unseen("get", "visibility lost in get")
unseen("batch_get", "visibility lost in batch_get")
unseen("refresh", "visibility lost in refresh")


@plant(
    "visibility decided on what a hook makes of a row",
    "test_what_may_be_seen_is_decided_on_what_is_stored_on_every_path[get]",
)
def seen_late(patch: Any) -> None:
    patch.setattr(Bound, "stored_values", lambda self, row: self.values_from_row(row))
    patch.setattr(Bound, "after_read", lambda self, row, values: values)


@plant("a hook after reading that runs twice", "test_what_is_done_after_reading_is_done_once_a_row[get]")
def read_twice(patch: Any) -> None:
    load = Bound.load
    patch.setattr(
        Bound, "load", lambda self, row, key=None, values=None: self.values_from_row(row) and load(self, row, key)
    )


@plant("visibility inside the filter of the user", "test_a_dead_row_is_absent_on_every_path[or]")
def inside(patch: Any) -> None:
    conjunction = reads.conjunction

    def loose(*parts: Any) -> Any:
        user, *rest = parts
        if type(user).__name__ == "Or" and rest:
            return type(user)([user.terms[0], conjunction(*user.terms[1:], *rest)])
        return conjunction(*parts)

    patch.setattr(reads, "conjunction", loose)


@plant(
    "a hook run twice",
    "test_every_path_of_saving_runs_every_hook_once_in_order[create]",
    "test_hooks_of_a_model_run_once_on_every_path_of_saving",
)
def twice(patch: Any) -> None:
    hooks = PreparedWrite._model_hooks

    def again(self: Any, event: str) -> None:
        hooks(self, event)
        hooks(self, event)

    patch.setattr(PreparedWrite, "_model_hooks", again)


@plant(
    "an async path that skips the chain",
    "test_an_awaited_write_runs_the_same_chain",
    "test_an_awaited_stale_write_is_a_conflict",
)
def awaited_without_chain(patch: Any) -> None:
    arun = Bound.arun

    async def short(self: Any, operation: str, steps: Any) -> Any:
        kept, self.plain = self.plain, True
        try:
            return await arun(self, operation, steps)
        finally:
            self.plain = kept

    patch.setattr(Bound, "arun", short)


@plant("an upsert that skips the chain", "test_every_path_of_saving_runs_the_chain_in_order[upsert]")
def upsert_without_chain(patch: Any) -> None:
    insert = lifecycle.insert

    def short(bound: Any, operation: Any, instance: Any, checked: bool = False, now: Any = None) -> Any:
        if operation != "upsert" or bound.plain:
            return (yield from insert(bound, operation, instance, checked, now))
        bound.plain = True
        try:
            return (yield from insert(bound, operation, instance, checked, now))
        finally:
            bound.plain = False

    patch.setattr(lifecycle, "insert", short)


@plant("count ignores the limit", "test_count_and_exists_respect_limit_and_offset")
def counts_all(patch: Any) -> None:
    count = reads.count
    patch.setattr(reads, "count", lambda bound, query: count(bound, query.replace(limit=None)))


@plant("exists ignores the offset", "test_count_and_exists_respect_limit_and_offset")
def exists_anyway(patch: Any) -> None:
    exists = reads.exists
    patch.setattr(reads, "exists", lambda bound, query: exists(bound, query.replace(offset=0)))


@plant(
    "delete by query that bypasses the chain",
    "test_every_path_of_deleting_runs_the_chain_in_order[delete by query]",
    "test_a_veiled_row_is_out_of_sight_on_every_path",
)
def straight(patch: Any) -> None:
    def delete_all(bound: Any, query: Any) -> Any:
        rows = yield from reads.fetch(bound, query)
        for row in rows:
            yield bound.engine.compile_plain(bound, "delete", bound.key_from(row.__dict__), None, None)
        return len(rows)

    patch.setattr(bulk, "delete_all", delete_all)


@plant(
    "an update by query that does not look again",
    "test_a_row_that_stops_to_match_between_the_query_and_its_write_is_left_alone[update]",
)
def unguarded(patch: Any) -> None:
    update_row = lifecycle.update_row

    def steps(
        bound: Any,
        instance: Any,
        state: Any,
        candidate: Any = None,
        checked: Any = (),
        guard: Any = None,
        *rest: Any,
        **named: Any,
    ) -> Any:
        return update_row(bound, instance, state, candidate, checked, None, *rest, **named)

    patch.setattr(lifecycle, "update_row", steps)


@plant("a transaction that leaks on an exception", "test_an_exception_in_the_block_drops_the_buffer")
def leaks(patch: Any) -> None:
    leave = Transaction.__exit__

    def stay(self: Any, kind: Any, *rest: Any) -> Any:
        return leave(self, None, *rest) if kind is None else None

    patch.setattr(Transaction, "__exit__", stay)


@plant("a transaction that commits in spite of an exception", "test_an_exception_in_the_block_drops_the_buffer")
def commits(patch: Any) -> None:
    leave = Transaction.__exit__
    patch.setattr(Transaction, "__exit__", lambda self, kind, *rest: leave(self, None, *rest))


@plant("an instance that changes before the commit", "test_instances_change_only_after_the_commit")
def early(patch: Any) -> None:
    add = Transaction.add

    def shown(self: Any, prepared: Any) -> None:
        add(self, prepared)
        prepared.target.__dict__.update(prepared.candidate.__dict__)

    patch.setattr(Transaction, "add", shown)


@plant(
    "an instance that changes though its write failed", "test_an_instance_whose_write_is_refused_shows_what_it_showed"
)
def shows_anyway(patch: Any) -> None:
    finish = PreparedWrite.finish

    def shown(self: Any, outcome: Any) -> None:
        if self.write.op != "delete":
            self.show(outcome)
        finish(self, outcome)

    patch.setattr(PreparedWrite, "finish", shown)


@plant("an error that loses what pydantic said", "test_create_refuses_bad_data_with_pydantics_errors_kept")
def no_cause(patch: Any) -> None:
    new_instance = lifecycle.new_instance

    def alone(*args: Any) -> Any:
        try:
            return new_instance(*args)
        except Exception as error:
            error.__cause__ = None
            raise error from None

    patch.setattr(lifecycle, "new_instance", alone)


@plant("a row that lives to the end of its second", "test_a_dead_row_is_absent_on_every_path[get]")
def rounded(patch: Any) -> None:
    from mixstore.testing.mixins import Mortal

    def dead(self: Any, now: Any) -> Any:
        from datetime import timedelta

        from mixstore import Q

        return Q(expires_at__lte=now - timedelta(seconds=1))

    patch.setattr(Mortal.Death, "dead", dead)
