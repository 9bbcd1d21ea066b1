"""AND, OR, NOT: two-valued logic, the same on every backend."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import Q, QueryError
from mixstore.expressions import FALSE, TRUE, Expr, evaluate
from mixstore.lookups import resolve
from mixstore.schema import schema_of
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Person
from mixstore.testing.support import Use, examples, ids, paged

ROWS: list[dict[str, Any]] = [
    {"id": "a", "age": 1, "city": "Rome", "active": True},
    {"id": "b", "age": 2, "city": None, "active": False},
    {"id": "c", "age": None, "city": "Rome", "active": True, "tags": ["x"]},
    {"id": "d", "age": None, "city": None, "active": False},
    {"id": "e", "age": 1, "city": "Oslo", "active": True, "home": {"city": "Rome"}},
]


def found(question: Any) -> str:
    """The ids that match, as one text."""
    return "".join(sorted(ids(question.all())))


LEAVES = st.one_of(
    st.builds(lambda n: Q(age=n), st.sampled_from([None, 1, 2, 3])),
    st.builds(lambda n: Q(age__gt=n), st.sampled_from([None, 0, 1, 2])),
    st.builds(lambda n: Q(age__lte=n), st.sampled_from([0, 1, 2])),
    st.builds(lambda v: Q(age__in=v), st.lists(st.sampled_from([None, 1, 2]), max_size=3)),
    st.builds(lambda v: Q(age__not_in=v), st.lists(st.sampled_from([None, 1, 2]), max_size=3)),
    st.builds(lambda t: Q(city=t), st.sampled_from([None, "Rome", "Oslo", ""])),
    st.builds(lambda t: Q(city__contains=t), st.sampled_from(["o", "R", ""])),
    st.builds(lambda t: Q(city__regex=t), st.sampled_from(["^R", "o$"])),
    st.builds(lambda t: Q(id=t), st.sampled_from(["a", "b", "zz"])),
    st.builds(lambda t: Q(id__gte=t), st.sampled_from(["", "c"])),
    st.builds(lambda b: Q(active=b), st.booleans()),
    st.builds(lambda t: Q(tags__contains=t), st.sampled_from(["x", "y"])),
    st.builds(lambda t: Q(home__city=t), st.sampled_from([None, "Rome"])),
    st.sampled_from([TRUE, FALSE]),
)

TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=8,
)


class LogicCases(Conformance):
    """AND, OR, NOT: two-valued logic, the same on every backend."""

    @pytest.fixture
    def every_pair(self, use: Use) -> Any:
        """Every combination of an age and a city, with None."""
        use(Person)
        Person.batch_create(ROWS)
        return Person

    def test_no_condition_is_all_rows(self, every_pair: Any) -> None:
        assert found(every_pair.where()) == "abcde"
        assert found(every_pair.where(Q())) == "abcde"
        assert found(every_pair.where(TRUE)) == "abcde"

    def test_false_is_no_row(self, every_pair: Any) -> None:
        assert found(every_pair.where(FALSE)) == ""
        assert every_pair.where(FALSE).count() == 0
        assert every_pair.where(~TRUE).exists() is False
        assert every_pair.where(FALSE).first() is None

    def test_conditions_add_up(self, every_pair: Any) -> None:
        assert found(every_pair.where(age=1, city="Rome")) == "a"
        assert found(every_pair.where(age=1).filter(city="Rome")) == "a"
        assert found(every_pair.where(Q(age=1), Q(city="Rome"))) == "a"
        assert found(every_pair.where(Q(age=1) & Q(city="Rome"))) == "a"

    def test_or_of_anything(self, every_pair: Any) -> None:
        assert found(every_pair.where(Q(age=2) | Q(city="Oslo"))) == "be"
        assert found(every_pair.where(age=2).or_(city="Oslo")) == "be"

    def test_builders_read_left_to_right(self, every_pair: Any) -> None:
        assert found(every_pair.where(age=2).or_(city="Rome").and_(active=True)) == "ac"
        assert found(every_pair.where(city="Rome").and_(active=True).or_(age=2)) == "abc"

    def test_not_of_a_comparison_includes_none(self, every_pair: Any) -> None:
        assert found(every_pair.where(~Q(age=1))) == "bcd"
        assert found(every_pair.where(~Q(age__gt=1))) == "acde"
        assert found(every_pair.where().not_(age__gt=1)) == "acde"
        assert found(every_pair.where(~Q(city__contains="o"))) == "bd"

    def test_not_without_an_argument_turns_the_question_round(self, every_pair: Any) -> None:
        assert found(every_pair.where(age=1).not_()) == "bcd"
        assert found(every_pair.where(age=1, active=True).not_()) == "bcd"

    def test_not_of_and_is_or_of_nots(self, every_pair: Any) -> None:
        both = Q(age__gte=1) & Q(city="Rome")
        assert found(every_pair.where(~both)) == "bcde"
        assert found(every_pair.where(~Q(age__gte=1) | ~Q(city="Rome"))) == "bcde"

    def test_double_negation_is_nothing(self, every_pair: Any) -> None:
        assert found(every_pair.where(~~Q(age__lt=2))) == "ae"
        assert found(every_pair.where(~(~Q(age__lt=2) | ~Q(city="Rome")))) == "a"

    def test_not_in_with_none_and_its_negation_split_the_rows(self, every_pair: Any) -> None:
        assert found(every_pair.where(age__not_in=[1, None])) == "b"
        assert found(every_pair.where(~Q(age__not_in=[1, None]))) == "acde"

    def test_or_with_a_term_on_a_nested_value(self, every_pair: Any) -> None:
        assert found(every_pair.where(Q(home__city="Rome") | Q(tags__contains="x") | Q(id="d"))) == "cde"
        assert found(every_pair.where(~(Q(home__city="Rome") | Q(tags__contains="x")))) == "abd"

    def test_or_with_a_term_on_the_key(self, every_pair: Any) -> None:
        assert found(every_pair.where(Q(id="a") | Q(age=2))) == "ab"
        assert found(every_pair.where(id="a", age=2)) == ""
        assert found(every_pair.where(Q(id="a") & Q(id="b"))) == ""
        assert found(every_pair.where(Q(id="a") & ~Q(id="a"))) == ""
        assert found(every_pair.where(id__in=["a", "b", "a", "zz"])) == "ab"

    def test_an_or_without_terms_is_refused_or_false_but_never_everything(self, every_pair: Any) -> None:
        question = Q(age__in=[]) | Q(id__in=[])
        assert found(every_pair.where(question)) == ""
        assert found(every_pair.where(~question)) == "abcde"

    def test_a_query_is_a_condition_of_another(self, every_pair: Any) -> None:
        young = every_pair.where(age=1)
        assert found(every_pair.where(city="Rome").filter(young)) == "a"
        assert found(every_pair.where(city="Rome").or_(young)) == "ace"

    def test_building_changes_no_builder(self, every_pair: Any) -> None:
        start = every_pair.where(age=1)
        for other in (
            start.filter(city="Rome"),
            start.or_(age=2),
            start.not_(),
            start.order_by("-id"),
            start.limit(1),
            start.offset(1),
            start.select("id"),
        ):
            assert other is not start
        start.first()
        start.count()
        start.paginate()
        assert found(start) == "ae"

    def test_a_builder_asks_nothing_by_len_or_bool(self, every_pair: Any) -> None:
        assert bool(every_pair.where(age=99)) is True
        with pytest.raises(TypeError):
            len(every_pair.where())

    def test_what_is_no_condition_is_refused(self, every_pair: Any) -> None:
        with pytest.raises(QueryError):
            every_pair.where("age = 1")
        with pytest.raises(QueryError):
            every_pair.where(True)

    @pytest.mark.parametrize(
        "condition",
        [
            Q(id__in=["a", "a", "c"]) | Q(id="a"),
            Q(age__in=[1, 1]) | Q(id__in=["a", "c"]),
            (Q(age=1) & Q(id="a")) | Q(id__regex="[ac]") | Q(id="c"),
            Q(age__gte=1, id="a") | Q(age__lte=1, id="a") | Q(id="c"),
        ],
        ids=repr,
    )
    def test_a_row_that_fulfils_a_filter_in_several_ways_is_given_once(self, use: Use, condition: Q) -> None:
        use(Person)
        Person.batch_create([{"id": "a", "age": 1}, {"id": "b", "age": 2}, {"id": "c", "age": None}])
        question = Person.where(condition)
        assert sorted(ids(question.all())) == sorted(ids(question)) == ["a", "c"]
        assert paged(question.order_by("-age"), 1) == ["a", "c"]
        assert (question.count(), question.limit(2).count(), question.offset(1).count()) == (2, 2, 1)
        assert question.update(name="x") == 2

    def test_deep_trees_are_answered(self, every_pair: Any) -> None:
        tree: Expr = Q(age=1)
        for _ in range(40):
            tree = ~(~tree | Q(id="b")) | Q(id="zz")
        assert found(every_pair.where(tree)) == "ae"
        wide = Q(id="none")
        for number in range(1500):
            wide = wide | Q(age=number)  # type: ignore[assignment]
        assert found(every_pair.where(wide)) == "abe"

    def test_a_long_list_of_values_is_answered(self, every_pair: Any) -> None:
        numbers = list(range(2, 40_000))
        assert found(every_pair.where(age__in=numbers)) == "b"
        assert found(every_pair.where(age__not_in=numbers)) == "acde"
        assert found(every_pair.where(city__in=[str(number) for number in numbers] + ["Oslo"])) == "e"

    @examples(80)
    @given(tree=TREES)
    def test_any_tree_answers_as_the_reference_does(self, use: Use, tree: Expr) -> None:
        use(Person)
        if not Person.count():
            Person.batch_create(ROWS)
        resolved = resolve(schema_of(Person), tree)
        expected = {row["id"] for row in ROWS if evaluate(resolved, vars(Person(**row)))}
        assert set(ids(Person.where(tree).all())) == expected
        assert Person.where(tree).count() == len(expected)
        assert Person.where(tree).exists() == bool(expected)
