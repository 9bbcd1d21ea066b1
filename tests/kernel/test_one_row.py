"""One row at a time or many with one matcher, now or prepared for later: an expression means the same."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore.expressions import (
    TRUE,
    And,
    Compare,
    Deferred,
    Expr,
    Not,
    Or,
    evaluate,
    filling,
    matcher,
    prepared,
    substitute,
)


class Nothing(Enum):
    NONE = None
    ONE = 1


NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
VALUES = [
    *(None, True, False, 0, 1, 2, 1.0, 0.5, float("nan"), Decimal(1), Decimal("0.5"), "", "a", "1", b"a"),
    *(date(2024, 5, 1), NOON, NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=2)))),
    *(NOON + timedelta(hours=1), timedelta(0), UUID(int=1), Nothing.NONE, Nothing.ONE, [1], [True], {"a": 1}),
]
values = st.sampled_from(VALUES)
paths = st.sampled_from([("x",), ("y",), ("z", "a")])
SINGLE = ("eq", "ne", "lt", "lte", "gt", "gte")


def comparisons(operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Expr]:
    one = st.builds(Compare, paths, st.sampled_from(SINGLE), operands)
    several = st.builds(Compare, paths, st.sampled_from(["in", "not_in"]), st.tuples(operands, operands))
    return one | several | st.builds(Compare, paths, st.just("isnull"), st.booleans())


def trees(leaves: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.recursive(
        leaves | st.sampled_from([TRUE, ~TRUE]),
        lambda inner: (
            st.builds(Not, inner)
            | st.builds(And, st.lists(inner, max_size=3))
            | st.builds(Or, st.lists(inner, max_size=3))
        ),
        max_leaves=5,
    )


rows = st.fixed_dictionaries({"x": values, "y": values, "z": st.none() | st.fixed_dictionaries({"a": values})})


@given(trees(comparisons(values)), rows)
def test_a_row_by_itself_is_judged_as_among_many(expr: Expr, row: dict[str, Any]) -> None:
    assert evaluate(expr, row) is matcher(expr)(row) is prepared(expr)({})(row)


@pytest.mark.parametrize("lookup", SINGLE)
@pytest.mark.parametrize("pair", [(Decimal(1), float("nan")), (float("nan"), Decimal(1))])
def test_a_decimal_is_in_no_order_with_nan(lookup: str, pair: tuple[Any, Any]) -> None:
    expr, row = Compare(("x",), lookup, pair[0]), {"x": pair[1]}
    assert evaluate(expr, row) is matcher(expr)(row) is prepared(expr)({})(row) is (lookup == "ne")


@given(comparisons(values), rows)
def test_a_single_comparison_of_a_row_by_itself_is_judged_as_among_many(expr: Expr, row: dict[str, Any]) -> None:
    assert evaluate(expr, row) is matcher(expr)(row)


varying = st.sampled_from([Deferred("it", lambda told: told["it"]), Deferred("all", lambda told: TRUE)])
deferred = st.builds(Compare, paths, st.sampled_from(SINGLE), varying)


@given(trees(comparisons(values) | deferred), rows, values)
def test_what_varies_is_filled_in_the_same_at_once_or_prepared(expr: Expr, row: dict[str, Any], it: Any) -> None:
    environment = {"it": it}
    expected = substitute(expr, environment)
    assert filling(expr)(environment) == expected
    assert prepared(expr)(environment)(row) is evaluate(expected, row)
