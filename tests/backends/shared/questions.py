"""Random rows, filters, orders and changes over few values, so that rows meet and filters hit."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from mixstore import Field, Model, Q
from mixstore.expressions import FALSE, TRUE, Expr
from mixstore.testing.models import Color
from mixstore_extensions import TTL, Timestamps, Versioned
from tests.backends.shared.support import NOON


class Home(BaseModel):
    """Nested."""

    city: str
    floor: int | None = None


class Wild(Model):
    """A field of many kinds, an index, a unique value, text to search; no extension."""

    id: str = Field(primary_key=True)
    n: int | None = Field(None, index=True)
    text: str | None = Field(None, searchable=True)
    real: float | None = Field(None, index=True)
    price: Decimal | None = None
    flag: bool | None = None
    moment: datetime | None = Field(None, index=True)
    color: Color | None = None
    home: Home | None = None
    tags: list[str] = []
    free: Any = None
    slug: str | None = Field(None, unique=True)


class Kept(TTL, Versioned, Timestamps, Model):
    """All three mixins, a key of two fields, a unique value."""

    group: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    n: int | None = Field(None, index=True)
    text: str | None = None
    slug: str | None = Field(None, unique=True)


IDS = ["a", "b", "c", "d", "e", "É", ""]
MOMENTS = [NOON, NOON + timedelta(microseconds=1), NOON - timedelta(days=1)]
VALUES: dict[str, list[Any]] = {
    "n": [None, 0, 1, 2, -1, 2**53 + 1],
    "text": [None, "", "a", "A", "b a", "%", "a_b", "straße", "STRASSE", "é", "e\u0301", "\0"],
    "real": [None, 0.0, 1.0, -1.5, 1e300, float("inf"), 0.1],
    "price": [None, Decimal("0"), Decimal("1.5"), Decimal("10"), Decimal("9"), Decimal("-1E-30")],
    "flag": [None, True, False],
    "moment": [None, *MOMENTS],
    "color": [None, *Color],
    "home": [None, Home(city="a"), Home(city="b", floor=1), Home(city="", floor=0)],
    "tags": [[], ["a"], ["a", "b"], [""]],
    "free": [None, 0, 1, True, "1", 1.0, [1], {"a": 1}, {"a": {"b": None}}, {"n": [1, "a"]}],
    "slug": [None, None, "x", "y", "z", ""],
}
PATHS = ["home__city", "home__floor", "free__a", "free__a__b", "free__n"]
LOOKUPS = [
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "between", "isnull", "contains", "icontains", "startswith",
    "istartswith", "endswith", "iendswith", "regex", "size",
]  # fmt: skip
TEXTUAL = {"icontains", "startswith", "istartswith", "endswith", "iendswith", "regex"}


def fields_of(model: type[Model]) -> list[str]:
    """The fields that rows and changes set, but for the key."""
    return [name for name in VALUES if name in model.model_fields]


def keys(model: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    """A primary key."""
    if model is Wild:
        return st.fixed_dictionaries({"id": st.sampled_from(IDS)})
    return st.fixed_dictionaries({"group": st.sampled_from(["g", "h"]), "number": st.sampled_from([1, 2, 10])})


LIFETIMES = st.sampled_from([None, 5, 20, 0.5, -1])


def changes(model: type[Model], most: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """New values for a few fields."""
    options: dict[str, Any] = {name: st.sampled_from(VALUES[name]) for name in fields_of(model)}
    if model is Kept:
        options["expires_in"] = LIFETIMES
    return st.lists(st.sampled_from(sorted(options)), max_size=most, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: options[name] for name in names})
    )


def rows(model: type[Model], most: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """A key and some values."""
    return st.builds(lambda key, values: {**key, **values}, keys(model), changes(model, most))


def _operand(field: str, lookup: str) -> st.SearchStrategy[Any]:
    values = VALUES.get(field, [None, "a", "b", "", 0, 1, True, "1"])
    one = st.sampled_from(values)
    if lookup in ("in", "not_in"):
        return st.lists(one, max_size=3)
    if lookup == "between":
        return st.tuples(one, one)
    if lookup == "isnull":
        return st.booleans()
    if lookup == "size":
        return st.integers(-1, 3)
    if lookup in TEXTUAL or (lookup == "contains" and field != "free"):
        return st.sampled_from(["", "a", "A", "%", "_", "SS", "ß", "e", ".", "^a", "red", "\0"])
    return one


def _leaf(field: str, lookup: str) -> st.SearchStrategy[Expr]:
    return _operand(field, lookup).map(lambda value: Q(**{f"{field}__{lookup}": value}))


def filters(model: type[Model]) -> st.SearchStrategy[Expr]:
    """A tree of conditions; some make no sense for their field, which every backend refuses alike."""
    names = ["n", "text", "text", *fields_of(model), *(PATHS if model is Wild else [])]
    leaf = st.tuples(st.sampled_from(names), st.sampled_from(LOOKUPS)).flatmap(lambda pair: _leaf(*pair))
    key = keys(model).map(lambda key: Q(**key))
    part = keys(model).flatmap(
        lambda key: st.sampled_from([Q(**{f"{n}__{how}": v}) for n, v in key.items() for how in ("gte", "lt", "ne")])
    )
    return st.recursive(
        st.one_of(leaf, leaf, leaf, key, part, st.sampled_from([TRUE, FALSE])),
        lambda inner: st.one_of(
            st.builds(lambda a, b: a & b, inner, inner),
            st.builds(lambda a, b: a | b, inner, inner),
            st.builds(lambda a: ~a, inner),
        ),
        max_leaves=5,
    )


def orders(model: type[Model]) -> st.SearchStrategy[list[str]]:
    """Up to two columns."""
    names = ["n", "text", "slug"] + (
        ["id", "real", "price", "flag", "moment", "color", "home__city"]
        if model is Wild
        else ["number", "created_at", "version"]
    )
    column = st.builds(lambda sign, name: sign + name, st.sampled_from(["", "-"]), st.sampled_from(names))
    return st.lists(column, max_size=2)


MODELS = st.sampled_from([Wild, Kept])
SEARCHES = st.sampled_from(["", "a", "A", "b a", "strasse", "straße", "é", "e", "%", "a_b", "zz"])
