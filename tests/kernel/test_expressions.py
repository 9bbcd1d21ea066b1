"""Expressions as values: how they combine, sort, defer and read. Their meaning is in test_semantics."""

from __future__ import annotations

import copy
import pickle
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore.errors import QueryError
from mixstore.expressions import (
    FALSE,
    TRUE,
    After,
    And,
    Compare,
    Constant,
    Deferred,
    Expr,
    Or,
    Order,
    Q,
    conjunction,
    disjunction,
    evaluate,
    matcher,
    paths,
    sort_key,
    substitute,
    terms,
)


class Color(Enum):
    RED = "red"


NOON = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)


# -- logic -------------------------------------------------------------------------------------------------

A, B, C = Compare(("a",), "eq", 1), Compare(("b",), "eq", 1), Compare(("c",), "eq", 1)


@given(st.booleans(), st.booleans(), st.booleans())
def test_and_or_and_not_are_two_valued(a: bool, b: bool, c: bool) -> None:
    row = {"a": int(a), "b": int(b) if b else None}
    row |= {"c": 1} if c else {}
    assert evaluate(A & B, row) is (a and b)
    assert evaluate(A & B & C, row) is (a and b and c)
    assert evaluate(A | B | C, row) is (a or b or c)
    assert evaluate(~(A | B), row) is not (a or b)
    assert evaluate((A & ~B) | C, row) is ((a and not b) or c)


def test_not_leaves_out_exactly_what_the_term_matches() -> None:
    older = Compare(("age",), "gt", 18)
    rows: list[dict[str, Any]] = [{"age": 20}, {"age": 10}, {"age": None}, {"age": "20"}, {}]
    assert [evaluate(older, row) for row in rows] == [True, False, False, False, False]
    assert [evaluate(~older, row) for row in rows] == [False, True, True, True, True]


def test_constants_match_everything_or_nothing() -> None:
    assert evaluate(TRUE, {})
    assert not evaluate(FALSE, {})
    assert ~TRUE == FALSE
    assert evaluate(And(()), {})
    assert not evaluate(Or(()), {})


def test_conjunction_flattens_and_drops_what_says_nothing() -> None:
    assert conjunction(A, And((B, And((C, TRUE))))) == And((A, B, C))
    assert conjunction(A, FALSE) == FALSE
    assert conjunction(TRUE, A) is A
    assert conjunction() == TRUE


def test_disjunction_flattens_and_drops_what_says_nothing() -> None:
    assert disjunction(A, Or((B, FALSE))) == Or((A, B))
    assert disjunction(A, TRUE) == TRUE
    assert disjunction(FALSE, A) is A
    assert disjunction() == FALSE


def test_terms_are_the_top_level_and_terms() -> None:
    assert terms(A & (B | C)) == (A, B | C)
    assert terms(A | B) == (A | B,)
    assert terms(TRUE) == ()
    assert terms(FALSE) == (FALSE,)


def test_paths_are_all_that_the_expression_reads() -> None:
    nested = Compare(("x", "y"), "eq", 1)
    after = After((Order(("z",)),), (1,))
    assert paths((A & ~nested) | (B & after)) == {("a",), ("x", "y"), ("b",), ("z",)}
    assert paths(TRUE) == set()


# -- nodes as values ---------------------------------------------------------------------------------------


def test_nodes_are_equal_and_hash_alike_when_they_say_the_same() -> None:
    def build() -> Expr:
        return (Compare(("a",), "in", (1, "x")) & ~B) | After((Order(("a",)),), (None,))

    assert build() == build()
    assert hash(build()) == hash(build())
    assert A & B != B & A
    assert And((A, B)) != Or((A, B))
    assert Compare(("a",), "near", 1, lambda found, operand: True) == Compare(("a",), "near", 1)
    assert Q(a=1) == Q(a=1)


