"""Random rows, writes and questions: whatever index a backend takes, the rows are those of the reference evaluator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mixstore import GSI, INCLUDE, KEYS_ONLY, Field, Model, Q, schema_of
from mixstore.expressions import conjunction, evaluate, sort_key
from tests.backends.shared.support import NOON, each_engine, examples, ids, paged


class Place(Model):
    class Meta:
        scan = "allow"
        indexes = [
            GSI("by_group", partition="G#{group}", sort="{n:02d}#{at}"),
            GSI("by_owner", partition="{owner}#{n:02d}", sort="X#{name}", projection=KEYS_ONLY),
            GSI("by_name", partition="{name}", projection=INCLUDE("n")),
            GSI("by_month", partition="ALL", sort="{at:%Y-%m}"),
            GSI("by_time", partition="ALL", sort="{at}#{id}"),
            GSI("by_last", partition="{group}", sort="{name}"),
        ]

    id: str = Field(primary_key=True)
    group: str
    n: int = 0
    at: datetime | None = None
    owner: str | None = Field(None, index=True)
    name: str = ""


MOMENTS = [NOON + timedelta(days=days, microseconds=days % 2) for days in (-40, -1, 0, 1, 40)]
VALUES: dict[str, Any] = {
    "group": st.sampled_from(["a", "a#", "b", ""]),
    "n": st.integers(0, 4),
    "at": st.none() | st.sampled_from(MOMENTS),
    "owner": st.none() | st.sampled_from(["x", "x#y", "%"]),
    "name": st.sampled_from(["", "a", "a#", "ab", "a/", "b", "é", "\U0001f600"]),
}
KEYS = st.sampled_from("0123456789")
INDEXES = st.none() | st.sampled_from(list(schema_of(Place).indexes))
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), KEYS, st.fixed_dictionaries(VALUES)),
        st.tuples(st.just("update"), KEYS, st.fixed_dictionaries({}, optional=VALUES)),
        st.tuples(st.just("delete"), KEYS, st.none()),
    ),
    max_size=8,
)


@st.composite
def terms(draw: Any) -> Q:
    name = draw(st.sampled_from(list(VALUES)))
    lookup = draw(
        st.sampled_from(["eq", "eq", "in", "gt", "gte", "lt", "lte", "between", "startswith", "ne", "isnull"])
    )
    if lookup == "startswith":
        name = draw(st.sampled_from(["group", "owner", "name"]))
    values = VALUES[name]
    operands: dict[str, Any] = {
        "in": st.lists(values, max_size=3),
        "isnull": st.booleans(),
        "startswith": st.sampled_from(["", "a", "a#", "x"]),
    }
    if lookup == "between":
        low, high = draw(values), draw(values)
        return Q(**{f"{name}__between": (low, high)})
    return Q(**{f"{name}__{lookup}": draw(operands.get(lookup, values))})


@st.composite
def questions(draw: Any) -> Any:
    query = Place.where(*draw(st.lists(terms(), max_size=4)))
    if draw(st.integers(0, 4)) == 0:
        query = query.or_(draw(terms()))
    columns = draw(st.lists(st.sampled_from(["n", "at", "name", "id", "group"]), unique=True, max_size=3))
    sign = draw(st.sampled_from(["", "-", None]))
    signs = [draw(st.sampled_from(["", "-"])) if sign is None else sign for _ in columns]
    query = query.order_by(*(f"{sign}{column}" for sign, column in zip(signs, columns, strict=True)))
    return query.limit(draw(st.none() | st.integers(0, 5))).offset(draw(st.integers(0, 2))).using(draw(INDEXES))


def expected(rows: dict[str, Any], query: Any, cut: bool = True) -> list[str]:
    schema = schema_of(Place)
    wanted = query.where if query.index is None else conjunction(query.where, schema.indexes[query.index].present)
    found = [vars(row) for row in rows.values() if evaluate(wanted, vars(row))]
    found.sort(key=sort_key((*query.order, *schema.key_order)))
    end = None if query.limit is None or not cut else query.offset + query.limit
    return [row["id"] for row in found[query.offset if cut else 0 : end]]


def write(rows: dict[str, Any], operation: str, key: str, values: Any) -> None:
    """The same to the store and to a dict."""
    if operation == "upsert":
        rows[key] = Place.upsert(id=key, **values)
    elif key in rows and operation == "update":
        rows[key].update(**values)
    elif key in rows:
        rows.pop(key).delete()


@each_engine
@examples(60)
@given(data=st.data())
def test_every_question_is_answered_as_if_there_were_no_index(use, data):
    use(Place)
    Place.where().delete()
    made = data.draw(st.lists(st.fixed_dictionaries(VALUES), max_size=10))
    rows = {str(n): Place.create(id=str(n), **values) for n, values in reversed(list(enumerate(made)))}
    for _ in range(2):
        for one in data.draw(WRITES):
            write(rows, *one)
        for _ in range(6):
            builder = data.draw(questions())
            query = builder.query
            whole = expected(rows, query, cut=False)
            found = ids(builder.all())
            if query.order:
                assert found == expected(rows, query), builder.explain()
            elif query.limit is None and not query.offset:
                assert sorted(found) == sorted(whole), builder.explain()
            assert builder.count() == len(expected(rows, query))
            assert builder.exists() == bool(expected(rows, query))
            assert paged(builder.limit(None).offset(0), 3) == whole, builder.explain()
