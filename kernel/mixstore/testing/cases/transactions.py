"""Transactions: a buffer of writes of several models, committed all or nothing."""

from __future__ import annotations

import pytest

from mixstore import (
    Backend,
    BatchError,
    ConflictError,
    DuplicateKeyError,
    NotFoundError,
    TransactionError,
    ValidationError,
    VersionConflictError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Account, Contact, Document, Entry, Lease, Letter, Membership, Person, Session
from mixstore.testing.support import Clock, Use, ids, together
from mixstore.testing.tags import atomic, conditions, extensions, locking, unique


class TransactionCases(Conformance):
    """Transactions: a buffer of writes of several models, committed all or nothing."""

    @atomic
    def test_writes_of_several_models_are_stored_at_the_end(self, use: Use, backend: Backend) -> None:
        use(Person, Account, Membership)
        old = Account.create(id="old", balance=1)
        gone = Account.create(id="gone")
        with backend.transaction():
            Person.create(id="a", name="Ann")
            Account.upsert(id="b", owner="a")
            old.update(balance=2)
            gone.delete()
            Membership(group="g", member=1).save()
            assert (Person.count(), Account.count(), Membership.count()) == (0, 2, 0)
        assert Person.get("a").name == "Ann"
        assert Account.get("b").owner == "a"
        assert Account.get("old").balance == 2
        assert Account.get("gone") is None
        assert Membership.get(group="g", member=1) is not None

    @atomic
    @unique
    def test_one_failing_write_leaves_nothing_behind(self, use: Use, backend: Backend) -> None:
        use(Contact, Account)
        Account.create(id="taken")
        old, gone = Contact.create(id="old", name="before"), Contact.create(id="gone", email="g@x.org")
        with pytest.raises(DuplicateKeyError) as caught, backend.transaction():  # noqa: PT012
            Contact.create(id="a", email="a@x.org")
            old.update(name="after")
            gone.delete()
            Account.create(id="taken")
            Contact.create(id="z")
        assert caught.value.model is Account
        assert caught.value.key == "taken"
        assert ids(Contact.where().order_by("id").all()) == ["gone", "old"]
        assert Contact.get("old").name == "before"
        assert Contact.get(email="g@x.org").id == "gone"
        assert ids(Contact.where(email="a@x.org").all()) == []
        Contact.create(id="b", email="a@x.org")

    @atomic
    @locking
    def test_an_error_names_the_write_that_failed(self, use: Use, backend: Backend) -> None:
        use(Person, Document)
        document = Document.create(id="d")
        Document.get("d").update(text="theirs")
        gone = Person.create(id="p")
        Person.get("p").delete()
        with pytest.raises(VersionConflictError) as conflict, backend.transaction():  # noqa: PT012
            Person.create(id="a")
            document.update(text="mine")
        assert (conflict.value.model, conflict.value.key) == (Document, "d")
        assert (conflict.value.expected, conflict.value.stored) == (1, 2)
        with pytest.raises(NotFoundError) as missing, backend.transaction():  # noqa: PT012
            Person.create(id="a")
            gone.update(name="x")
        assert (missing.value.model, missing.value.key) == (Person, "p")
        assert Person.get("a") is None
        assert Document.get("d").text == "theirs"

    @atomic
    def test_an_exception_in_the_block_drops_the_buffer(self, use: Use, backend: Backend) -> None:
        use(Person)
        person = Person.create(id="a", age=1)
        with pytest.raises(RuntimeError, match="stop"), backend.transaction():  # noqa: PT012
            Person.create(id="b")
            person.update(age=2)
            raise RuntimeError("stop")
        assert person.age == 1
        assert ids(Person.all()) == ["a"]
        person.update(age=3)
        assert Person.get("a").age == 3

    @atomic
    def test_an_empty_transaction_is_fine(self, use: Use, backend: Backend) -> None:
        use(Person)
        with backend.transaction():
            pass
        with backend.transaction():
            assert Person.all() == []

    @atomic
    @locking
    def test_instances_change_only_after_the_commit(self, use: Use, backend: Backend) -> None:
        use(Person, Document)
        person, document = Person.create(id="a", age=1), Document.create(id="d")
        with backend.transaction():
            person.update(age=2)
            document.update(text="new")
            assert (person.age, document.text, document.version) == (1, "", 1)
        assert (person.age, document.text, document.version) == (2, "new", 2)
        document.update(text="newer")
        assert Document.get("d").version == 3

    @atomic
    @locking
    def test_instances_of_a_failed_commit_stay_as_they_were(self, use: Use, backend: Backend) -> None:
        use(Person, Document)
        Person.create(id="taken")
        document, fresh = Document.create(id="d"), Person(id="b")
        with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012
            document.update(text="new")
            fresh.save()
            Person.create(id="taken")
        assert (document.text, document.version) == ("", 1)
        document.update(text="other")
        assert fresh.save() is fresh
        assert Person.get("b") is not None

    @atomic
    def test_an_instance_created_in_a_transaction_can_be_saved_after_it(self, use: Use, backend: Backend) -> None:
        use(Person)
        with backend.transaction():
            person = Person.create(id="a")
        person.age = 2
        person.save()
        assert Person.get("a").age == 2

    @atomic
    def test_one_record_takes_one_write(self, use: Use, backend: Backend) -> None:
        use(Person, Account)
        person = Person.create(id="a")
        with backend.transaction():
            person.update(age=2)
            Account.create(id="a")
            for second in (
                lambda: person.update(age=3),
                lambda: person.delete(),
                lambda: Person.upsert(id="a"),
                lambda: Person.create(id="a"),
            ):
                with pytest.raises(TransactionError) as caught:
                    second()
                assert (caught.value.model, caught.value.key) == (Person, "a")
        assert Person.get("a").age == 2

    @atomic
    @unique
    def test_reading_a_record_with_a_buffered_write_is_refused(self, use: Use, backend: Backend) -> None:
        use(Contact)
        person = Contact.create(id="a", email="a@x.org")
        with backend.transaction():
            person.update(age=2)
            for read in (
                lambda: Contact.get("a"),
                lambda: Contact.get(email="a@x.org"),
                lambda: person.refresh(),
                lambda: Contact.batch_get(["b", "a"]),
            ):
                with pytest.raises(TransactionError):
                    read()
            assert Contact.get("b") is None
        assert Contact.get("a").age == 2

    @atomic
    def test_other_records_and_queries_show_what_is_committed(self, use: Use, backend: Backend) -> None:
        use(Person)
        Person.batch_create([{"id": "a", "age": 1}, {"id": "b", "age": 1}])
        with backend.transaction():
            assert Person.where(age=1).update(age=2) == 2
            assert Person.where(age=1).count() == 2
            Person.create(id="c", age=1)
            assert Person.count() == 2
        assert Person.where(age=2).count() == 2
        assert Person.count() == 3

    @atomic
    def test_delete_by_query_is_buffered(self, use: Use, backend: Backend) -> None:
        use(Person)
        Person.batch_create([{"id": name} for name in "abc"])
        with pytest.raises(RuntimeError), backend.transaction():  # noqa: PT012
            assert Person.where(id__lt="c").delete() == 2
            raise RuntimeError
        assert Person.count() == 3
        with backend.transaction():
            Person.where(id__lt="c").delete()
        assert ids(Person.all()) == ["c"]

    @atomic
    def test_a_batch_is_buffered_with_the_rest(self, use: Use, backend: Backend) -> None:
        use(Person)
        Person.create(id="taken")
        with backend.transaction():
            Person.batch_create([{"id": "a"}, {"id": "b"}])
            Person.batch_upsert([{"id": "taken", "age": 1}])
            with pytest.raises((BatchError, TransactionError)):
                Person.batch_create([{"id": "a"}])
            assert Person.count() == 1
        assert Person.get("taken").age == 1
        assert Person.count() == 3
        with pytest.raises(DuplicateKeyError), backend.transaction():
            Person.batch_create([{"id": "c"}, {"id": "a"}])
        assert Person.count() == 3

    @atomic
    def test_bad_data_fails_at_the_call_and_the_rest_goes_on(self, use: Use, backend: Backend) -> None:
        use(Person)
        with backend.transaction():
            with pytest.raises(ValidationError):
                Person.create(id="a", age="old")
            Person.create(id="a", age=5)
        assert Person.get("a").age == 5

    @atomic
    def test_deleting_what_is_not_there_does_not_stop_a_transaction(self, use: Use, backend: Backend) -> None:
        use(Person)
        person = Person.create(id="a")
        person.delete()
        with backend.transaction():
            assert person.delete() is True
            Person.create(id="b")
        assert ids(Person.all()) == ["b"]

    @atomic
    @extensions
    def test_deleting_what_has_expired_does_not_stop_a_transaction(
        self, use: Use, backend: Backend, clock: Clock
    ) -> None:
        use(Session)
        session = Session.create(id="a", expires_in=10)
        clock.forward(seconds=10)
        with backend.transaction():
            session.delete()
            Session.create(id="b")
        assert ids(Session.all()) == ["b"]

    @atomic
    @extensions
    def test_deleting_what_is_hidden_or_gone_does_not_stop_a_transaction(self, use: Use, backend: Backend) -> None:
        use(Letter)
        hidden, never = Letter.create(id="a"), Letter(id="never")
        stale = Letter.get("a")
        hidden.delete()
        with backend.transaction():
            stale.delete()
            never.delete()
            Letter.create(id="b")
        assert ids(Letter.all()) == ["b"]
        with backend.transaction():
            stale.delete()
        assert ids(Letter.all()) == ["b"]

    @atomic
    def test_transactions_do_not_nest(self, use: Use, backend: Backend) -> None:
        use(Person)
        with backend.transaction():
            Person.create(id="a")
            with pytest.raises(TransactionError, match="nest"), backend.transaction():
                raise AssertionError("never here")
        assert Person.get("a") is not None

    @atomic
    def test_a_transaction_is_used_once(self, use: Use, backend: Backend) -> None:
        use(Person)
        transaction = backend.transaction()
        with transaction:
            Person.create(id="a")
        with pytest.raises(TransactionError, match="once"), transaction:
            raise AssertionError("never here")

    @atomic
    @locking
    @unique
    def test_extensions_take_part(self, use: Use, backend: Backend, clock: Clock) -> None:
        use(Lease, Entry)
        first = Lease.create(id="a", slot=1, expires_in=60)
        with backend.transaction():
            first.update(holder="me")
            second = Lease.create(id="b", slot=2, expires_in=5)
            Lease.upsert(id="c")
            Entry.create(id="e")
        assert (first.version, second.version) == (2, 1)
        assert Entry.get("e").created_at == clock.now
        clock.forward(seconds=5)
        with backend.transaction():
            first.update(slot=2)
            Lease.create(id="b", slot=3)
        assert Lease.get(slot=2).id == "a"
        assert Lease.get("b").version == 1
        assert ids(Lease.include_expired().order_by("id").all()) == ["a", "b", "c"]

    @atomic
    @locking
    def test_a_stale_version_drops_the_whole_transaction(self, use: Use, backend: Backend) -> None:
        use(Document)
        first, second = Document.create(id="a"), Document.create(id="b")
        Document.get("b").update(text="theirs")
        with pytest.raises(VersionConflictError), backend.transaction():  # noqa: PT012
            first.update(text="mine")
            second.update(text="mine")
        assert Document.get("a").text == ""
        assert (first.version, second.version) == (1, 1)

    @atomic
    @conditions
    def test_a_row_that_changes_between_the_query_and_the_commit_drops_the_transaction(
        self, use: Use, backend: Backend
    ) -> None:
        use(Person)
        Person.batch_create([{"id": "a", "age": 1}, {"id": "b", "age": 1}])
        with pytest.raises(ConflictError), backend.transaction():  # noqa: PT012
            Person.where(age=1).update(city="x")
            together(1, lambda n: Person.get("b").update(age=9))
        assert Person.where(city="x").count() == 0
        assert Person.get("b").age == 9
