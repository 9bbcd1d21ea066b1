"""Create, upsert, get, save, update, delete, refresh, on every shape of key; sync, async and by the backend."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    Backend,
    DuplicateKeyError,
    NotFoundError,
    QueryError,
    ValidationError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Account, Address, Contact, Membership, Person
from mixstore.testing.support import Use
from mixstore.testing.tags import extensions, unique


class CrudCases(Conformance):
    """Create, upsert, get, save, update, delete, refresh, on every shape of key; sync, async and by the backend."""

    # -- create -------------------------------------------------------------------------------------------------------

    def test_a_created_row_is_read_back_equal(self, use: Use) -> None:
        use(Person)
        made = Person.create(id="a", name="Ann", age=30, home={"city": "Rome"}, tags=["x"], notes={"n": [1, None]})
        found = Person.get("a")
        assert found == made
        assert type(found) is Person
        assert found.home == Address(city="Rome")

    def test_create_fills_in_defaults(self, use: Use) -> None:
        use(Person)
        Person.create(id="a")
        found = Person.get("a")
        assert (found.name, found.age, found.active, found.tags, found.notes) == ("", None, True, [], {})

    def test_create_on_an_existing_key_raises_and_changes_nothing(self, use: Use, backend: Backend) -> None:
        use(Person)
        Person.create(id="a", name="Ann", age=1)
        with pytest.raises(DuplicateKeyError) as caught:
            Person.create(id="a", name="Bob")
        assert caught.value.model is Person
        assert caught.value.key == "a"
        assert caught.value.field is None
        assert caught.value.backend == backend.backend_name
        assert Person.get("a").name == "Ann"
        assert Person.count() == 1

    def test_create_refuses_bad_data_with_pydantics_errors_kept(self, use: Use) -> None:
        use(Person)
        with pytest.raises(ValidationError) as caught:
            Person.create(id="a", age="old")
        assert isinstance(caught.value, ValueError)
        assert caught.value.field == "age"
        assert caught.value.errors()[0]["loc"] == ("age",)
        assert caught.value.__cause__ is not None
        assert Person.count() == 0

    def test_create_names_the_nearest_field_for_an_unknown_one(self, use: Use) -> None:
        use(Person)
        with pytest.raises(ValidationError, match="did you mean 'name'"):
            Person.create(id="a", nmae="Ann")

    def test_rows_of_different_models_with_one_key_are_apart(self, use: Use) -> None:
        use(Person, Account)
        Person.create(id="a", name="Ann")
        Account.create(id="a", balance=5)
        assert Person.get("a").name == "Ann"
        assert Account.get("a").balance == 5
        assert (len(Person.all()), len(Account.all())) == (1, 1)
        Person.get("a").delete()
        assert Account.get("a") is not None

    # -- upsert -------------------------------------------------------------------------------------------------------

    def test_upsert_creates_a_row(self, use: Use) -> None:
        use(Person)
        Person.upsert(id="a", name="Ann")
        assert Person.get("a").name == "Ann"

    def test_upsert_replaces_the_whole_row(self, use: Use) -> None:
        use(Person)
        Person.create(id="a", name="Ann", age=30, tags=["x"])
        Person.upsert(id="a", name="Bob")
        found = Person.get("a")
        assert (found.name, found.age, found.tags) == ("Bob", None, [])
        assert Person.count() == 1

    def test_an_upserted_instance_can_be_saved(self, use: Use) -> None:
        use(Person)
        person = Person.upsert(id="a", name="Ann")
        person.age = 4
        person.save()
        assert Person.get("a").age == 4

    # -- get ----------------------------------------------------------------------------------------------------------

    def test_get_takes_the_key_by_position_or_by_name(self, use: Use) -> None:
        use(Person)
        Person.create(id="a")
        assert Person.get("a") == Person.get(id="a")

    def test_get_of_a_missing_key_is_none(self, use: Use) -> None:
        use(Person)
        assert Person.get("nobody") is None

    @unique
    def test_get_takes_one_unique_field(self, use: Use) -> None:
        use(Contact)
        Contact.create(id="a", email="a@x.org")
        assert Contact.get(email="a@x.org").id == "a"
        assert Contact.get(email="b@x.org") is None
        with pytest.raises(QueryError):
            Contact.get(email=None)

    @pytest.mark.parametrize(
        "question",
        [
            {},
            {"name": "Ann"},
            {"id": "a", "name": "Ann"},
            {"email": None},
            {"nmae": "Ann"},
            {"id": 5},
            {"id": None},
        ],
    )
    def test_get_refuses_what_is_no_key(self, use: Use, question: dict[str, Any]) -> None:
        use(Person)
        with pytest.raises(QueryError):
            Person.get(**question)

    def test_get_coerces_the_key_to_its_type(self, use: Use) -> None:
        use(Membership)
        Membership.create(group="g", member=7)
        assert Membership.get(group="g", member="7").member == 7
        with pytest.raises(QueryError, match="member"):
            Membership.get(group="g", member=True)

    @pytest.mark.parametrize(
        "key", ["", " ", "a b", "A", "ä", "a\0b", "%", "_", "'", '"; --', "𝔘", "x" * 2000, "USER#1"]
    )
    def test_any_text_is_a_key(self, use: Use, key: str) -> None:
        use(Person)
        Person.create(id="a", name="other")
        Person.create(id=key, name="this")
        assert Person.get(key).name == "this"
        assert Person.where(id=key).one().id == key
        assert Person.get(key).delete() is True
        assert Person.get(key) is None
        assert Person.get("a").name == "other"

    # -- save and update ----------------------------------------------------------------------------------------------

    def test_save_of_a_new_instance_creates(self, use: Use) -> None:
        use(Person)
        Person(id="a", name="Ann").save()
        assert Person.get("a").name == "Ann"
        with pytest.raises(DuplicateKeyError):
            Person(id="a", name="Bob").save()
        assert Person.get("a").name == "Ann"

    def test_save_of_a_loaded_instance_updates(self, use: Use) -> None:
        use(Person)
        Person.create(id="a", name="Ann", age=1)
        person = Person.get("a")
        person.age = 2
        assert person.save() is person
        assert Person.get("a") == person

    @extensions
    def test_save_writes_only_what_changed_since_the_row_was_loaded(self, use: Use) -> None:
        use(Person)
        Person.create(id="a", name="Ann", age=1)
        first, second = Person.get("a"), Person.get("a")
        first.name = "Bea"
        first.save()
        second.age = 2
        second.save()
        found = Person.get("a")
        assert (found.name, found.age) == ("Bea", 2)

    def test_save_sees_a_change_inside_a_nested_value(self, use: Use) -> None:
        use(Person)
        Person.create(id="a", home={"city": "Rome"}, tags=["x"], notes={"k": {"deep": [1]}})
        person = Person.get("a")
        person.home.city = "Oslo"
        person.tags.append("y")
        person.notes["k"]["deep"].append(2)
        person.save()
        found = Person.get("a")
        assert (found.home.city, found.tags, found.notes) == ("Oslo", ["x", "y"], {"k": {"deep": [1, 2]}})

    def test_a_save_after_a_save_writes_the_further_changes(self, use: Use) -> None:
        use(Person)
        person = Person(id="a", tags=["x"]).save()
        person.tags.append("y")
        person.save()
        person.tags.append("z")
        person.save()
        assert Person.get("a").tags == ["x", "y", "z"]

    def test_a_save_without_changes_is_fine_while_the_row_is_there(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", name="Ann")
        person.save()
        assert Person.get("a") == person
        Person.get("a").delete()
        with pytest.raises(NotFoundError):
            person.save()

    def test_save_checks_what_was_assigned(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", age=1)
        person.age = "much"  # type: ignore[assignment]
        with pytest.raises(ValidationError) as caught:
            person.save()
        assert caught.value.field == "age"
        assert Person.get("a").age == 1

    def test_a_saved_row_can_not_change_its_key(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a")
        person.id = "b"
        with pytest.raises(ValidationError, match="key"):
            person.save()
        assert Person.get("b") is None
        assert Person.get("a") is not None

    def test_update_stores_and_applies_the_changes(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", name="Ann", age=1)
        assert person.update(age="2", tags=["t"]) is person
        assert (person.age, person.tags) == (2, ["t"])
        assert Person.get("a") == person

    def test_update_can_set_a_field_to_none(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", age=1, home={"city": "Rome"}, email="a@x.org")
        person.update(age=None, home=None, email=None)
        found = Person.get("a")
        assert (found.age, found.home, found.email) == (None, None, None)

    def test_a_refused_update_changes_neither_row_nor_instance(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", age=1)
        with pytest.raises(ValidationError) as caught:
            person.update(name="new", age="old")
        assert caught.value.field == "age"
        assert (person.name, person.age) == ("", 1)
        assert Person.get("a") == person

    def test_update_names_the_nearest_field_for_an_unknown_one(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a")
        with pytest.raises(ValidationError, match="did you mean 'name'"):
            person.update(nmae="Ann")

    def test_update_of_a_missing_row_is_not_found(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a")
        Person.get("a").delete()
        with pytest.raises(NotFoundError) as caught:
            person.update(age=2)
        assert caught.value.key == "a"
        assert person.age is None
        assert Person.get("a") is None

    # -- delete and refresh -------------------------------------------------------------------------------------------

    def test_delete_tells_whether_the_row_was_there(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a")
        assert person.delete() is True
        assert person.delete() is False
        assert Person.get("a") is None
        assert Person.count() == 0

    def test_delete_of_an_instance_that_was_never_stored_goes_by_its_key(self, use: Use) -> None:
        use(Person)
        Person.create(id="a")
        assert Person(id="b").delete() is False
        assert Person(id="a").delete() is True

    def test_a_stale_instance_does_not_resurrect_a_deleted_row(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", name="Ann")
        person.delete()
        person.name = "Zombie"
        with pytest.raises(NotFoundError):
            person.save()
        assert Person.get("a") is None

    def test_a_deleted_key_can_be_created_again(self, use: Use) -> None:
        use(Person)
        Person.create(id="a", name="first", tags=["old"]).delete()
        Person.create(id="a", name="second")
        assert Person.get("a") == Person(id="a", name="second")

    def test_refresh_reads_the_row_again(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", age=1)
        Person.get("a").update(age=2)
        assert person.refresh() is person
        assert person.age == 2
        person.update(age=3)
        assert Person.get("a").age == 3

    def test_refresh_drops_what_was_not_saved(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", tags=["x"])
        person.tags.append("y")
        person.name = "other"
        person.refresh()
        assert person == Person(id="a", tags=["x"])

    def test_refresh_of_a_deleted_row_is_not_found(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a")
        Person.get("a").delete()
        with pytest.raises(NotFoundError):
            person.refresh()
