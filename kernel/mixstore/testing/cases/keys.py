"""Every shape of key: of one field, of several, rendered by a template, made by methods."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    Backend,
    BatchError,
    DuplicateKeyError,
    Model,
    QueryError,
    ValidationError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Membership, Note, Parcel
from mixstore.testing.support import Use, awaited
from mixstore.testing.tags import atomic

KEYED: list[tuple[type[Model], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (Membership, {"group": "g", "member": 1}, {"group": "g", "member": 2}, {"role": "admin"}),
    (Note, {"user": "x#y", "number": 1}, {"user": "x", "number": 1}, {"text": "new"}),
    (Parcel, {"sender": "Bob", "number": 1}, {"sender": "Ann", "number": 1}, {"weight": 2.5}),
]


class KeyCases(Conformance):
    """Every shape of key: of one field, of several, rendered by a template, made by methods."""

    @pytest.mark.parametrize(
        ("model", "key", "other", "change"), KEYED, ids=lambda value: getattr(value, "__name__", "")
    )
    def test_every_shape_of_key_carries_a_row_through_its_life(
        self, use: Use, model: Any, key: dict[str, Any], other: dict[str, Any], change: dict[str, Any]
    ) -> None:
        use(model)
        model.create(**other)
        made = model.create(**key)
        with pytest.raises(DuplicateKeyError):
            model.create(**key)
        assert model.get(**key) == made
        made.update(**change)
        assert model.get(**key) == model(**key, **change)
        model.upsert(**key)
        assert model.get(**key) == model(**key)
        assert made.refresh() == model(**key)
        assert model.batch_get([key, other, key]) == [model(**key), model(**other), model(**key)]
        assert made.delete() is True
        assert made.delete() is False
        assert model.get(**key) is None
        assert model.all() == [model(**other)]

    def test_a_key_of_two_fields_needs_both(self, use: Use) -> None:
        use(Membership)
        Membership.create(group="g", member=1)
        assert Membership.get(("g", 1)).member == 1
        with pytest.raises(QueryError, match="member"):
            Membership.get(group="g")
        with pytest.raises(QueryError, match="2 parts"):
            Membership.get("g")

    def test_rendered_keys_with_separators_in_their_values_stay_apart(self, use: Use) -> None:
        use(Note)
        names = ["x", "x#y", "x%23y", "x#NOTE#000001", "", "%"]
        for name in names:
            Note.create(user=name, number=1, text=name)
        assert [Note.get(user=name, number=1).text for name in names] == names

    def test_rows_are_found_by_a_part_of_their_key(self, use: Use) -> None:
        use(Membership)
        Membership.batch_create([{"group": g, "member": m} for g in ("g", "h", "") for m in (1, 2, 10)])
        assert [row.member for row in Membership.where(group="g")] == [1, 2, 10]
        assert [row.member for row in Membership.where(group="g", member__gt=1).order_by("-member")] == [10, 2]
        assert [row.group for row in Membership.where(member=2)] == ["", "g", "h"]
        assert Membership.where(group__in=["g", "h"], member__between=(2, 10)).count() == 4
        assert Membership.where(group="").delete() == 3
        assert Membership.count() == 6

    def test_rows_are_found_by_the_fields_of_a_rendered_key(self, use: Use) -> None:
        use(Note)
        Note.batch_create([{"user": u, "number": n} for u in ("x", "x#y", "y") for n in (1, 2, 10)])
        assert [row.number for row in Note.where(user="x")] == [1, 2, 10]
        assert [row.number for row in Note.where(user="x#y", number__gte=2)] == [2, 10]
        assert Note.where(user="x", number__lt=10).update(text="new") == 2
        assert sorted(row.user for row in Note.where(number=10)) == ["x", "x#y", "y"]
        assert [row.number for row in Note.where(user="x").order_by("-number").limit(2)] == [10, 2]

    @pytest.mark.parametrize(
        ("model", "key", "other", "change"), KEYED, ids=lambda value: getattr(value, "__name__", "")
    )
    def test_every_shape_of_key_is_written_by_batch_and_by_query(
        self, use: Use, model: Any, key: dict[str, Any], other: dict[str, Any], change: dict[str, Any]
    ) -> None:
        use(model)
        assert model.batch_create([key, other]) == [model(**key), model(**other)]
        with pytest.raises(BatchError) as caught:
            model.batch_create([key])
        assert list(caught.value.failed) == [0]
        assert model.batch_upsert([{**key, **change}]) == [model(**key, **change)]
        assert model.where(**key).update(**change) == 1
        assert model.where(**other).delete() == 1
        assert model.all() == [model(**key, **change)]

    @pytest.mark.parametrize(
        ("model", "key", "other", "change"), KEYED, ids=lambda value: getattr(value, "__name__", "")
    )
    def test_a_row_keeps_its_key_whatever_its_shape(
        self, use: Use, model: Any, key: dict[str, Any], other: dict[str, Any], change: dict[str, Any]
    ) -> None:
        use(model)
        made = model.create(**key)
        for name, value in other.items():
            setattr(made, name, value)
        with pytest.raises(ValidationError, match="key"):
            made.save()
        assert model.all() == [model(**key)]

    @atomic
    @pytest.mark.parametrize(
        ("model", "key", "other", "change"), KEYED, ids=lambda value: getattr(value, "__name__", "")
    )
    def test_every_shape_of_key_takes_part_in_transactions(
        self, use: Use, backend: Backend, model: Any, key: dict[str, Any], other: dict[str, Any], change: dict[str, Any]
    ) -> None:
        use(model)
        row = model.create(**key)
        with backend.transaction():
            row.update(**change)
            model.create(**other)
        assert model.batch_get([key, other]) == [model(**key, **change), model(**other)]
        with pytest.raises(DuplicateKeyError), backend.transaction():  # noqa: PT012
            row.delete()
            model.create(**other)
        assert model.count() == 2

    @awaited
    async def test_keys_of_several_parts_are_awaited_like_others(self, use: Use) -> None:
        use(Membership)
        await Membership.acreate(group="g", member=1)
        assert (await Membership.aget(("g", 1))).role == "guest"
        assert await Membership.abatch_get([("g", 2), ("g", 1)]) == [None, Membership(group="g", member=1)]
