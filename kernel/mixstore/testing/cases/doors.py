"""The other doors to the same operations: the async twins, and the backend's own methods."""

from __future__ import annotations

import pytest

from mixstore import (
    Backend,
    DuplicateKeyError,
    NotFoundError,
    ValidationError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Address, Person
from mixstore.testing.support import Use, awaited


class DoorCases(Conformance):
    """The other doors to the same operations: the async twins, and the backend's own methods."""

    @awaited
    async def test_the_async_verbs_do_what_the_others_do(self, use: Use) -> None:
        use(Person)
        person = await Person.acreate(id="a", name="Ann")
        with pytest.raises(DuplicateKeyError):
            await Person.acreate(id="a")
        await Person.aupsert(id="a", name="Bea")
        assert (await Person.aget("a")).name == "Bea"
        await person.aupdate(age=4)
        person.name = "Cy"
        await person.asave()
        assert (await person.arefresh()).name == "Cy"
        assert await Person.acount(age=4) == 1
        assert await Person.aexists(age=5) is False
        assert await Person.abatch_create([{"id": "b"}, {"id": "c"}]) == [Person(id="b"), Person(id="c")]
        assert [None if one is None else one.id for one in await Person.abatch_get(["c", "x"])] == ["c", None]
        await Person.abatch_upsert([{"id": "b", "age": 1}])
        assert len(await Person.aall()) == 3
        assert await person.adelete() is True
        assert await person.adelete() is False
        with pytest.raises(NotFoundError):
            await person.asave()

    def test_a_backend_answers_with_values_by_field(self, use: Use, backend: Backend) -> None:
        use(Person)
        row = backend.create(Person, {"id": "a", "age": "3", "home": {"city": "Rome"}})
        assert row["age"] == 3
        assert row["home"] == Address(city="Rome")
        assert backend.get(Person, id="a") == row
        assert backend.get(Person, id="b") is None
        assert backend.upsert(Person, {"id": "a", "age": 4})["home"] is None
        assert backend.update(Person, Person(id="a", age=5))["age"] == 5
        assert backend.count(Person, age=5) == 1
        assert backend.exists(Person, age=4) is False
        assert backend.batch_create(Person, [{"id": "b"}])[0]["id"] == "b"
        assert backend.batch_get(Person, ["b", "x"])[1] is None
        assert [one.id for one in backend.query(Person).filter(age__gte=5).limit(10).all()] == ["a"]
        assert backend.delete(Person, Person(id="a")) is True
        assert backend.delete(Person, Person(id="a")) is False

    def test_a_backend_raises_the_errors_of_its_contract(self, use: Use, backend: Backend) -> None:
        use(Person)
        backend.create(Person, {"id": "a"})
        with pytest.raises(DuplicateKeyError):
            backend.create(Person, {"id": "a"})
        with pytest.raises(NotFoundError):
            backend.update(Person, Person(id="b"))
        with pytest.raises(ValidationError):
            backend.upsert(Person, {"id": "a", "age": "old"})

    def test_initialize_twice_keeps_the_rows(self, use: Use, backend: Backend) -> None:
        use(Person)
        Person.create(id="a")
        backend.initialize(Person)
        assert Person.get("a") is not None
