"""Update and delete by query: every row goes through the chain by itself, and only while it matches."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    Field,
    Model,
    Q,
    QueryError,
    ValidationError,
    WriteContext,
    after_delete,
    after_save,
    before_delete,
    before_save,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Document, Entry, Note, Person, Session, Thing
from mixstore.testing.support import Clock, Use, ids, together
from mixstore.testing.tags import conditions, extensions, locking

CALLS: list[str] = []


class Watched(Model):
    """Tells which hooks ran on which row."""

    id: str = Field(primary_key=True)
    size: int = 0

    @before_save
    def saving(self, context: WriteContext) -> None:
        """Before a write."""
        if self.size == 13:
            raise ValueError("thirteen")
        CALLS.append(f"before_save {self.id}")

    @after_save
    def saved(self) -> None:
        """After a write."""
        CALLS.append(f"after_save {self.id}")

    @before_delete
    def deleting(self) -> None:
        """Before a delete."""
        if self.size == 99:
            raise RuntimeError("kept")
        CALLS.append(f"before_delete {self.id}")

    @after_delete
    def deleted(self) -> None:
        """After a delete."""
        CALLS.append(f"after_delete {self.id}")


class Contested(Model):
    """Lets somebody else in between the query and the write."""

    id: str = Field(primary_key=True)
    size: int = 0
    text: str = ""

    def meanwhile(self) -> None:
        """What the others do."""

    @before_save
    def saving(self) -> None:
        """Before a write."""
        self.meanwhile()

    @before_delete
    def deleting(self) -> None:
        """Before a delete."""
        self.meanwhile()


class WriteByQueryCases(Conformance):
    """Update and delete by query: every row goes through the chain by itself, and only while it matches."""

    @pytest.fixture
    def six_people(self, use: Use) -> Any:
        """Six six_people of ages 0 to 5."""
        use(Person)
        Person.batch_create([{"id": name, "age": age} for age, name in enumerate("abcdef")])
        return Person

    def test_update_changes_the_rows_that_match_and_counts_them(self, six_people: Any) -> None:
        assert six_people.where(age__gte=3).update(city="Rome", active=False) == 3
        assert ids(six_people.where(city="Rome", active=False).order_by("id").all()) == ["d", "e", "f"]
        assert six_people.where(age__gt=99).update(city="x") == 0
        assert six_people.where().update(name="all") == 6

    def test_update_may_change_what_the_filter_asks_for(self, six_people: Any) -> None:
        assert six_people.where(age__gte=3).update(age=0) == 3
        assert six_people.where(age=0).count() == 4
        assert six_people.where(age=0).update(age=7) == 4
        assert six_people.where(age=0).count() == 0

    def test_delete_removes_the_rows_that_match_and_counts_them(self, six_people: Any) -> None:
        assert six_people.where(age__lt=2).delete() == 2
        assert six_people.where(age__lt=2).delete() == 0
        assert ids(six_people.where().order_by("id").all()) == ["c", "d", "e", "f"]
        assert six_people.where().delete() == 4
        assert six_people.count() == 0

    def test_limit_offset_and_order_choose_the_rows(self, six_people: Any) -> None:
        assert six_people.where().order_by("-age").limit(2).delete() == 2
        assert ids(six_people.where().order_by("id").all()) == ["a", "b", "c", "d"]
        assert six_people.where().order_by("id").offset(1).limit(2).update(city="x") == 2
        assert ids(six_people.where(city="x").order_by("id").all()) == ["b", "c"]
        assert six_people.where().limit(1).update(city="first") == 1
        assert six_people.get("a").city == "first"

    def test_a_filter_that_the_engine_can_not_apply_itself_still_guards(self, six_people: Any) -> None:
        assert six_people.where(id__regex="[ab]", age__lt=1).update(city="x") == 1
        assert six_people.where(Q(id__regex="[cd]") | Q(age=5)).delete() == 3
        assert ids(six_people.where().order_by("id").all()) == ["a", "b", "e"]

    def test_rows_with_rendered_keys_are_written_too(self, use: Use) -> None:
        use(Note)
        Note.batch_create([{"user": user, "number": n} for user in "xy" for n in range(3)])
        assert Note.where(user="x").update(text="new") == 3
        assert Note.where(number=1).delete() == 2
        assert Note.count(text="new") == 2

    def test_more_rows_than_a_page_are_all_written(self, use: Use) -> None:
        use(Thing)
        count = min(1300, self.limits.rows)
        Thing.batch_create([{"id": n, "number": n % 2} for n in range(count)])
        assert Thing.where(number=0).update(number=2) == len(range(0, count, 2))
        assert Thing.where(number=2).count() == len(range(0, count, 2))
        assert Thing.where(number__gte=1).delete() == count

    @pytest.mark.parametrize("changes", [{"aeg": 1}, {"age__gte": 1}, {"home__city": "x"}])
    def test_an_unknown_field_is_refused_before_anything_is_written(
        self, six_people: Any, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(QueryError):
            six_people.where().update(**changes)
        assert six_people.where(age=1).count() == 1

    def test_a_value_that_does_not_fit_is_refused(self, six_people: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            six_people.where().update(age="old")
        assert caught.value.field == "age"
        assert six_people.where(age__isnull=False).count() == 6

    def test_a_key_can_not_be_changed(self, six_people: Any) -> None:
        with pytest.raises(ValidationError, match="key"):
            six_people.where(age=1).update(id="zz")
        assert six_people.get("zz") is None
        assert six_people.get("b") is not None

    def test_select_and_a_write_do_not_go_together(self, six_people: Any) -> None:
        with pytest.raises(QueryError):
            six_people.where().select("id").delete()
        with pytest.raises(QueryError):
            six_people.where().select("id").update(age=1)
        assert six_people.count() == 6

    def test_hooks_run_once_a_row(self, use: Use) -> None:
        use(Watched)
        Watched.batch_create([{"id": "a", "size": 1}, {"id": "b", "size": 2}, {"id": "c", "size": 3}])
        CALLS.clear()
        assert Watched.where(size__gte=2).update(size=5) == 2
        assert sorted(CALLS) == ["after_save b", "after_save c", "before_save b", "before_save c"]
        CALLS.clear()
        assert Watched.where(size=5).delete() == 2
        assert sorted(CALLS) == ["after_delete b", "after_delete c", "before_delete b", "before_delete c"]

    def test_a_failing_hook_keeps_its_row_as_it_was(self, use: Use) -> None:
        use(Watched)
        Watched.batch_create([{"id": "a", "size": 1}, {"id": "b", "size": 99}])
        with pytest.raises(ValidationError, match="thirteen"):
            Watched.where(size=1).update(size=13)
        assert Watched.get("a").size == 1
        with pytest.raises(Exception, match="kept"):
            Watched.where(size=99).delete()
        assert Watched.get("b") is not None

    @locking
    def test_versions_count_on_and_timestamps_move(self, use: Use, clock: Clock) -> None:
        use(Document, Entry)
        Document.batch_create([{"id": "a"}, {"id": "b"}])
        Entry.create(id="e")
        created = clock.now
        clock.forward(seconds=5)
        assert Document.where().update(text="x") == 2
        assert [row.version for row in Document.all()] == [2, 2]
        assert Entry.where().update(text="x") == 1
        assert (Entry.get("e").created_at, Entry.get("e").updated_at) == (created, clock.now)

    @extensions
    def test_expired_rows_are_not_written(self, use: Use, clock: Clock) -> None:
        use(Session)
        Session.batch_create([{"id": "a", "expires_in": 10}, {"id": "b"}])
        clock.forward(seconds=10)
        assert Session.where().update(user="x") == 1
        assert Session.where().delete() == 1
        rows = Session.include_expired().all()
        assert [(row.id, row.user) for row in rows] == [("a", "")]

    @extensions
    def test_arguments_of_mixins_work_in_an_update_by_query(self, use: Use, clock: Clock) -> None:
        use(Session)
        Session.batch_create([{"id": "a", "expires_in": 10}, {"id": "b", "expires_in": 10}])
        assert Session.where(id="a").update(expires_in=100) == 1
        clock.forward(seconds=10)
        assert ids(Session.all()) == ["a"]

    @conditions
    def test_a_row_that_changes_meanwhile_is_written_only_if_it_still_matches(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": f"{n:02d}", "age": 0} for n in range(40)])

        def work(number: int) -> int:
            if number == 0:
                return int(Person.where(age=0).update(city="claimed"))
            for n in range(number, 40, 4):
                person = Person.get(f"{n:02d}")
                person.update(age=1)
            return 0

        results = together(4, work)
        assert all(isinstance(one, int) for one in results), results
        assert results[0] == Person.where(city="claimed").count()
        assert Person.where(age=0, city=None).count() == 0

    @conditions
    @pytest.mark.parametrize("write", ["update", "delete"])
    def test_a_row_that_stops_to_match_between_the_query_and_its_write_is_left_alone(
        self, use: Use, monkeypatch: pytest.MonkeyPatch, write: str
    ) -> None:
        use(Contested)
        Contested.batch_create([{"id": key, "size": 1} for key in "ab"])
        others = [lambda: Contested.get("a").update(size=2, text="theirs")]
        monkeypatch.setattr(Contested, "meanwhile", lambda self: others.pop()() if self.id == "a" and others else None)
        question = Contested.where(size=1)
        assert (question.delete() if write == "delete" else question.update(text="mine")) == 1
        assert vars(Contested.get("a")) == {"id": "a", "size": 2, "text": "theirs"}
        assert Contested.exists(id="b") is (write == "update")

    @conditions
    def test_a_row_that_changes_but_still_matches_is_written_and_keeps_the_change(
        self, use: Use, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(Contested)
        Contested.create(id="a", size=1)
        others = [lambda: Contested.get("a").update(text="theirs")]
        monkeypatch.setattr(Contested, "meanwhile", lambda self: others.pop()() if others else None)
        assert Contested.where(size=1).update(size=3) == 1
        assert vars(Contested.get("a")) == {"id": "a", "size": 3, "text": "theirs"}

    @locking
    def test_writers_by_query_share_the_rows_between_them(self, use: Use) -> None:
        use(Document)
        Document.batch_create([{"id": str(n)} for n in range(30)])
        results = together(4, lambda n: Document.where(text="").update(text=f"by {n}"))
        assert all(isinstance(one, int) for one in results), results
        assert sum(results) == 30
        assert [row.version for row in Document.all()] == [2] * 30
        for number in range(4):
            assert Document.where(text=f"by {number}").count() == results[number]

    @conditions
    def test_a_row_that_changes_meanwhile_is_deleted_only_if_it_still_matches(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": f"{n:02d}", "age": 0} for n in range(40)])

        def work(number: int) -> int:
            if number == 0:
                return int(Person.where(age=0).delete())
            return sum(Person.where(id=f"{n:02d}", age=0).update(age=1) for n in range(number, 40, 4))

        results = together(4, work)
        assert all(isinstance(one, int) for one in results), results
        assert Person.count() == Person.where(age=1).count() == sum(results[1:])
        assert sum(results) == 40 - Person.where(age=0).delete() == 40

    @conditions
    def test_threads_that_delete_by_query_count_each_row_once(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create([{"id": n} for n in range(200)])
        results = together(4, lambda n: Thing.where().delete())
        assert all(isinstance(one, int) for one in results), results
        assert sum(results) == 200
