"""Every filter and every order gives what the reference gives, whether SQLite answers it or leaves it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore.comparing import TESTS
from mixstore.expressions import FALSE, TRUE, After, And, Compare, Expr, Not, Or, Order, matcher, sort_key
from mixstore.matching import getter
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.shared.support import examples
from tests.backends.sqlite.models import (
    BYTES,
    DECIMALS,
    ELEMENTS,
    FLAGS,
    INTS,
    JSON,
    MOMENTS,
    PLAIN,
    REALS,
    TEXTS,
    Address,
    Everything,
    Place,
)

ROWS = 120
SORTABLE = (
    "text",
    "note",
    "count",
    "maybe",
    "real",
    "money",
    "flag",
    "raw",
    "moment",
    "hour",
    "span",
    "uid",
    "ip",
    "url",
)
NESTED: dict[tuple[str, ...], list[Any]] = {
    ("home", "city"): TEXTS, ("home", "number"): INTS, ("home", "since"): MOMENTS, ("home", "price"): DECIMALS,
    ("home", "raw"): BYTES, ("home", "valid"): FLAGS, ("home", "free"): JSON, ("home", "free", "k"): JSON,
    ("home", "place", "lat"): REALS, ("home", "place", "name"): TEXTS, ("home", "place", "floor"): INTS,
    ("free", "k"): JSON, ("free", "l", "m"): JSON, ("scores", "k"): INTS, ("notes", "k"): JSON,
}  # fmt: skip
DOMAINS: dict[tuple[str, ...], list[Any]] = {
    **{(name,): values for name, values in {**PLAIN, **ELEMENTS}.items()},
    **NESTED,
    ("home",): JSON,
    ("notes",): JSON,
}
ANYTHING = [value for values in DOMAINS.values() for value in values[:3]]
NUMERIC = [*INTS, *REALS, *DECIMALS]


class Filler:
    """Makes rows of values that meet often; the same ones in each run."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def maybe(self, value: Any) -> Any:
        return None if self.chance.random() < 0.2 else value

    def one(self, values: list[Any]) -> Any:
        return self.chance.choice(values)

    def some(self, values: list[Any]) -> list[Any]:
        return [self.one(values) for _ in range(self.chance.randrange(4))]

    def place(self) -> Place:
        return Place(lat=self.one(REALS), name=self.maybe(self.one(TEXTS)), floor=self.one(INTS))

    def address(self) -> Address:
        values = {path[1]: self.maybe(self.one(values)) for path, values in NESTED.items() if path[0] == "home"}
        return Address(**{**values, "city": self.one(TEXTS), "place": self.maybe(self.place())})

    def row(self, number: int) -> dict[str, Any]:
        row: dict[str, Any] = {name: self.maybe(self.one(values)) for name, values in PLAIN.items()}
        row.update({name: self.maybe(self.some(values)) for name, values in ELEMENTS.items()})
        row.update(id=number, text=self.one(TEXTS), count=self.one(INTS), numbers=self.some([*INTS, None]))
        scores = self.maybe({key: self.one(INTS) for key in self.some(["k", "x"])})
        notes = self.maybe({key: self.one(JSON) for key in self.some(["k", "x"])})
        return {**row, "home": self.maybe(self.address()), "scores": scores, "notes": notes}


@pytest.fixture(scope="module")
def stored() -> Iterator[dict[int, Everything]]:
    """Rows of every kind in a database in memory, as they were before."""
    filler = Filler(5)
    made = [Everything(**filler.row(number)) for number in range(ROWS)]
    with SQLiteBackend(":memory:") as backend:
        Everything.bind(backend)
        backend.initialize(Everything)
        Everything.batch_create(made)
        yield {one.id: one for one in made}
        Everything.bind(None)


def operands(path: tuple[str, ...], lookup: str) -> st.SearchStrategy[Any]:
    """What such a comparison may be given: mostly values of the field, now and then something else."""
    fitting = DOMAINS[path]
    numeric = isinstance(fitting[0], (int, float)) or fitting is DECIMALS
    one = st.sampled_from([*fitting, *fitting, *(NUMERIC if numeric else ()), *ANYTHING, None])
    if lookup in ("in", "not_in"):
        return st.lists(one, max_size=4).map(tuple) | st.lists(st.sampled_from(fitting), min_size=80).map(tuple)
    if lookup == "between":
        return st.tuples(one, one)
    if lookup == "isnull":
        return st.booleans()
    if lookup == "size":
        return st.sampled_from([0, 1, 2, 3, None])
    if lookup == "regex":
        return st.sampled_from(["a", "^a", "b$", "", ".", "ß"])
    return one if lookup in ("eq", "ne", "lt", "lte", "gt", "gte", "contains") else st.sampled_from([*TEXTS, None])


