"""What no store can hold is refused by the field's name; what one engine can't, held exactly or refused."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import (
    create_model,
)

from mixstore import BatchError, Field, Model, SchemaError, ValidationError
from mixstore.testing.conformance import Conformance
from mixstore.testing.kinds import EAST, MODELS, Mixed, Point, Tree
from mixstore.testing.support import UTC, Call, Use, refusal, same
from mixstore.testing.tags import extensions

REFUSED: list[tuple[str, Any]] = [
    ("float", float("nan")),
    ("decimal", Decimal("NaN")),
    ("decimal", Decimal("Infinity")),
    ("datetime", datetime(2025, 1, 1)),
    ("datetime", datetime.min.replace(tzinfo=EAST)),
    ("time", time(12, tzinfo=UTC)),
    ("list_of_moments", [datetime(2025, 1, 1)]),
    ("variadic_tuple", (float("nan"),)),
    ("any", object()),
    ("any", {"a": {1, 2}}),
    ("any", float("nan")),
    ("any", [float("inf")]),
    ("any", {1: "a"}),
    ("bare_dict", {"a": datetime(2025, 1, 1, tzinfo=UTC)}),
]


def refused(error: Any, model: Any) -> bool:
    """Whether this is a ValidationError that names the field, and nothing was stored."""
    named = isinstance(error, ValidationError) and error.field == "value" and "value" in str(error)
    return named and model.count() == 0


class ValueRefusalCases(Conformance):
    """What no store can hold is refused by the field's name; what one engine can't, held exactly or refused."""

    @pytest.mark.parametrize(("kind", "value"), REFUSED)
    def test_what_no_store_can_hold_is_refused_by_the_fields_name(self, use: Use, kind: str, value: Any) -> None:
        model = use(MODELS[kind])
        writes: tuple[Call, ...] = (
            lambda: model.create(id=1, value=value),
            lambda: model.upsert(id=1, value=value),
            lambda: model(id=1, value=value).save(),
        )
        for write in writes:
            with pytest.raises((ValidationError, ValueError)) as caught:  # a constructor raises pydantic's own
                write()
            assert "value" in str(caught.value)
            if isinstance(caught.value, ValidationError):
                assert caught.value.field == "value"
        assert model.count() == 0

    def test_a_refused_value_leaves_the_stored_one(self, use: Use) -> None:
        model = use(MODELS["float"])
        row = model.create(id=1, value=1.5)
        with pytest.raises(ValidationError) as caught:
            row.update(value=float("nan"))
        assert caught.value.field == "value"
        row.value = float("nan")
        with pytest.raises(ValidationError):
            row.save()
        with pytest.raises(ValidationError):
            model.where().update(value=float("nan"))
        assert model.get(1).value == 1.5

    @pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30, -(10**100)])
    def test_a_number_beyond_64_bits_is_held_exactly_or_refused_by_name(self, use: Use, number: int) -> None:
        model = use(MODELS["int"])
        for verb in (model.create, model.upsert):
            error = refusal(lambda verb=verb: verb(id=1, value=number))  # type: ignore[misc]
            if error is None:
                assert model.get(1).value == number
                assert model.where(value=number).count() == 1
                model.get(1).delete()
            else:
                assert refused(error, model)

    @pytest.mark.parametrize("span", [timedelta.max, timedelta.min])
    def test_the_longest_spans_are_held_exactly_or_refused_by_name(self, use: Use, span: timedelta) -> None:
        model = use(MODELS["timedelta"])
        error = refusal(lambda: model.create(id=1, value=span))
        assert model.get(1).value == span if error is None else refused(error, model)
        assert model.where(value__gt=timedelta.max).count() == 0
        assert model.where(value__lt=timedelta.min).count() == 0

    @extensions
    @pytest.mark.parametrize("annotation", [Literal["1", 1], Mixed, list[int], Point, int | str, Any, int | None])
    def test_a_key_is_of_one_plain_kind(self, use: Use, annotation: Any) -> None:
        with pytest.raises(SchemaError, match="key"):
            use(create_model("Odd", __base__=Model, key=(annotation, Field(primary_key=True))))

    @pytest.mark.parametrize("number", [2**63, 10**30])
    def test_a_batch_with_a_number_beyond_64_bits_stores_the_rest_or_nothing(self, use: Use, number: int) -> None:
        model = use(MODELS["int"])
        rows = [{"id": 1, "value": 1}, {"id": 2, "value": number}, {"id": 3, "value": 3}]
        error = refusal(lambda: model.batch_create(rows))
        if isinstance(error, BatchError):
            assert list(error.failed) == [1]
            assert error.failed[1].field == "value"  # type: ignore[attr-defined]
            assert [row.value for row in model.where().order_by("id")] == [1, 3]
        else:
            assert model.get(2).value == number if error is None else refused(error, model)

    @pytest.mark.parametrize(
        ("kind", "value"),
        [("list", [2**70]), ("dict", {"a": -(2**70)}), ("any", {"a": 2**70}), ("recursive_model", Tree(value=2**70))],
    )
    def test_a_number_beyond_64_bits_in_a_nested_value_is_held_or_refused(
        self, use: Use, kind: str, value: Any
    ) -> None:
        model = use(MODELS[kind])
        error = refusal(lambda: model.create(id=1, value=value))
        assert same(model.get(1).value, value) if error is None else refused(error, model)

    def test_a_key_beyond_64_bits_is_not_there(self, use: Use) -> None:
        model = use(MODELS["int"])
        assert model.get(2**70) is None
        assert model.batch_get([2**70, -(2**70)]) == [None, None]
        assert model.where(id=2**70).all() == []
        assert model.where(id__lt=2**70).count() == 0
