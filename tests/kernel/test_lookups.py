"""From `age__gte=18` to a comparison: names, paths, lookups, sort columns. Operands are in test_operands."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mixstore.errors import QueryError
from mixstore.expressions import TRUE, After, Compare, Deferred, Order, Q, evaluate
from mixstore.lookups import BUILTIN, Lookup, parse, parse_order, resolve, type_at
from tests.kernel.people import NOON, SCHEMA, Address

# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "lookup"),
    [
        ("age", ("age",), "eq"),
        ("age__gte", ("age",), "gte"),
        ("home__city", ("home", "city"), "eq"),
        ("home__city__ne", ("home", "city"), "ne"),
        ("class_", ("class_",), "eq"),
        ("class___gte", ("class_",), "gte"),
        ("mixed__city", ("mixed", "city"), "eq"),
        ("points__3__lt", ("points", "3"), "lt"),
        ("meta__a__b", ("meta", "a", "b"), "eq"),
        ("free__a__gt", ("free", "a"), "gt"),
    ],
)
def test_a_name_is_a_path_and_a_lookup(name: str, path: tuple[str, ...], lookup: str) -> None:
    found = parse(SCHEMA, name, 1 if path[-1] != "city" else "x")
    assert (found.path, found.lookup) == (path, lookup)


def test_on_models_a_field_goes_before_a_lookup_of_the_same_name() -> None:
    assert parse(SCHEMA, "home__size", 3) == Compare(("home", "size"), "eq", 3)


def test_in_free_dicts_a_lookup_goes_first_and_eq_makes_it_a_path() -> None:
    assert parse(SCHEMA, "meta__size", 3) == Compare(("meta",), "size", 3)
    assert parse(SCHEMA, "meta__size__eq", 3) == Compare(("meta", "size"), "eq", 3)
    assert parse(SCHEMA, "free__contains__gte", 3) == Compare(("free", "contains"), "gte", 3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("agee", 1, "Person has no field 'agee'; did you mean 'age'"),
        ("agee__gte", 1, "did you mean 'age'"),
        ("age__gtt", 1, r"Person.age \(int\) has no lookup 'gtt'; did you mean 'gt'"),
        ("age__", 1, "has no lookup ''"),
        ("name__startwith", "x", "did you mean 'startswith'"),
        (
            "home__citi",
            "x",
            r"Person.home \(Address \| None\) has no field or lookup 'citi'; did you mean 'city'",
        ),
        ("home__city__gtt", "x", "Person.home.city .*did you mean 'gt'"),
        ("mixed__citty", "x", "did you mean 'city'"),
        ("age__gte__x", 1, "nothing can follow the lookup 'gte'"),
        ("age__startswith", "x", r"Person.age \(int\) has no lookup 'startswith'; valid: "),
        ("home__lt", {}, "no field or lookup 'lt'"),
        ("tags__gt", [], "no lookup 'gt'"),
        ("level__icontains", "x", "no lookup 'icontains'"),
        ("tags__0", "x", "no lookup '0'"),
        ("\ud800", 1, "surrogate"),
        ("meta__\ud800", 1, "surrogate"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_nearest(name: str, value: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse(SCHEMA, name, value)


# -- whole expressions -------------------------------------------------------------------------------------


def test_resolve_turns_q_into_comparisons() -> None:
    found = resolve(SCHEMA, Q(Q(name="x") | ~Q(age__lt="3"), home__city="Rome"))
    name, age, city = (
        Compare(("name",), "eq", "x"),
        Compare(("age",), "lt", 3),
        Compare(("home", "city"), "eq", "Rome"),
    )
    assert found == (name | ~age) & city


def test_an_empty_q_asks_for_everything() -> None:
    assert resolve(SCHEMA, Q()) == TRUE


def test_resolve_coerces_the_operands_of_comparisons_made_by_hand() -> None:
    assert resolve(SCHEMA, ~Compare(("born",), "lt", "2000-01-01")) == ~Compare(("born",), "lt", date(2000, 1, 1))
    with pytest.raises(QueryError, match="did you mean 'age'"):
        resolve(SCHEMA, Compare(("agee",), "eq", 1))
    with pytest.raises(QueryError, match="did you mean 'gt'"):
        resolve(SCHEMA, Compare(("age",), "gtt", 1))


def test_resolving_again_gives_the_same_object() -> None:
    once = resolve(SCHEMA, Q(age__in=[1, 2], meta__a__b=[1]) | ~Q(home={"city": "Rome"}) & Q(at=NOON))
    assert resolve(SCHEMA, once) is once
    after = After((Order(("_pk",)),), ("x",))
    assert resolve(SCHEMA, after) is after


def test_what_was_resolved_can_be_evaluated() -> None:
    adult = resolve(SCHEMA, Q(age__gte=18, name__icontains="STRASSE"))
    assert evaluate(adult, {"age": 18, "name": "Hauptstraße"})
    assert not evaluate(adult, {"age": 17, "name": "Hauptstraße"})


# -- lookups -----------------------------------------------------------------------------------------------


def test_the_built_in_lookups_are_these() -> None:
    assert [*BUILTIN] == [
        *("eq", "ne", "lt", "lte", "gt", "gte", "between", "in", "not_in"),
        *("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex"),
        *("isnull", "size"),
    ]


@pytest.mark.parametrize("lookup", BUILTIN.values(), ids=BUILTIN)
def test_a_built_in_lookup_evaluates_as_its_comparison_does(lookup: Lookup) -> None:
    given = {"isnull": True, "size": 1, "in": ("a",), "not_in": ("a",), "between": ("a", "b")}.get(lookup.name, "a")
    assert lookup.evaluate is not None
    for found in ("a", "b", None, 1, ["a"]):
        assert lookup.evaluate(found, given) is evaluate(Compare(("x",), lookup.name, given), {"x": found})


def near(found: Any, target: Any) -> bool:
    return abs(found - target) <= 1


def test_a_registered_lookup_works_like_a_built_in_one() -> None:
    known = {**BUILTIN, "near": Lookup("near", frozenset({"int"}), "value", near)}
    close = resolve(SCHEMA, Q(age__near="5"), known)
    assert close == Compare(("age",), "near", 5)
    assert [age for age in (3, 4, 5, 6, None) if evaluate(close, {"age": age})] == [4, 5, 6]
    assert resolve(SCHEMA, close, known) is close
    with pytest.raises(QueryError, match=r"Person.name \(str \| None\) has no lookup 'near'"):
        resolve(SCHEMA, Q(name__near="5"), known)
    with pytest.raises(QueryError, match="no lookup 'near'"):
        resolve(SCHEMA, Q(age__near=5))


def test_a_comparison_that_brings_its_own_function_needs_no_registered_lookup() -> None:
    close = Compare(("age",), "near", 5, near)
    assert resolve(SCHEMA, close) is close


def even(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("it takes an int")
    return value - value % 2


def test_a_lookup_may_coerce_its_operand_by_a_function_of_its_own() -> None:
    lookups = {**BUILTIN, "evenly": Lookup("evenly", frozenset({"int"}), even, near)}
    made = parse(SCHEMA, "age__evenly", 7, lookups)
    assert made.value == 6
    assert resolve(SCHEMA, Q(age__evenly=7), lookups) == made
    assert resolve(SCHEMA, made, lookups) is made
    later = Deferred("later", lambda environment: 7)
    assert parse(SCHEMA, "age__evenly", later, lookups).value is later
    with pytest.raises(QueryError, match=r"Person\.age is int.*: evenly can't take 'x': it takes an int"):
        parse(SCHEMA, "age__evenly", "x", lookups)
    with pytest.raises(QueryError, match="evenly can't take None: it takes an int"):
        parse(SCHEMA, "age__evenly", None, lookups)


def test_a_lookup_may_be_for_the_values_of_a_class() -> None:
    inhabited = Lookup("inhabited", frozenset({Address}), "bool", lambda home, wanted: bool(home.city) == wanted)
    lookups = {**BUILTIN, "inhabited": inhabited}
    assert parse(SCHEMA, "home__inhabited", True, lookups).path == ("home",)
    assert parse(SCHEMA, "mixed__inhabited", True, lookups).path == ("mixed",)
    with pytest.raises(QueryError, match="has no lookup 'inhabited'"):
        parse(SCHEMA, "age__inhabited", True, lookups)


def test_a_lookup_is_for_a_union_if_it_is_for_one_of_its_members() -> None:
    assert parse(SCHEMA, "mixed__startswith", "x").lookup == "startswith"


# -- order and paths ---------------------------------------------------------------------------------------


def test_an_order_is_a_path_with_a_direction() -> None:
    assert parse_order(SCHEMA, "age") == Order(("age",))
    assert parse_order(SCHEMA, "-home__city") == Order(("home", "city"), descending=True)
    assert parse_order(SCHEMA, "points__3") == Order(("points", "3"))
    assert parse_order(SCHEMA, "-home__size") == Order(("home", "size"), descending=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("-agee", "no field 'agee'; did you mean 'age'"),
        ("home__citi", "no field 'citi'; did you mean 'city'"),
        ("age__gte", "no field 'gte'"),
        ("-", "no field ''"),
        ("tags", "list.*no order"),
        ("home", "Address.*no order"),
        ("meta__a", "Any.*no order"),
        ("mixed", "no order"),
        ("mode", "no order"),
    ],
)
def test_an_order_that_makes_no_sense_is_an_error(name: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_order(SCHEMA, name)


def test_an_order_is_named_by_text() -> None:
    with pytest.raises(QueryError, match="int"):
        parse_order(SCHEMA, 5)  # type: ignore[arg-type]


def test_type_at_finds_the_type_of_a_path() -> None:
    assert type_at(SCHEMA, ("home", "city")).kind == "str"
    assert type_at(SCHEMA, ("points", "3")).kind == "float"
    assert type_at(SCHEMA, ("meta", "a", "b")).kind == "any"
    with pytest.raises(QueryError, match="did you mean 'city'"):
        type_at(SCHEMA, ("home", "citi"))
