"""When a row was created and when it last changed, by the backend's clock, on every way to write."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from mixstore import Backend
from mixstore.testing.extensions import ExtensionConformance
from mixstore.testing.support import NOON, UTC, Clock, Use, ids
from mixstore.testing.tags import atomic
from mixstore_extensions import Timestamps
from mixstore_extensions.testing.models import Entry


def times(entry: Any) -> tuple[datetime | None, datetime | None]:
    """When it was created and changed."""
    return entry.created_at, entry.updated_at


class TimestampsConformance(ExtensionConformance):
    """When a row was created and when it last changed, by the backend's clock, on every way to write."""

    mixin = Timestamps
    model = Entry
    changes = {"text": "changed"}

    def test_a_new_row_has_one_moment_for_both(self, use: Use, clock: Clock) -> None:
        use(Entry)
        for made in (
            Entry.create(id="a"),
            Entry.upsert(id="b"),
            Entry(id="c").save(),
            *Entry.batch_create([{"id": "d"}, {"id": "e"}]),
            *Entry.batch_upsert([{"id": "f"}]),
        ):
            assert times(made) == (NOON, NOON)
            assert times(Entry.get(made.id)) == (NOON, NOON)

    def test_a_change_moves_the_second_only(self, use: Use, clock: Clock) -> None:
        use(Entry)
        entry = Entry.create(id="a")
        clock.forward(seconds=1)
        entry.update(text="x")
        assert times(entry) == times(Entry.get("a")) == (NOON, NOON + timedelta(seconds=1))
        clock.forward(seconds=1)
        entry.text = "y"
        entry.save()
        assert times(Entry.get("a")) == (NOON, NOON + timedelta(seconds=2))
        clock.forward(seconds=1)
        Entry.where().update(text="z")
        assert times(Entry.get("a")) == (NOON, NOON + timedelta(seconds=3))

    def test_an_upsert_keeps_when_the_row_was_created(self, use: Use, clock: Clock) -> None:
        use(Entry)
        Entry.create(id="a", text="old")
        clock.forward(seconds=5)
        made = Entry.upsert(id="a", text="new")
        assert times(made) == times(Entry.get("a")) == (NOON, clock.now)
        clock.forward(seconds=5)
        [made] = Entry.batch_upsert([{"id": "a"}])
        assert times(made) == times(Entry.get("a")) == (NOON, clock.now)

    def test_a_deleted_row_starts_anew(self, use: Use, clock: Clock) -> None:
        use(Entry)
        Entry.create(id="a").delete()
        clock.forward(seconds=5)
        assert times(Entry.create(id="a")) == (clock.now, clock.now)
        Entry.get("a").delete()
        clock.forward(seconds=5)
        assert times(Entry.upsert(id="a")) == (clock.now, clock.now)

    def test_a_given_creation_time_is_kept(self, use: Use, clock: Clock) -> None:
        use(Entry)
        given = datetime(2001, 1, 1, tzinfo=timezone(timedelta(hours=2)))
        Entry.create(id="a", created_at=given)
        found = Entry.get("a")
        assert times(found) == (given, NOON)
        assert found.created_at.tzinfo is UTC

    def test_a_failed_write_moves_nothing(self, use: Use, clock: Clock) -> None:
        use(Entry)
        entry = Entry.create(id="a")
        clock.forward(seconds=5)
        stale = Entry.get("a")
        entry.delete()
        try:
            stale.update(text="x")
        except Exception:
            assert times(stale) == (NOON, NOON)
        else:
            raise AssertionError("the row was gone")

    def test_times_are_in_utc_and_can_be_asked_for(self, use: Use, clock: Clock) -> None:
        use(Entry)
        for name in "abc":
            Entry.create(id=name)
            clock.forward(microseconds=1)
        assert ids(Entry.where(created_at__gt=NOON).order_by("-created_at").all()) == ["c", "b"]
        assert Entry.get("a").created_at.tzinfo is UTC
        assert ids(Entry.where(created_at=NOON).all()) == ["a"]

    def test_the_default_clock_is_now_in_utc(self, use: Use) -> None:
        use(Entry)
        before = datetime.now(UTC)
        made: Any = Entry.create(id="a")
        assert before <= made.created_at <= datetime.now(UTC)
        assert Entry.get("a").created_at == made.created_at

    @atomic
    def test_all_writes_of_one_transaction_have_the_time_of_their_call(
        self, use: Use, backend: Backend, clock: Clock
    ) -> None:
        use(Entry)
        with backend.transaction():
            Entry.create(id="a")
            clock.forward(seconds=1)
            Entry.create(id="b")
        assert [row.created_at for row in Entry.where().order_by("id").all()] == [NOON, NOON + timedelta(seconds=1)]
