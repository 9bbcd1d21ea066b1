"""Rows that are there and give their unique values up, where an engine can tell them apart."""

from __future__ import annotations

import pytest

from mixstore import Backend, Capability, DuplicateKeyError
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Car
from mixstore.testing.support import Use, ids
from mixstore.testing.tags import EXTENSIONS, atomic, needs

freeing = needs(Capability.UNIQUE, Capability.PARTIAL_UNIQUE, EXTENSIONS)


class FreedCases(Conformance):
    """Rows that are there and give their unique values up."""

    @freeing
    def test_a_row_that_frees_its_values_is_in_nobodys_way(self, use: Use) -> None:
        use(Car)
        Car.create(id="a", plate="X", gone=True)
        Car.create(id="b", plate="X", gone=True)
        assert Car.create(id="c", plate="X").id == "c"

    @freeing
    def test_rows_that_hold_their_values_still_exclude_each_other(self, use: Use) -> None:
        use(Car)
        Car.create(id="a", plate="X")
        with pytest.raises(DuplicateKeyError) as caught:
            Car.create(id="b", plate="X")
        assert caught.value.field == "plate"

    @freeing
    def test_an_update_frees_and_takes_values_again(self, use: Use) -> None:
        use(Car)
        first = Car.create(id="a", plate="X")
        first.update(gone=True)
        second = Car.create(id="b", plate="X")
        with pytest.raises(DuplicateKeyError):
            first.update(gone=False)
        second.delete()
        assert first.update(gone=False).gone is False
        with pytest.raises(DuplicateKeyError):
            Car.create(id="c", plate="X")

    @freeing
    def test_a_freed_row_that_changes_or_goes_leaves_the_holder_alone(self, use: Use) -> None:
        use(Car)
        freed = Car.create(id="a", plate="X", gone=True)
        Car.create(id="b", plate="X")
        freed.update(plate="Y")
        freed.update(plate="X")
        freed.delete()
        with pytest.raises(DuplicateKeyError):
            Car.upsert(id="c", plate="X")
        assert Car.get(plate="X").id == "b"

    @freeing
    @atomic
    def test_a_transaction_that_fails_takes_back_what_it_freed(self, use: Use, backend: Backend) -> None:
        use(Car)
        car = Car.create(id="a", plate="X")
        Car.create(id="z")
        with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012
            car.update(gone=True)
            Car.create(id="z")
        with pytest.raises(DuplicateKeyError):
            Car.create(id="b", plate="X")

    @freeing
    def test_queries_by_the_field_find_freed_rows_too(self, use: Use) -> None:
        use(Car)
        Car.create(id="a", plate="X", gone=True)
        Car.create(id="b", plate="X")
        question = Car.where(plate="X").order_by("id")
        assert ids(question) == ["a", "b"]
        assert question.count() == 2