def test_operands_that_python_calls_equal_are_told_apart_by_type() -> None:
    assert Compare(("a",), "eq", 1) != Compare(("a",), "eq", True)
    assert Compare(("a",), "in", (1,)) != Compare(("a",), "in", (1.0,))
    assert Compare(("a",), "eq", {"x": 1}) != Compare(("a",), "eq", {"x": True})
    assert Q(a=1) != Q(a=True)


def test_a_node_never_changes() -> None:
    with pytest.raises(AttributeError, match="never changes"):
        A.value = 2
    combined = A & B
    assert combined & C is not combined
    assert combined == And((A, B))


def test_nodes_can_be_copied_and_pickled() -> None:
    expr = (A & Q(b__gt=1)) | ~After((Order(("a",), True),), (1,))
    assert copy.deepcopy(expr) == expr
    assert pickle.loads(pickle.dumps(expr)) == expr  # noqa: S301 - made in this line


def test_python_s_own_and_or_not_are_refused_with_what_to_write_instead() -> None:
    with pytest.raises(TypeError, match="write &"):
        assert A and B  # noqa: PT018 - this is what people write by mistake
    with pytest.raises(TypeError, match="~"):
        assert not A


def test_an_expression_combines_with_expressions_only() -> None:
    with pytest.raises(TypeError):
        A & True  # type: ignore[operator]
    with pytest.raises(QueryError, match="dict"):
        Q({"a": 1})  # type: ignore[arg-type]


def test_nodes_read_like_the_question() -> None:
    age = Compare(("age",), "gte", 18)
    name = Compare(("home", "city"), "startswith", "x")
    assert repr(age & ~name) == "age >= 18 AND NOT (home.city STARTSWITH 'x')"
    assert repr((age | name) & A) == "(age >= 18 OR home.city STARTSWITH 'x') AND a = 1"
    assert repr(Compare(("a",), "isnull", False)) == "a IS NOT NULL"
    assert repr(Compare(("a",), "between", (NOON, None))) == "a BETWEEN 2025-01-01T12:00:00+00:00 AND None"
    assert repr(Compare(("a",), "in", (Color.RED, Decimal("1.5")))) == "a IN (Color.RED, 1.5)"
    assert repr(After((Order(("a",)), Order(("b",), True)), (1, "x"))) == "AFTER (a: 1, -b: 'x')"
    assert repr(Q(a=1) | Q(A, b__lt=2)) == "Q(a=1) OR Q(a = 1, b__lt=2)"


def test_a_field_may_be_called_self() -> None:
    assert Q(self=1).lookups == (("self", 1),)


def test_what_is_no_known_node_is_an_error() -> None:
    class Strange(Expr):
        __slots__ = ()

        def __repr__(self) -> str:
            return "STRANGE"

    for function in (matcher, paths, lambda expr: substitute(expr, None)):
        with pytest.raises(TypeError, match="STRANGE"):
            function(And((A, Strange())))


def test_an_unresolved_q_is_an_error_for_evaluation() -> None:
    with pytest.raises(QueryError, match="resolve"):
        matcher(Q(a=1))


# -- order -------------------------------------------------------------------------------------------------


def in_order(values: list[Any], descending: bool = False) -> list[Any]:
    rows = [{"x": value} for value in values]
    return [row["x"] for row in sorted(rows, key=sort_key((Order(("x",), descending),)))]


def test_none_sorts_first_ascending_and_last_descending() -> None:
    assert in_order([2, None, 1]) == [None, 1, 2]
    assert in_order([2, None, 1], descending=True) == [2, 1, None]


MIXED = [None, True, 1, 0.5, "1", b"1", NOON, date(2025, 1, 1), UUID(int=1), Color.RED, [1], {1}, {"1": 1}]


def test_mixed_types_sort_without_error_and_always_alike() -> None:
    assert in_order(MIXED) == in_order(MIXED[::-1])
    assert in_order(MIXED, descending=True) == in_order(MIXED)[::-1]


