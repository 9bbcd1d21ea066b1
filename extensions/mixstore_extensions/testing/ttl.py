"""Expiry: a row that has expired is gone for everybody, before any limit, until somebody asks for the expired ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from mixstore import NOW, Backend, BatchError, DuplicateKeyError, NotFoundError, Q, ValidationError
from mixstore.testing.extensions import ExtensionConformance
from mixstore.testing.support import NOON, UTC, Clock, Use, awaited, ids, together
from mixstore.testing.tags import conditions, unique
from mixstore_extensions import TTL
from mixstore_extensions.testing.models import Lease, Pass, Session, Ticket


class TTLConformance(ExtensionConformance):
    """Expiry: a row that has expired is gone for everybody, before any limit, until asked for."""

    mixin = TTL
    model = Session
    changes = {"user": "changed"}

    @pytest.fixture
    def sessions(self, use: Use, clock: Clock) -> Any:
        """a and b expire after 10 seconds, c after 20, d never; all of one user."""
        use(Session)
        for name, lifetime in (("a", 10), ("b", 10), ("c", 20), ("d", None)):
            Session.create(id=name, user="u", token=f"t{name}", expires_in=lifetime)
        return Session

    @pytest.fixture
    def passes(self, use: Use, clock: Clock) -> Any:
        """The same, with a unique token each."""
        use(Pass)
        for name, lifetime in (("a", 10), ("b", 10), ("c", 20), ("d", None)):
            Pass.create(id=name, user="u", token=f"t{name}", expires_in=lifetime)
        return Pass

    def test_an_expired_row_is_invisible_to_every_read(self, sessions: Any, clock: Clock, backend: Backend) -> None:
        loaded = sessions.get("a")
        clock.forward(seconds=10)
        assert sessions.get("a") is None
        assert sessions.batch_get(["a", "c"])[0] is None
        assert sessions.where(id="a").all() == []
        assert sessions.where(token="ta").first() is None
        assert sessions.where(user="u").count() == 2
        assert sorted(ids(sessions.all())) == ["c", "d"]
        assert sorted(ids(sessions.where(user="u"))) == ["c", "d"]
        assert sessions.count() == 2
        assert sessions.exists(id="a") is False
        assert sessions.where().order_by("id").first().id == "c"
        assert sessions.where().order_by("-id").last().id == "c"
        assert sessions.where(id__in=["a", "b"]).exists() is False
        assert sessions.where(~Q(id="c")).count() == 1
        assert sessions.where(Q(id="a") | Q(id="c")).count() == 1
        assert sessions.where(expires_at__lte=clock.now).count() == 0
        assert [row["id"] for row in sessions.where().select("id").order_by("id").all()] == ["c", "d"]
        assert backend.get(Session, id="a") is None
        assert backend.count(Session) == 2
        with pytest.raises(NotFoundError):
            loaded.refresh()

    def test_a_row_lives_until_its_last_microsecond(self, sessions: Any, clock: Clock) -> None:
        clock.forward(seconds=9, microseconds=999_999)
        assert sessions.get("a") is not None
        clock.forward(microseconds=1)
        assert sessions.get("a") is None

    def test_expired_rows_do_not_count_towards_limit_offset_or_pages(self, sessions: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        ordered = sessions.where().order_by("id")
        assert ids(ordered.limit(2).all()) == ["c", "d"]
        assert ids(ordered.limit(1).all()) == ["c"]
        assert ids(ordered.offset(1).all()) == ["d"]
        assert ordered.limit(3).count() == 2
        page = ordered.limit(1).paginate()
        assert ids(page) == ["c"]
        page = ordered.limit(1).cursor(page.cursor).paginate()
        assert ids(page) == ["d"]
        assert page.cursor is None

    def test_a_row_that_expires_between_pages_is_skipped(self, sessions: Any, clock: Clock) -> None:
        ordered = sessions.where().order_by("id")
        page = ordered.limit(1).paginate()
        assert ids(page) == ["a"]
        clock.forward(seconds=10)
        assert ids(ordered.limit(2).cursor(page.cursor).paginate()) == ["c", "d"]

    def test_include_expired_shows_them(self, sessions: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        assert sorted(ids(sessions.include_expired().all())) == ["a", "b", "c", "d"]
        assert sessions.where(user="u").include_expired().count() == 4
        assert ids(sessions.include_expired().filter(expires_at__lte=NOW).order_by("id").all()) == ["a", "b"]
        assert sessions.where(id="a").include_expired().one().id == "a"
        page = sessions.include_expired().order_by("id").limit(1).paginate()
        assert ids(page) == ["a"]

    def test_a_cursor_does_not_carry_include_expired_over(self, sessions: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        page = sessions.include_expired().order_by("id").limit(1).paginate()
        with pytest.raises(Exception, match="another query"):
            sessions.where().order_by("id").cursor(page.cursor).all()

    def test_purge_removes_what_has_expired_and_only_that(self, sessions: Any, clock: Clock) -> None:
        assert sessions.purge_expired() == 0
        clock.forward(seconds=10)
        assert sessions.purge_expired() == 2
        assert sorted(ids(sessions.include_expired().all())) == ["c", "d"]
        assert sessions.purge_expired() == 0
        clock.forward(days=9)
        assert sessions.purge_expired() == 1
        assert ids(sessions.include_expired().all()) == ["d"]

    @conditions
    def test_a_row_whose_time_is_extended_meanwhile_is_not_purged(self, use: Use, clock: Clock) -> None:
        use(Session)
        Session.batch_create([{"id": f"{n:02d}", "expires_in": 10} for n in range(40)])
        clock.forward(seconds=10)
        everything = Session.include_expired()

        def work(number: int) -> int:
            if number == 0:
                return int(Session.purge_expired())
            mine = [f"{n:02d}" for n in range(number, 40, 4)]
            return sum(everything.filter(id=one).update(expires_in=100) for one in mine)

        results = together(4, work)
        assert all(isinstance(one, int) for one in results), results
        assert sum(results) == 40 - Session.purge_expired()
        assert Session.count() == everything.count() == sum(results[1:])

    @awaited
    async def test_purge_can_be_awaited(self, sessions: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        assert await sessions.apurge_expired() == 2

    def test_an_expired_key_is_free_again(self, sessions: Any, clock: Clock) -> None:
        with pytest.raises(DuplicateKeyError):
            sessions.create(id="a")
        clock.forward(seconds=10)
        sessions.create(id="a", user="new")
        assert (sessions.get("a").user, sessions.get("a").token) == ("new", None)
        assert sessions.where(id="a").include_expired().count() == 1
        with pytest.raises(DuplicateKeyError):
            sessions.create(id="a")

    @unique
    def test_an_expired_unique_value_is_free_again(self, passes: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        assert passes.get(token="ta") is None
        passes.create(id="x", token="ta")
        assert passes.get(token="ta").id == "x"
        passes.get("c").update(token="tb")
        assert passes.get(token="tb").id == "c"
        passes.upsert(id="a", token="other")
        with pytest.raises(DuplicateKeyError):
            passes.create(id="y", token="td")

    def test_an_upsert_over_an_expired_row_starts_anew(self, sessions: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        sessions.upsert(id="a", user="new")
        assert (sessions.get("a").user, sessions.get("a").expires_at) == ("new", None)

    def test_batches_take_the_place_of_expired_rows(self, sessions: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        with pytest.raises(BatchError) as caught:
            sessions.batch_create([{"id": "a"}, {"id": "b", "token": "ta"}, {"id": "c"}])
        assert list(caught.value.failed) == [2]
        assert sorted(ids(sessions.all())) == ["a", "b", "c", "d"]

    def test_update_and_save_of_an_expired_row_are_not_found(self, sessions: Any, clock: Clock) -> None:
        session = sessions.get("a")
        clock.forward(seconds=10)
        with pytest.raises(NotFoundError) as caught:
            session.update(user="x")
        assert caught.value.key == "a"
        session.user = "y"
        with pytest.raises(NotFoundError):
            session.save()
        with pytest.raises(NotFoundError):
            session.update(expires_in=100)
        [row] = sessions.where(id="a").include_expired().all()
        assert row.user == "u"

    def test_delete_of_an_expired_row_is_false(self, sessions: Any, clock: Clock) -> None:
        session = sessions.get("a")
        clock.forward(seconds=10)
        assert session.delete() is False
        assert sessions.where(id="b").delete() == 0

    def test_an_expired_row_is_not_deleted_by_a_purge_of_one_that_took_its_place(
        self, sessions: Any, clock: Clock
    ) -> None:
        stale = sessions.get("a")
        clock.forward(seconds=10)
        sessions.create(id="a", user="new", expires_in=10)
        assert sessions.purge_expired() == 1
        assert sessions.get("a").user == "new"
        stale.user = "stale"
        stale.save()
        assert sessions.get("a").user == "stale"

    def test_refreshing_extends_the_life_of_a_row(self, sessions: Any, clock: Clock) -> None:
        session = sessions.get("a")
        clock.forward(seconds=9)
        session.update(expires_in=timedelta(seconds=10))
        assert session.expires_at == clock.now + timedelta(seconds=10)
        clock.forward(seconds=9)
        assert sessions.get("a") is not None
        session.update(expires_in=None)
        clock.forward(days=999)
        assert sessions.get("a").expires_at is None

    def test_a_row_can_be_made_to_expire_at_once(self, sessions: Any, clock: Clock) -> None:
        session = sessions.get("d")
        session.update(expires_at=clock.now)
        assert sessions.get("d") is None
        sessions.create(id="past", expires_at=clock.now - timedelta(days=1))
        assert sessions.get("past") is None
        assert sessions.purge_expired() == 2

    @pytest.mark.parametrize("lifetime", [10, 10.0, timedelta(seconds=10)])
    def test_a_lifetime_is_a_timedelta_or_seconds(self, use: Use, clock: Clock, lifetime: Any) -> None:
        use(Session)
        assert Session.create(id="a", expires_in=lifetime).expires_at == NOON + timedelta(seconds=10)
        assert Session.upsert(id="a", expires_in=lifetime).expires_at == NOON + timedelta(seconds=10)
        assert Session.get("a").expires_at == NOON + timedelta(seconds=10)

    @pytest.mark.parametrize("lifetime", ["soon", True, float("nan"), float("inf"), timedelta.max, 1e30])
    def test_a_lifetime_that_makes_no_sense_is_refused(self, use: Use, clock: Clock, lifetime: Any) -> None:
        use(Session)
        with pytest.raises(ValidationError) as caught:
            Session.create(id="a", expires_in=lifetime)
        assert caught.value.field == "expires_in"
        assert Session.include_expired().count() == 0

    def test_a_lifetime_and_a_moment_at_once_are_refused(self, use: Use, clock: Clock) -> None:
        use(Session)
        with pytest.raises(ValidationError, match="same thing"):
            Session.create(id="a", expires_in=10, expires_at=clock.now)

    def test_a_naive_moment_is_refused(self, use: Use) -> None:
        use(Session)
        with pytest.raises(ValidationError) as caught:
            Session.create(id="a", expires_at=datetime(2030, 1, 1))
        assert caught.value.field == "expires_at"

    def test_the_model_can_have_a_lifetime(self, use: Use, clock: Clock) -> None:
        use(Ticket)
        hour = timedelta(hours=1)
        assert Ticket.create(id="a").expires_at == clock.now + hour
        assert Ticket.upsert(id="b").expires_at == clock.now + hour
        assert Ticket(id="c").save().expires_at == clock.now + hour
        assert Ticket.create(id="d", expires_in=5).expires_at == clock.now + timedelta(seconds=5)
        assert Ticket.batch_create([{"id": "e"}])[0].expires_at == clock.now + hour
        ticket = Ticket.get("a")
        clock.forward(minutes=30)
        ticket.save()
        assert Ticket.get("a").expires_at == NOON + hour
        clock.forward(minutes=30)
        assert Ticket.count() == 0

    def test_a_row_without_an_end_is_never_purged(self, use: Use, clock: Clock) -> None:
        use(Session)
        Session.create(id="a")
        clock.now = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
        assert Session.purge_expired() == 0
        assert Session.get("a") is not None

    def test_an_end_at_the_end_of_time_is_held(self, use: Use, clock: Clock) -> None:
        use(Session)
        end = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
        Session.create(id="a", expires_at=end)
        assert Session.get("a").expires_at == end

    @conditions
    @unique
    def test_expiry_with_a_lock_and_timestamps_starts_anew(self, use: Use, clock: Clock) -> None:
        use(Lease)
        first = Lease.create(id="a", slot=1, expires_in=10)
        first.update(holder="me")
        assert first.version == 2
        clock.forward(seconds=10)
        second = Lease.create(id="a", slot=1, holder="you")
        assert (second.version, second.created_at) == (1, clock.now)
        with pytest.raises(Exception, match="version"):
            first.update(holder="still me")
        assert Lease.get("a").holder == "you"
        clock.forward(seconds=10)
        third = Lease.upsert(id="a", expires_in=5)
        assert third.version == 2
        clock.forward(seconds=5)
        fourth = Lease.upsert(id="a")
        assert (fourth.version, fourth.created_at) == (1, clock.now)

    @conditions
    @unique
    def test_of_sixteen_threads_that_take_an_expired_lease_one_wins(self, use: Use, clock: Clock) -> None:
        use(Lease)
        Lease.create(id="lock", slot=1, holder="dead", expires_in=10)
        clock.forward(seconds=10)
        results = together(16, lambda n: Lease.create(id="lock", slot=1, holder=str(n), expires_in=10))
        winners = [one for one in results if isinstance(one, Lease)]
        assert len(winners) == 1
        assert all(isinstance(one, DuplicateKeyError) for one in results if one not in winners)
        assert Lease.get(slot=1).holder == winners[0].holder

    def test_purging_while_rows_are_renewed_loses_none(self, use: Use, clock: Clock) -> None:
        use(Session)
        Session.batch_create([{"id": str(n), "expires_in": 10} for n in range(40)])
        rows = Session.all()
        for row in rows[::2]:
            row.update(expires_in=100)
        clock.forward(seconds=10)

        def work(number: int) -> int:
            return int(Session.purge_expired())

        assert sum(together(4, work)) == 20
        assert Session.include_expired().count() == Session.count() == 20