COMPARISONS = st.sampled_from([(path, lookup) for path in DOMAINS for lookup in TESTS]).flatmap(
    lambda at: operands(*at).map(lambda value: Compare(*at, value))
)
EXPRESSIONS: st.SearchStrategy[Expr] = st.recursive(
    COMPARISONS | st.sampled_from([TRUE, FALSE]),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(And), st.lists(inner, max_size=3).map(Or), inner.map(Not)),
    max_leaves=8,
)
ORDERS = st.lists(
    st.builds(lambda name, down: Order((name,), down), st.sampled_from(SORTABLE), st.booleans()), min_size=1, max_size=3
)


def answered(expr: Expr, stored: dict[int, Everything]) -> list[int]:
    """The ids that SQLite and what it leaves to the kernel find."""
    bound = Everything.where()._bound()
    where = bound.native.compiler.where(expr)
    text, parameters = where.sql
    rows = bound.backend._connections.get().execute(f"SELECT id FROM Everything WHERE {text}", parameters)
    left = matcher(TRUE if where.residual is None else where.residual)
    return sorted(number for (number,) in rows if left(stored[number].__dict__))


def wanted(expr: Expr, stored: dict[int, Everything]) -> list[int]:
    """The ids that the reference finds."""
    matches = matcher(expr)
    return sorted(number for number, one in stored.items() if matches(one.__dict__))


def test_every_value_comes_back_as_it_was(stored: dict[int, Everything]) -> None:
    assert {one.id: one for one in Everything.where().all()} == stored


@examples(600)
@given(EXPRESSIONS)
def test_a_filter_finds_what_the_reference_finds(stored: dict[int, Everything], expr: Expr) -> None:
    assert answered(expr, stored) == wanted(expr, stored)


@examples(60)
@given(ORDERS, st.integers(0, 20), st.integers(0, ROWS), COMPARISONS)
def test_an_order_is_that_of_the_reference(
    stored: dict[int, Everything], order: list[Order], offset: int, limit: int, expr: Expr
) -> None:
    columns = (*order, Order(("id",)))
    names = [repr(one) for one in order]
    everything = [one.id for one in sorted(stored.values(), key=lambda one: sort_key(columns)(one.__dict__))]
    assert [one.id for one in Everything.where().order_by(*names).all()] == everything
    sliced = Everything.where().order_by(*names).limit(limit).offset(offset).all()
    assert [one.id for one in sliced] == everything[offset : offset + limit]


@examples(60)
@given(ORDERS, st.integers(0, ROWS - 1))
def test_what_comes_after_a_row_is_what_the_reference_says(
    stored: dict[int, Everything], order: list[Order], number: int
) -> None:
    columns = (*order, Order(("id",)))
    row = stored[number].__dict__
    expr = After(columns, [getter(one.path)(row) for one in columns])
    assert Everything.where()._bound().native.compiler.where(expr).residual is None
    assert answered(expr, stored) == wanted(expr, stored)


@pytest.mark.parametrize("name", ["home__city", "home__price", "home__place__lat", "-home__place__floor"])
def test_an_order_by_a_nested_value_is_that_of_the_reference(stored: dict[int, Everything], name: str) -> None:
    column = Order(tuple(name.lstrip("-").split("__")), name.startswith("-"))
    key = sort_key((column, Order(("id",))))
    expected = [one.id for one in sorted(stored.values(), key=lambda one: key(one.__dict__))]
    assert [one.id for one in Everything.where().order_by(name).all()] == expected


def test_pages_behind_a_residual_filter_are_refilled_in_order(stored: dict[int, Everything]) -> None:
    query = Everything.where(home__price__gt=0).or_(reals__contains=1.5).order_by("-note", "text")
    assert query.explain().residual
    everything = [one.id for one in query.all()]
    assert [one.id for one in query.limit(7).offset(2).all()] == everything[2:9]
    assert query.count() == len(everything)
