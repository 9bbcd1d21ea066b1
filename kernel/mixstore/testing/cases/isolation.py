"""What a caller holds is never what is stored: no later mutation leaks in or out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mixstore import Backend
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Address, Document, Person, Thing
from mixstore.testing.support import Call, Use
from mixstore.testing.tags import locking


def written() -> dict[str, Any]:
    """Data with something mutable at every depth."""
    return {
        "id": "a",
        "home": Address(city="Rome"),
        "tags": ["x"],
        "notes": {"list": [1, {"deep": [2]}], "dict": {"k": "v"}},
    }


EXPECTED = Person(id="a", home=Address(city="Rome"), tags=["x"], notes={"list": [1, {"deep": [2]}], "dict": {"k": "v"}})


def spoil(person: Any) -> None:
    """Change everything inside."""
    values = person if isinstance(person, dict) else vars(person)
    values["home"].city = "Oslo"
    values["tags"].append("leak")
    values["notes"]["list"][1]["deep"].append("leak")
    values["notes"]["dict"].clear()
    values["notes"]["new"] = "leak"


class IsolationCases(Conformance):
    """What a caller holds is never what is stored: no later mutation leaks in or out."""

    @pytest.mark.parametrize("verb", ["create", "upsert"])
    def test_changing_what_was_given_to_a_write_changes_no_row(self, use: Use, verb: str) -> None:
        use(Person)
        data = written()
        getattr(Person, verb)(**data)
        spoil(data)
        assert Person.get("a") == EXPECTED

    def test_changing_a_written_instance_changes_no_row(self, use: Use) -> None:
        use(Person)
        spoil(Person.create(**written()))
        assert Person.get("a") == EXPECTED
        spoil(Person.upsert(**written()))
        assert Person.get("a") == EXPECTED
        instance = Person(**written())
        Person.get("a").delete()
        instance.save()
        spoil(instance)
        assert Person.get("a") == EXPECTED
        [instance] = Person.batch_upsert([written()])
        spoil(instance)
        assert Person.get("a") == EXPECTED

    def test_changing_what_was_read_changes_no_row_by_any_way_of_reading(self, use: Use, backend: Backend) -> None:
        use(Person)
        Person.create(**written())
        reads: list[Callable[[], Any]] = [
            lambda: Person.get("a"),
            lambda: Person.all()[0],
            lambda: Person.where(id="a").one(),
            lambda: Person.where(tags__contains="x").first(),
            lambda: Person.where().last(),
            lambda: Person.batch_get(["a"])[0],
            lambda: next(iter(Person.where())),
            lambda: Person.where().paginate().items[0],
            lambda: Person.where().select().first(),
            lambda: Person.get("a").refresh(),
            lambda: backend.get(Person, id="a"),
            lambda: backend.batch_get(Person, ["a"])[0],
            lambda: backend.query(Person).all()[0],
        ]
        for read in reads:
            spoil(read())
            assert Person.get("a") == EXPECTED

    def test_two_reads_share_nothing(self, use: Use) -> None:
        use(Person)
        Person.create(**written())
        first, second = Person.get("a"), Person.get("a")
        spoil(first)
        assert second == EXPECTED
        found = Person.batch_get(["a", "a"])
        spoil(found[0])
        assert found[1] == EXPECTED

    def test_changing_after_an_update_changes_no_row(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a")
        data = written()
        del data["id"]
        person.update(**data)
        spoil(data)
        assert Person.get("a") == EXPECTED
        spoil(person)
        assert Person.get("a") == EXPECTED
        person.refresh()
        person.tags = kept = ["y"]
        person.save()
        kept.append("leak")
        person.tags.append("leak")
        assert Person.get("a").tags == ["y"]

    def test_changing_after_an_update_by_query_changes_no_row(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": "a"}, {"id": "b"}])
        tags, home = ["x"], Address(city="Rome")
        Person.where().update(tags=tags, home=home)
        tags.append("leak")
        home.city = "Oslo"
        assert [(row.tags, row.home.city) for row in Person.all()] == [(["x"], "Rome")] * 2
        first, second = Person.all()
        first.tags.append("leak")
        assert second.tags == Person.get(second.id).tags == ["x"]

    def test_changing_what_a_backend_answers_changes_no_row(self, use: Use, backend: Backend) -> None:
        use(Person)
        answers: tuple[Call, ...] = (
            lambda: backend.create(Person, written()),
            lambda: backend.upsert(Person, written()),
            lambda: backend.update(Person, Person.get("a")),
        )
        for answer in answers:
            spoil(answer())
            assert Person.get("a") == EXPECTED

    def test_a_mutation_that_was_not_saved_is_still_seen_as_a_change(self, use: Use) -> None:
        use(Person)
        person = Person.create(**written())
        spoil(person)
        person.save()
        found = Person.get("a")
        assert found == person
        assert found.notes["list"][1]["deep"] == [2, "leak"]

    @locking
    def test_a_write_with_extensions_shares_nothing_either(self, use: Use) -> None:
        class Folder(Document):
            """A locked row with something mutable."""

            pages: list[list[int]] = []

        use(Folder)
        folder = Folder.create(id="a", pages=[[1]])
        folder.pages[0].append(2)
        assert Folder.get("a").pages == [[1]]
        folder.save()
        folder.pages[0].append(3)
        assert Folder.get("a").pages == [[1, 2]]
        given = [[9]]
        folder.update(pages=given)
        given[0].append(8)
        folder.pages[0].append(7)
        assert Folder.get("a").pages == [[9]]

    def test_defaults_are_not_shared_between_rows(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": "a"}, {"id": "b"}])
        Person.get("a").tags.append("leak")
        person = Person.get("a")
        person.notes["k"] = 1
        person.save()
        assert Person.get("b") == Person(id="b")
        assert Person(id="c").tags == []

    def test_operands_may_change_after_the_question_was_made(self, use: Use) -> None:
        use(Person, Thing)
        Person.create(id="a", age=1, tags=["x"])
        ages, tags = [1], ["x"]
        question = Person.where(age__in=ages, tags=tags)
        ages.clear()
        tags.append("y")
        assert question.count() == 1

    def test_copies_of_an_instance_are_new(self, use: Use) -> None:
        use(Person)
        person = Person.create(id="a", age=1)
        copied = person.model_copy(update={"id": "b"}, deep=True)
        copied.save()
        assert Person.count() == 2
        person.update(age=2)
        assert Person.get("b").age == 1
