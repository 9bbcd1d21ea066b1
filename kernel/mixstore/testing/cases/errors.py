"""Each error tells what failed, on which model, key and backend, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    Backend,
    BatchError,
    DuplicateKeyError,
    InvalidCursorError,
    MultipleResultsError,
    NotFoundError,
    QueryError,
    ValidationError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Membership, Note, Person
from mixstore.testing.support import Call, Use, awaited, refusal


class ErrorCases(Conformance):
    """Each error tells what failed, where, and what to do about it."""

    def test_an_error_of_a_write_names_model_key_and_backend(self, use: Use, backend: Backend) -> None:
        use(Person)
        row = Person.create(id="a")
        duplicate = refusal(lambda: Person.create(id="a"))
        Person.get("a").delete()
        missing = refusal(lambda: row.update(age=1))
        for error, kind in ((duplicate, DuplicateKeyError), (missing, NotFoundError)):
            assert type(error) is kind
            assert (error.model, error.key, error.backend) == (Person, "a", backend.backend_name)
            for part in ("Person", "'a'", backend.backend_name):
                assert part in str(error)

    def test_an_error_tells_a_key_of_several_parts_by_name(self, use: Use) -> None:
        use(Membership)
        Membership.create(group="g", member=1)
        error = refusal(lambda: Membership.create(group="g", member=1))
        assert error.key == {"group": "g", "member": 1}

    def test_an_error_tells_a_rendered_key_as_it_is_stored(self, use: Use) -> None:
        use(Note)
        Note.create(user="u", number=1)
        error = refusal(lambda: Note.create(user="u", number=1))
        assert isinstance(error, DuplicateKeyError)
        assert "USER#u" in str(error)
        assert "NOTE#000001" in str(error)

    @pytest.mark.parametrize(
        ("filters", "told"),
        [({"nmae": "x"}, "'name'"), ({"age__gtt": 1}, "'gt'"), ({"home__ctiy": "x"}, "'city'")],
    )
    def test_a_mistyped_filter_is_told_the_nearest_name_before_anything_is_asked(
        self, use: Use, filters: dict[str, Any], told: str
    ) -> None:
        use(Person)
        calls: list[Call] = [
            lambda: Person.where(**filters).all(),
            lambda: Person.count(**filters),
            lambda: Person.exists(**filters),
            lambda: Person.where(**filters).delete(),
            lambda: Person.where(**filters).update(age=1),
            lambda: Person.where(**filters).explain(),
        ]
        for call in calls:
            error = refusal(call)
            assert isinstance(error, QueryError)
            assert f"did you mean {told}" in str(error)

    def test_a_value_of_the_wrong_type_in_a_filter_names_field_and_type(self, use: Use) -> None:
        use(Person)
        error = refusal(lambda: Person.where(age="many").all())
        assert isinstance(error, QueryError)
        assert "Person.age" in str(error)
        assert "int" in str(error)

    def test_an_order_or_selection_of_an_unknown_field_is_told_the_nearest(self, use: Use) -> None:
        use(Person)
        for call in (lambda: Person.where().order_by("agee"), lambda: Person.where().select("agee")):
            assert "did you mean 'age'" in str(refusal(lambda call=call: call().all()))  # type: ignore[misc]

    def test_several_rows_where_one_is_asked_for_name_the_question(self, use: Use) -> None:
        use(Person)
        Person.batch_create([{"id": "a", "age": 1}, {"id": "b", "age": 1}])
        error = refusal(lambda: Person.where(age=1).one())
        assert isinstance(error, MultipleResultsError)
        assert error.model is Person
        assert "age" in str(error)
        missing = refusal(lambda: Person.where(age=2).one())
        assert isinstance(missing, NotFoundError)
        assert "age" in str(missing)

    def test_refused_data_is_a_value_error_that_names_each_field(self, use: Use) -> None:
        use(Person)
        error = refusal(lambda: Person.create(id="a", age="old", active="perhaps"))
        assert isinstance(error, ValidationError)
        assert isinstance(error, ValueError)
        assert {one["loc"][0] for one in error.errors()} == {"age", "active"}
        assert error.__cause__ is not None

    def test_a_batch_tells_what_became_of_each_row(self, use: Use) -> None:
        use(Person)
        Person.create(id="b")
        error = refusal(lambda: Person.batch_create([{"id": "a"}, {"id": "b"}, {"id": "c"}]))
        assert isinstance(error, BatchError)
        assert [one is None for one in error.outcomes] == [True, False, True]
        assert getattr(error.failed[1], "key", None) == "b"
        assert error.model is Person

    def test_a_wrong_cursor_is_a_query_error_of_its_own(self, use: Use) -> None:
        use(Person)
        error = refusal(lambda: Person.where().cursor("nonsense").all())
        assert isinstance(error, InvalidCursorError)
        assert isinstance(error, QueryError)

    def test_an_unknown_field_in_a_key_is_refused(self, use: Use) -> None:
        use(Membership)
        error = refusal(lambda: Membership.get(group="g", membr=1))
        assert isinstance(error, QueryError)
        assert "member" in str(error)

    def test_what_a_backend_refuses_by_its_own_methods_is_of_the_same_tree(self, use: Use, backend: Backend) -> None:
        use(Person)
        calls: list[Call] = [
            lambda: backend.create(Person, {"id": "a", "age": "old"}),
            lambda: backend.update(Person, Person(id="nobody")),
            lambda: backend.query(Person).filter(agee=1).all(),
            lambda: backend.count(Person, agee=1),
        ]
        for call, kind in zip(calls, (ValidationError, NotFoundError, QueryError, QueryError), strict=True):
            assert isinstance(refusal(call), kind)

    @awaited
    async def test_an_awaited_call_raises_the_same(self, use: Use, backend: Backend) -> None:
        use(Person)
        await Person.acreate(id="a")
        with pytest.raises(DuplicateKeyError) as caught:
            await Person.acreate(id="a")
        assert (caught.value.model, caught.value.key, caught.value.backend) == (Person, "a", backend.backend_name)
