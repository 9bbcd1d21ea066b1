"""Every shape of key: of one field, of several, rendered by a template, made by methods."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    DuplicateKeyError,
    Model,
    QueryError,
)
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Membership, Note, Parcel
from mixstore.testing.support import Use

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
