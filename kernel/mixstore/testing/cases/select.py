"""`select()`, `count()`, `exists()`, `explain()`."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import Field, Model, QueryError, after_load
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Address, Person
from mixstore.testing.support import Use


class Loud(Model):
    """Counts how often a row is loaded."""

    id: str = Field(primary_key=True)
    loaded: int = 0

    @after_load
    def count_up(self) -> None:
        """Once a row."""
        self.loaded += 1


class SelectCases(Conformance):
    """`select()`, `count()`, `exists()`, `explain()`."""

    @pytest.fixture
    def three_people(self, use: Use) -> Any:
        """Three three_people."""
        use(Person)
        Person.batch_create(
            [
                {"id": "a", "age": 1, "home": {"city": "Rome"}, "tags": ["x"], "notes": {"k": [1]}},
                {"id": "b", "age": 2},
                {"id": "c", "age": 3, "email": "c@x.org"},
            ]
        )
        return Person

    def test_select_gives_dicts_of_the_fields_in_order(self, three_people: Any) -> None:
        rows = three_people.where().select("age", "id").order_by("-age").all()
        assert rows == [{"age": 3, "id": "c"}, {"age": 2, "id": "b"}, {"age": 1, "id": "a"}]
        assert list(rows[0]) == ["age", "id"]

    def test_select_of_nothing_gives_all_fields(self, three_people: Any) -> None:
        row = three_people.where(id="a").select().one()
        assert set(row) == set(Person.model_fields)
        assert row["home"] == Address(city="Rome")
        assert (row["tags"], row["notes"], row["email"]) == (["x"], {"k": [1]}, None)

    def test_select_filters_and_orders_by_fields_it_does_not_give(self, three_people: Any) -> None:
        assert three_people.where(age__gte=2).order_by("-age").select("id").all() == [{"id": "c"}, {"id": "b"}]
        assert three_people.where(id__regex="[ab]").order_by("-id").limit(1).select("age").all() == [{"age": 2}]

    def test_select_works_with_every_end(self, three_people: Any) -> None:
        chosen = three_people.where().select("id").order_by("id")
        assert chosen.first() == {"id": "a"}
        assert chosen.last() == {"id": "c"}
        assert chosen.count() == 3
        assert chosen.exists() is True
        assert three_people.where(age=2).select("id").one() == {"id": "b"}
        assert three_people.where(age=9).select("id").get() is None
        page = chosen.limit(2).paginate()
        assert page.items == [{"id": "a"}, {"id": "b"}]
        assert chosen.cursor(page.cursor).all() == [{"id": "c"}]
        assert list(chosen.limit(2)) == [{"id": "a"}, {"id": "b"}]

    def test_a_cursor_serves_the_same_query_with_and_without_select(self, three_people: Any) -> None:
        cursor = three_people.where().order_by("-age").limit(1).paginate().cursor
        assert three_people.where().order_by("-age").cursor(cursor).select("id").all() == [{"id": "b"}, {"id": "a"}]

    def test_select_of_an_unknown_field_names_the_nearest(self, three_people: Any) -> None:
        with pytest.raises(QueryError, match="did you mean 'age'"):
            three_people.where().select("agee")

    def test_selected_values_are_the_callers_own(self, three_people: Any) -> None:
        row = three_people.where(id="a").select().one()
        row["tags"].append("leak")
        row["notes"]["k"].append(2)
        row["home"].city = "Oslo"
        assert three_people.get("a").tags == ["x"]
        assert three_people.get("a").notes == {"k": [1]}
        assert three_people.get("a").home.city == "Rome"

    def test_count_and_exists_take_filters(self, three_people: Any) -> None:
        assert three_people.count() == 3
        assert three_people.count(age__gte=2) == 2
        assert three_people.count(age__gte=2, id="b") == 1
        assert three_people.exists() is True
        assert three_people.exists(age=9) is False
        assert three_people.exists(email="c@x.org") is True

    def test_count_of_an_empty_model_is_zero(self, use: Use) -> None:
        use(Person)
        assert (Person.count(), Person.exists(), Person.all(), Person.where().first()) == (0, False, [], None)

    def test_count_refuses_what_a_filter_refuses(self, three_people: Any) -> None:
        with pytest.raises(QueryError):
            three_people.count(agee=1)
        with pytest.raises(QueryError):
            three_people.exists(age="x")

    def test_counts_agree_with_the_rows_whatever_the_filter(self, three_people: Any) -> None:
        for filters in (
            {"age__gt": 1},
            {"id__regex": "a|c"},
            {"tags__contains": "x"},
            {"home__city": "Rome"},
            {"email": None},
        ):
            assert three_people.where(**filters).count() == len(three_people.where(**filters).all())
            assert three_people.where().not_(**filters).count() == len(three_people.where().not_(**filters).all())

    def test_after_load_runs_once_a_row_and_not_for_selected_values(self, use: Use) -> None:
        use(Loud)
        Loud.batch_create([{"id": "a"}, {"id": "b"}])
        assert Loud.get("a").loaded == 1
        assert [row.loaded for row in Loud.all()] == [1, 1]
        assert [row.loaded for row in Loud.batch_get(["a", "b"])] == [1, 1]
        assert [row.loaded for row in Loud.where()] == [1, 1]
        assert [row.loaded for row in Loud.where().paginate()] == [1, 1]
        assert Loud.where(id="a").select("loaded").one() == {"loaded": 0}
