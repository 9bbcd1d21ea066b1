"""Batches: in order, each row by itself, bad rows refused before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import BatchError, DuplicateKeyError, QueryError, ValidationError
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Document, Entry, Membership, Person, Session, Thing
from mixstore.testing.support import Clock, Use, awaited, ids
from mixstore.testing.tags import extensions, locking


class BatchCases(Conformance):
    """Batches: in order, each row by itself, bad rows refused before anything is written."""

    def test_batch_create_returns_the_rows_in_order(self, use: Use) -> None:
        use(Person)
        made = Person.batch_create([{"id": name} for name in "cab"])
        assert ids(made) == ["c", "a", "b"]
        assert ids(Person.where().order_by("id").all()) == ["a", "b", "c"]

    def test_an_empty_batch_does_nothing(self, use: Use) -> None:
        use(Person)
        assert Person.batch_create([]) == []
        assert Person.batch_upsert(iter([])) == []
        assert Person.batch_get([]) == []

    def test_a_batch_takes_dicts_instances_and_any_iterable(self, use: Use) -> None:
        use(Person)
        rows: list[Any] = [{"id": "a", "age": "3"}, Person(id="b", age=4)]
        made = Person.batch_create(one for one in rows)
        assert [row.age for row in made] == [3, 4]
        made[0].update(age=5)
        made[1].name = "B"
        made[1].save()
        assert (Person.get("a").age, Person.get("b").name) == (5, "B")

    def test_batch_create_tries_every_row_and_tells_each_outcome(self, use: Use) -> None:
        use(Person)
        Person.create(id="b", name="old")
        with pytest.raises(BatchError) as caught:
            Person.batch_create([{"id": "a"}, {"id": "b", "name": "new"}, {"id": "c"}, {"id": "a", "name": "again"}])
        error = caught.value
        assert [type(one) for one in error.outcomes] == [type(None), DuplicateKeyError, type(None), DuplicateKeyError]
        assert sorted(error.failed) == [1, 3]
        assert getattr(error.failed[1], "key", None) == "b"
        assert error.model is Person
        assert Person.get("b").name == "old"
        assert Person.get("a").name == ""
        assert ids(Person.where().order_by("id").all()) == ["a", "b", "c"]

    def test_batch_upsert_replaces_and_the_last_of_two_wins(self, use: Use) -> None:
        use(Person)
        Person.create(id="b", name="old", age=9)
        Person.batch_upsert([{"id": "a", "name": "first"}, {"id": "b", "name": "new"}, {"id": "a", "name": "last"}])
        assert Person.get("a").name == "last"
        assert (Person.get("b").name, Person.get("b").age) == ("new", None)

    def test_rows_that_the_model_refuses_are_told_by_position_before_anything_is_written(self, use: Use) -> None:
        use(Person)
        for batch in (Person.batch_create, Person.batch_upsert):
            with pytest.raises(ValidationError) as caught:
                batch([{"id": "a"}, {"id": "b", "age": "old"}, {"id": "c"}, {"nmae": "x"}])
            assert {error["loc"][0] for error in caught.value.errors()} == {1, 3}
            assert (1, "age") in {error["loc"] for error in caught.value.errors()}
            assert "1, 3" in str(caught.value)
            assert Person.count() == 0

    @extensions
    def test_a_refused_argument_of_a_mixin_is_told_by_position_too(self, use: Use) -> None:
        use(Session)
        with pytest.raises(ValidationError) as caught:
            Session.batch_create([{"id": "a"}, {"id": "b", "expires_in": "soon"}])
        assert [error["loc"][0] for error in caught.value.errors()] == [1]
        assert Session.count() == 0

    def test_what_is_no_row_is_told_by_position_too(self, use: Use) -> None:
        use(Person, Membership)
        others: tuple[Any, ...] = ("a", 5, None, Membership(group="g", member=1))
        for strange in others:
            with pytest.raises(ValidationError, match=f"not {type(strange).__name__}") as caught:
                Person.batch_create([{"id": "a"}, strange])
            assert [error["loc"] for error in caught.value.errors()] == [(1,)]
        assert Person.count() == 0

    def test_a_row_that_can_not_be_stored_fails_alone_or_stops_the_batch_but_is_never_lost(self, use: Use) -> None:
        use(Thing)
        with pytest.raises((BatchError, ValidationError)) as caught:
            Thing.batch_create([{"id": 1}, {"id": 2, "real": float("nan")}, {"id": 3}])
        if isinstance(caught.value, BatchError):
            assert list(caught.value.failed) == [1]
            assert isinstance(caught.value.failed[1], ValidationError)
            assert "real" in str(caught.value.failed[1])
            assert ids(Thing.where().order_by("id").all()) == [1, 3]
        else:
            assert "real" in str(caught.value)
            assert Thing.count() == 0

    def test_batch_get_answers_in_the_order_of_the_keys(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": name} for name in "abc"])
        found = Person.batch_get(["c", "x", "a", {"id": "b"}, "c"])
        assert [None if row is None else row.id for row in found] == ["c", None, "a", "b", "c"]
        assert found[0] is not found[4]

    def test_batch_get_of_a_key_of_two_fields(self, use: Use) -> None:
        use(Membership)
        Membership.batch_create([{"group": "g", "member": n} for n in range(3)])
        found = Membership.batch_get([("g", 2), {"group": "g", "member": 0}, ("h", 0)])
        assert [None if row is None else row.member for row in found] == [2, 0, None]

    def test_batch_get_refuses_what_is_no_key(self, use: Use) -> None:
        use(Person)
        with pytest.raises(QueryError):
            Person.batch_get(["a", 5])

    def test_a_large_batch_is_stored_and_read_whole(self, use: Use) -> None:
        use(Thing)
        count = self.limits.rows
        made = Thing.batch_create([{"id": n, "text": str(n)} for n in range(count)])
        assert len(made) == count
        assert Thing.count() == count
        found = Thing.batch_get(range(count + 100))
        assert ids(found[:count]) == list(range(count))
        assert found[count:] == [None] * 100
        Thing.batch_upsert([{"id": n, "text": "new"} for n in range(count)])
        assert Thing.where(text="new").count() == count

    def test_a_large_batch_with_failures_stores_the_rest(self, use: Use) -> None:
        use(Thing)
        count = min(1500, self.limits.rows)
        Thing.batch_create([{"id": n} for n in range(0, count, 100)])
        with pytest.raises(BatchError) as caught:
            Thing.batch_create([{"id": n, "text": "batch"} for n in range(count)])
        assert sorted(caught.value.failed) == list(range(0, count, 100))
        assert Thing.where(text="batch").count() == count - len(range(0, count, 100))

    @locking
    def test_batches_of_models_with_extensions_go_through_the_chain(self, use: Use, clock: Clock) -> None:
        use(Document, Entry, Session)
        assert [row.version for row in Document.batch_create([{"id": "a"}, {"id": "b"}])] == [1, 1]
        assert [row.version for row in Document.batch_upsert([{"id": "a"}, {"id": "c"}])] == [2, 1]
        assert Document.get("a").version == 2
        with pytest.raises(BatchError) as caught:
            Document.batch_create([{"id": "a"}, {"id": "d"}])
        assert sorted(caught.value.failed) == [0]
        assert Document.get("a").version == 2
        assert [row.created_at for row in Entry.batch_create([{"id": "a"}, {"id": "b"}])] == [clock.now, clock.now]
        rows = Session.batch_create([{"id": "a", "expires_in": 5}, {"id": "b"}])
        assert [row.expires_at is None for row in rows] == [False, True]

    @locking
    def test_a_batch_of_versioned_upserts_of_one_key_counts_once(self, use: Use) -> None:
        use(Document)
        Document.batch_upsert([{"id": "a", "text": "first"}, {"id": "a", "text": "last"}])
        found = Document.get("a")
        assert (found.text, found.version) == ("last", 1)

    @awaited
    async def test_async_batches_do_what_the_others_do(self, use: Use) -> None:
        use(Person)
        await Person.abatch_create([{"id": "a"}, {"id": "b"}])
        with pytest.raises(BatchError) as caught:
            await Person.abatch_create([{"id": "b"}, {"id": "c"}])
        assert list(caught.value.failed) == [0]
        await Person.abatch_upsert([{"id": "b", "age": 1}, {"id": "d"}])
        assert [row and row.age for row in await Person.abatch_get(["b", "x", "d"])] == [1, None, None]

    def test_instances_of_a_batch_that_failed_are_still_new(self, use: Use) -> None:
        use(Person)
        Person.create(id="a", name="old")
        taken, free = Person(id="a", name="new"), Person(id="b")
        with pytest.raises(BatchError):
            Person.batch_create([taken, free])
        with pytest.raises(DuplicateKeyError):
            taken.save()
        free.age = 3
        free.save()
        assert (Person.get("a").name, Person.get("b").age) == ("old", 3)
