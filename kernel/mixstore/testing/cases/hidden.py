"""Rows that extensions hide: dead ones count as absent, veiled ones are there and can't be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mixstore import Backend, BatchError, DuplicateKeyError, NotFoundError, Q
from mixstore.testing.clock import Clock
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Letter, Pass, Session
from mixstore.testing.support import Use, awaited, ids
from mixstore.testing.tags import atomic, extensions, unique

READS: dict[str, Callable[[Any, Any], Any]] = {
    "get": lambda model, backend: [row for row in [model.get("a")] if row],
    "batch_get": lambda model, backend: [row for row in model.batch_get(["a", "b"]) if row and row.id == "a"],
    "all": lambda model, backend: model.where(id="a").all(),
    "first": lambda model, backend: [row for row in [model.where(id="a").first()] if row],
    "last": lambda model, backend: [row for row in [model.where(id="a").last()] if row],
    "iteration": lambda model, backend: list(model.where(id__in=["a"])),
    "paginate": lambda model, backend: model.where(id="a").paginate().items,
    "select": lambda model, backend: model.where(id="a").select("id").all(),
    "a filter that is left to mixstore": lambda model, backend: model.where(id__regex="a").all(),
    "or": lambda model, backend: model.where(Q(id="a") | Q(id="a", user="x")).all(),
    "count": lambda model, backend: [None] * model.where(id="a").count(),
    "exists": lambda model, backend: [None] * model.where(id="a").exists(),
    "backend.get": lambda model, backend: [row for row in [backend.get(model, id="a")] if row],
    "backend.count": lambda model, backend: [None] * backend.count(model, id="a"),
    "update by query": lambda model, backend: [None] * model.where(id="a").update(user="z"),
    "delete by query": lambda model, backend: [None] * model.where(id="a").delete(),
}


class HiddenCases(Conformance):
    """Rows that extensions hide."""

    @pytest.fixture
    def mortals(self, use: Use, clock: Clock) -> Any:
        """a and b die after 10 seconds, c after 20, d never."""
        use(Session)
        for name, lifetime in (("a", 10), ("b", 10), ("c", 20), ("d", None)):
            Session.create(id=name, user="u", expires_in=lifetime)
        return Session

    @pytest.fixture
    def letters(self, use: Use) -> Any:
        """a and b are hidden, c is not."""
        use(Letter)
        Letter.batch_create([{"id": name, "user": "u"} for name in "abc"])
        Letter.where(id__in=["a", "b"]).delete()
        return Letter

    # -- dead ---------------------------------------------------------------------------------------------------------

    @extensions
    @pytest.mark.parametrize("read", READS)
    def test_a_dead_row_is_absent_on_every_path(self, mortals: Any, clock: Clock, backend: Backend, read: str) -> None:
        clock.forward(seconds=10)
        assert READS[read](mortals, backend) == []

    @extensions
    @pytest.mark.parametrize("read", READS)
    def test_a_row_lives_until_the_moment_of_its_death_on_every_path(
        self, mortals: Any, clock: Clock, backend: Backend, read: str
    ) -> None:
        clock.forward(seconds=9, microseconds=999_999)
        assert len(READS[read](mortals, backend)) == 1

    @extensions
    def test_dead_rows_do_not_count_towards_limits_and_pages(self, mortals: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        ordered = mortals.where().order_by("id")
        assert ids(ordered.limit(1).all()) == ["c"]
        assert ids(ordered.offset(1).all()) == ["d"]
        assert ordered.limit(3).count() == 2
        page = ordered.limit(1).paginate()
        assert ids(page) + ids(ordered.limit(1).cursor(page.cursor).paginate()) == ["c", "d"]

    @extensions
    def test_a_row_that_dies_between_pages_is_skipped(self, mortals: Any, clock: Clock) -> None:
        ordered = mortals.where().order_by("id")
        page = ordered.limit(1).paginate()
        clock.forward(seconds=10)
        assert ids(ordered.cursor(page.cursor).all()) == ["c", "d"]

    @extensions
    def test_an_option_shows_dead_rows_that_are_still_there(self, mortals: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        assert ids(mortals.include_expired().order_by("id").all()) == ["a", "b", "c", "d"]
        assert mortals.where(user="u").include_expired().count() == 4
        page = mortals.include_expired().order_by("id").limit(1).paginate()
        with pytest.raises(Exception, match="another query"):
            mortals.where().order_by("id").cursor(page.cursor).all()

    @extensions
    def test_the_key_of_a_dead_row_is_free(self, mortals: Any, clock: Clock) -> None:
        with pytest.raises(DuplicateKeyError):
            mortals.create(id="a")
        clock.forward(seconds=10)
        mortals.create(id="a", user="new")
        mortals.upsert(id="b", user="new")
        assert sorted(ids(mortals.where(user="new").all())) == ["a", "b"]
        assert mortals.where(id="a").include_expired().count() == 1

    @extensions
    def test_a_batch_takes_the_places_of_dead_rows_only(self, mortals: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        with pytest.raises(BatchError) as caught:
            mortals.batch_create([{"id": "a"}, {"id": "b"}, {"id": "c"}])
        assert list(caught.value.failed) == [2]
        assert sorted(ids(mortals.all())) == ["a", "b", "c", "d"]

    @extensions
    def test_a_dead_row_is_not_found_by_those_who_hold_it(self, mortals: Any, clock: Clock) -> None:
        held = mortals.get("a")
        clock.forward(seconds=10)
        for write in (lambda: held.update(user="x"), held.save, held.refresh):
            with pytest.raises(NotFoundError):
                write()
        assert held.delete() is False
        assert mortals.where(id="a").include_expired().one().user == "u"

    @unique
    @extensions
    def test_the_unique_value_of_a_dead_row_is_free(self, use: Use, clock: Clock) -> None:
        use(Pass)
        Pass.create(id="a", token="t", expires_in=10)
        other = Pass.create(id="b")
        clock.forward(seconds=10)
        other.update(token="t")
        assert Pass.get(token="t").id == "b"

    @extensions
    @atomic
    def test_a_transaction_takes_the_place_of_a_dead_row(self, mortals: Any, clock: Clock, backend: Backend) -> None:
        clock.forward(seconds=10)
        with backend.transaction():
            mortals.create(id="a", user="new")
        assert mortals.get("a").user == "new"

    @extensions
    @awaited
    async def test_a_dead_row_is_absent_for_awaited_reads(self, mortals: Any, clock: Clock) -> None:
        clock.forward(seconds=10)
        assert await mortals.aget("a") is None
        assert await mortals.acount() == 2
        assert sorted([row.id async for row in mortals.where()]) == ["c", "d"]

    # -- veiled -------------------------------------------------------------------------------------------------------

    @extensions
    @pytest.mark.parametrize("read", READS)
    def test_a_veiled_row_is_out_of_sight_on_every_path(self, letters: Any, backend: Backend, read: str) -> None:
        assert READS[read](letters, backend) == []
        assert letters.where(id="a").include_hidden().one().user == "u"

    @extensions
    def test_the_key_of_a_veiled_row_is_taken(self, letters: Any) -> None:
        with pytest.raises(DuplicateKeyError):
            letters.create(id="a")
        with pytest.raises(BatchError) as caught:
            letters.batch_create([{"id": "b"}, {"id": "x"}])
        assert list(caught.value.failed) == [0]
        assert ids(letters.where().order_by("id").all()) == ["c", "x"]

    @extensions
    def test_a_veiled_row_is_not_found_by_those_who_hold_it(self, letters: Any) -> None:
        held, other = letters.get("c"), letters.get("c")
        assert (held.delete(), other.delete()) == (True, False)
        with pytest.raises(NotFoundError):
            other.update(user="x")
        assert letters.where(id="c").include_hidden().one().user == "u"

    @extensions
    def test_a_row_that_is_out_of_sight_can_not_be_refreshed(self, letters: Any, clock: Clock, use: Use) -> None:
        held = letters.get("c")
        letters.get("c").delete()
        use(Session)
        mortal = Session.create(id="a", expires_in=10)
        clock.forward(seconds=10)
        for row in (held, mortal):
            before = dict(vars(row))
            with pytest.raises(NotFoundError):
                row.refresh()
            assert vars(row) == before

    @extensions
    def test_veiled_rows_do_not_count_towards_limits_and_pages(self, letters: Any) -> None:
        letters.create(id="d")
        ordered = letters.where().order_by("id")
        assert ids(ordered.limit(1).all()) == ["c"]
        page = ordered.limit(1).paginate()
        assert ids(ordered.cursor(page.cursor).paginate()) == ["d"]
        assert ordered.offset(1).count() == 1

    @extensions
    def test_a_revealed_row_can_be_written_by_query(self, letters: Any) -> None:
        assert letters.where(id="a").include_hidden().update(hidden=False) == 1
        assert letters.get("a").user == "u"
        assert letters.where(id="b").include_hidden().delete(physical=True) == 1
        assert letters.create(id="b").id == "b"
