"""`explain()` tells what a query would do, and does none of it."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import Backend, Capability, Field, Model, Q, QueryError
from mixstore.testing.clock import Clock
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import IndexedThing, Page, Person, Session, Thing
from mixstore.testing.plans import count_requests
from mixstore.testing.support import Use, ids
from mixstore.testing.tags import extensions, full_text, indexes, missing, needs


class Guarded(Model):
    """Refuses to be read whole."""

    class Meta:
        """No scans."""

        scan = "forbid"

    id: str = Field(primary_key=True)
    city: str = Field("", index=True)
    name: str = ""


class ExplainCases(Conformance):
    """`explain()` tells what a query would do, and does none of it."""

    def test_explain_says_what_would_happen_without_doing_it(self, use: Use, backend: Backend) -> None:
        use(Person)
        told = Person.where(age__gte=2).order_by("id").limit(1).explain()
        assert told.backend == backend.backend_name
        assert told.operation
        assert "age" in told.pushed + told.residual
        assert backend.backend_name in str(told)

    @indexes
    @pytest.mark.parametrize(
        "filters", [{"number": 5}, {"text": "x"}, {"number__gte": 5}, {"price": "1.5"}, {"moment__lt": None}]
    )
    def test_explain_names_the_index_of_a_field(self, use: Use, filters: dict[str, Any]) -> None:
        use(IndexedThing)
        if "moment__lt" in filters:
            filters = {"moment__between": ("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z")}
        assert IndexedThing.where(**filters).explain().index

    def test_explain_names_no_index_for_a_scan(self, use: Use) -> None:
        use(Thing)
        assert Thing.where(number=5).explain().index is None

    @extensions
    def test_explain_shows_visibility(self, use: Use, clock: Clock) -> None:
        use(Session)
        told = Session.where(user="x").explain()
        assert "expires_at" in told.pushed + told.residual
        told = Session.include_expired().explain()
        assert "expires_at" not in told.pushed + told.residual

    @indexes
    def test_a_forbidden_scan_is_refused_and_an_indexed_query_is_not(self, use: Use) -> None:
        use(Guarded)
        Guarded.create(id="a", city="Rome", name="n")
        assert ids(Guarded.where(city="Rome").all()) == ["a"]
        assert Guarded.where(city="Rome").count() == 1
        assert Guarded.where(id="a").one().id == "a"
        for question in (Guarded.where(name="n"), Guarded.where()):
            with pytest.raises(QueryError):
                question.all()
            with pytest.raises(QueryError):
                question.count()

    @pytest.mark.parametrize(
        "question",
        [
            Q(age=2),
            Q(age__gte=1) & Q(city="Rome"),
            Q(age=1) | Q(city__regex="o$"),
            ~Q(tags__contains="x"),
            Q(home__city="Rome"),
            Q(id="a"),
            Q(id__in=["a", "b"]),
        ],
    )
    def test_every_term_of_a_filter_is_either_pushed_or_residual(self, use: Use, question: Q) -> None:
        use(Person)
        told = Person.where(question).explain()
        for name in ("age", "city", "tags", "home", "id"):
            if name in repr(question):
                assert name in told.pushed + told.residual, f"nobody applies {name}"

    @needs(Capability.ORDERED)
    def test_an_order_is_the_engines_own(self, use: Use) -> None:
        use(Person)
        for order in (["city"], ["-age", "name"], ["-id"]):
            assert not any("sorted by mixstore" in note for note in Person.where().order_by(*order).explain().notes)

    @missing(Capability.ORDERED)
    def test_without_ordered_explain_says_that_mixstore_sorts(self, use: Use) -> None:
        use(Person)
        told = Person.where().order_by("city").explain()
        assert any("sorted by mixstore" in note for note in told.notes)

    def test_explain_of_everything_has_no_filter(self, use: Use) -> None:
        use(Person)
        told = Person.where().explain()
        assert (told.pushed, told.residual) == ("", "")

    def test_explain_sends_nothing(self, use: Use) -> None:
        use(Person)
        with count_requests() as requests:
            Person.where(age__gte=1).order_by("-age").limit(3).explain()
        assert requests.count == 0

    def test_explain_needs_no_rows_and_changes_none(self, use: Use) -> None:
        use(Person)
        assert Person.where(age=1).explain().operation
        Person.create(id="a", age=1)
        before = Person.get("a")
        Person.where(age=1).order_by("-city").limit(1).offset(1).select("id").explain()
        assert Person.all() == [before]

    def test_explain_refuses_what_the_query_refuses(self, use: Use) -> None:
        use(Person)
        with pytest.raises(QueryError, match="did you mean 'age'"):
            Person.where(agee=1).explain()
        with pytest.raises(QueryError):
            Person.where().cursor("x").explain()

    @full_text
    def test_explain_of_a_search_says_how_it_is_found(self, use: Use, backend: Backend) -> None:
        use(Page)
        told = Page.search("fox").filter(shelf=1).explain()
        assert told.backend == backend.backend_name
        assert "shelf" in told.pushed + told.residual