def test_each_column_of_an_order_has_its_direction() -> None:
    rows = [{"a": a, "b": b} for a in (1, 2) for b in ("x", None, "y")]
    found = sorted(rows, key=sort_key((Order(("a",), True), Order(("b",)))))
    assert [(row["a"], row["b"]) for row in found] == [
        (2, None),
        (2, "x"),
        (2, "y"),
        (1, None),
        (1, "x"),
        (1, "y"),
    ]


def test_sorting_is_stable_in_both_directions() -> None:
    rows = [{"a": 1, "n": n} for n in range(3)]
    for descending in (False, True):
        assert sorted(rows, key=sort_key((Order(("a",), descending),))) == rows


values = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 2.0, "a", "b", "é"]))


@given(st.lists(st.tuples(values, values), max_size=8), st.booleans(), st.booleans(), st.data())
def test_after_keeps_exactly_the_rows_that_sort_after(
    pairs: list[tuple[Any, Any]], first: bool, second: bool, data: st.DataObject
) -> None:
    order = (Order(("a",), first), Order(("b",), second))
    rows = sorted(({"a": a, "b": b} for a, b in pairs), key=sort_key(order))
    last = data.draw(st.tuples(values, values))
    later = matcher(After(order, last))
    key = sort_key(order)
    assert [row for row in rows if later(row)] == [row for row in rows if key({"a": last[0], "b": last[1]}) < key(row)]


def test_after_none_ascending_is_every_value_and_descending_nothing() -> None:
    rows = [{"x": value} for value in (None, 1, 2)]
    assert [row["x"] for row in rows if evaluate(After((Order(("x",)),), (None,)), row)] == [1, 2]
    assert [row["x"] for row in rows if evaluate(After((Order(("x",), True),), (None,)), row)] == []


def test_after_leaves_out_the_row_itself() -> None:
    order = (Order(("x",), True), Order(("id",)))
    found = [
        row for row in ((2, 1), (2, 2), (1, 0), (3, 9)) if evaluate(After(order, (2, 1)), {"x": row[0], "id": row[1]})
    ]
    assert found == [(2, 2), (1, 0)]


def test_after_needs_one_value_a_column() -> None:
    with pytest.raises(ValueError, match="2 columns"):
        After((Order(("a",)), Order(("b",))), (1,))


# -- what is known only when the query runs ----------------------------------------------------------------

NOW = Deferred("now", lambda environment: environment["now"])


def test_substitute_puts_in_the_values_of_one_environment() -> None:
    expr = ~Compare(("at",), "lte", NOW) | (A & Compare(("at",), "between", (NOW, 9)))
    assert substitute(expr, {"now": 5}) == ~Compare(("at",), "lte", 5) | (A & Compare(("at",), "between", (5, 9)))
    assert substitute(After((Order(("at",)),), (NOW,)), {"now": 5}) == After((Order(("at",)),), (5,))


def test_substitute_gives_the_same_object_if_nothing_is_deferred() -> None:
    expr = (A & ~B) | Constant(True) | After((Order(("a",)),), (1,))
    assert substitute(expr, {}) is expr


def test_a_deferred_operand_can_be_shifted_by_a_constant() -> None:
    earlier = Deferred("now", lambda environment: NOON) - timedelta(hours=1) + timedelta(minutes=1)
    assert earlier.resolve(None) == NOON - timedelta(minutes=59)
    assert repr(earlier) == "<now - 1:00:00 + 0:01:00>"


def test_deferred_operands_are_equal_when_they_would_always_agree() -> None:
    assert NOW + 1 == NOW + 1
    assert hash(NOW + 1) == hash(NOW + 1)
    assert NOW + 1 != NOW - 1
    assert NOW != 5


def test_a_deferred_operand_can_not_be_evaluated_before_it_is_known() -> None:
    for operand in (NOW, (1, NOW)):
        with pytest.raises(QueryError, match="substitute"):
            matcher(Compare(("at",), "in", operand))
