"""Queries over rows that are already here."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import UUID, uuid4

import pytest

from mixstore import (
    Field,
    Mixin,
    Model,
    QueryBuilder,
    QueryError,
    UnsupportedOperationError,
)


class Locked(Mixin):
    class Declares:
        required = True


class Row(Model):
    id: UUID = Field(primary_key=True)
    name: str = ""
    email: str | None = Field(None, unique=True)
    at: datetime | None = None


def test_over_answers_queries_on_rows_and_leaves_them_alone(fresh):
    ids = [uuid4() for _ in range(3)]
    rows = [{"id": key, "name": name} for key, name in zip(ids, "cab", strict=True)]
    query = QueryBuilder.over(Row, rows)
    assert [row.name for row in query.order_by("name").all()] == ["a", "b", "c"]
    assert (query.filter(name__in=["a", "c"]).count(), query.filter(id=ids[0]).one().name) == (2, "c")
    assert query.limit(0).all() == []
    assert rows[0] == {"id": ids[0], "name": "c"}


def test_over_understands_the_json_form_of_values(fresh):
    key = uuid4()
    rows = [{"id": str(key), "name": "x", "at": "2026-01-01T12:00:00Z"}]
    (row,) = QueryBuilder.over(Row, rows).filter(id=key).all()
    assert row.at == datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def test_over_needs_no_backend_and_no_capability_of_the_model(fresh):
    class Strict(Locked, Model):
        id: str = Field(primary_key=True)
        email: str = Field("", unique=True)

    assert QueryBuilder.over(Strict, [{"id": "a", "email": "x"}]).filter(email="x").one().id == "a"


def test_over_of_a_damaged_row_names_field_and_key(fresh):
    with pytest.raises(Exception, match=r"Row\.at does not decode") as caught:
        QueryBuilder.over(Row, [{"id": uuid4(), "at": "noon"}]).all()
    assert caught.value.field == "at"


def test_over_cannot_be_written(fresh):
    query = QueryBuilder.over(Row, [{"id": uuid4()}])
    for write in (lambda: query.update(name="x"), query.delete):
        with pytest.raises(UnsupportedOperationError, match="rows"):
            write()


def test_over_of_an_unknown_field_is_a_query_error(fresh):
    with pytest.raises(QueryError, match="did you mean 'name'"):
        QueryBuilder.over(Row, []).filter(nmae="x")
