"""Every supported type comes back equal and of the same type, is found by a filter, and can be a key if it is plain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    create_model,
)

from mixstore import Field, Model
from mixstore.testing.conformance import Conformance
from mixstore.testing.kinds import KINDS, MODELS
from mixstore.testing.support import Use, examples, same

SCALARS = [
    "str", "int", "float", "decimal", "bool", "bytes", "datetime", "date", "time", "timedelta", "uuid", "enum",
    "int_enum", "literal", "ipv4", "ipv6", "ip_any", "network4", "interface6", "http_url", "any_url", "new_type",
    "optional", "model", "list", "set", "frozenset", "tuple", "dict", "dict_by_int", "recursive_model", "union",
    "tagged_union", "any",
]  # fmt: skip

KEYS = ["str", "int", "decimal", "bool", "bytes", "datetime", "date", "time", "timedelta", "uuid", "enum", "int_enum",
        "literal", "ipv4", "ipv6", "network4", "http_url", "float"]  # fmt: skip

KEYED: dict[str, Any] = {
    name: create_model(
        f"Keyed_{name}", __base__=Model, key=(KINDS[name].annotation, Field(primary_key=True)), n=(int, 0)
    )
    for name in KEYS
}


class ValueCases(Conformance):
    """Every supported type comes back equal and of the same type, is found, and can be a key if it is plain."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_values_of_every_type_come_back_the_same(self, use: Use, kind: str) -> None:
        model = use(MODELS[kind])

        @examples(6)
        @given(values=st.lists(KINDS[kind].values, min_size=1, max_size=15))
        def come_back(values: list[Any]) -> None:
            model.where().delete()
            made = [model.create(id=number, value=value) for number, value in enumerate(values)]
            found = model.where().order_by("id").all()
            for number, (row, value) in enumerate(zip(found, values, strict=True)):
                assert row == made[number]
                assert same(row.value, made[number].value)
                assert row.value == value
                assert same(model.get(number).value, row.value)
            assert model.where().select("value").order_by("id").all() == [{"value": row.value} for row in found]
            found[0].update(value=values[-1])
            assert same(model.get(0).value, found[-1].value)
            found[0].save()
            assert model.batch_upsert([{"id": 0, "value": values[0]}]) == made[:1]
            assert same(model.get(0).value, made[0].value)

        come_back()

    @pytest.mark.parametrize("kind", SCALARS)
    def test_a_filter_finds_the_rows_that_hold_a_value(self, use: Use, kind: str) -> None:
        model = use(MODELS[kind])

        @examples(6)
        @given(values=st.lists(KINDS[kind].values, min_size=1, max_size=6))
        def is_found(values: list[Any]) -> None:
            model.where().delete()
            rows = model.batch_create([{"id": number, "value": value} for number, value in enumerate(values)])
            for row in rows:
                alike = {other.id for other in rows if same(other.value, row.value) or other.value == row.value}
                found = {other.id for other in model.where(value=row.value)}
                assert row.id in found
                assert found <= alike
                assert found == {other.id for other in model.where(value__in=[row.value])}
                assert {other.id for other in model.where(value__ne=row.value)} == {one.id for one in rows} - found

        is_found()

    @pytest.mark.parametrize("kind", KEYS)
    def test_values_of_every_plain_type_are_keys(self, use: Use, kind: str) -> None:
        model = use(KEYED[kind])

        @examples(6)
        @given(keys=st.lists(KINDS[kind].values, min_size=1, max_size=6))
        def are_keys(keys: list[Any]) -> None:
            model.where().delete()
            for number, key in enumerate(keys):
                model.upsert(key=key, n=number)
            for key in keys:
                assert model.get(key).key == key
                assert model.where(key=key).one().key == key
                assert model.where(key__in=[key]).count() == 1
            walked: list[Any] = []
            cursor = None
            while True:
                page = model.where().limit(2).cursor(cursor).paginate()
                walked += [row.key for row in page]
                cursor = page.cursor
                if cursor is None:
                    break
            assert walked == [row.key for row in model.where().order_by("key").all()]
            assert len(walked) == model.count()
            assert [row.key for row in model.where().order_by("-key").all()] == walked[::-1]
            for row in model.all():
                assert row.delete() is True
            assert model.count() == 0

        are_keys()
