"""Limit, offset and cursors: all of them after filter and order."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixstore
from mixstore import InvalidCursorError, MultipleResultsError, NotFoundError, Q, QueryError
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import (
    SEVEN,
    Membership,
    Note,
    Parcel,
    Person,
    Thing,
)
from mixstore.testing.support import Use, awaited, examples, ids, paged, paged_rows, together


def found(question: Any) -> str:
    """The ids in the order of the rows, as one text."""
    return "".join(ids(question.all()))


class PageCases(Conformance):
    """Limit, offset and cursors: all of them after filter and order."""

    @pytest.fixture
    def seven_people(self, use: Use) -> Any:
        """Seven seven_people, with ties and None."""
        use(Person)
        Person.batch_create(SEVEN)
        return Person

    # -- limit, offset, first, last, one ------------------------------------------------------------------------------

    def test_limit_zero_is_no_row(self, seven_people: Any) -> None:
        nothing = seven_people.where().limit(0)
        assert nothing.all() == []
        assert nothing.count() == 0
        assert nothing.exists() is False
        assert nothing.first() is None
        assert nothing.last() is None
        assert nothing.get() is None
        assert list(nothing) == []
        assert nothing.paginate().items == []
        assert nothing.update(age=5) == 0
        assert nothing.delete() == 0
        assert seven_people.count() == 7

    @pytest.mark.parametrize("number", [-1, True, 1.0, "1"])
    def test_a_limit_or_offset_that_is_no_natural_number_is_refused(self, seven_people: Any, number: Any) -> None:
        with pytest.raises(QueryError, match="limit"):
            seven_people.where().limit(number)
        with pytest.raises(QueryError, match="offset"):
            seven_people.where().offset(number)

    def test_limit_and_offset_come_after_filter_and_order(self, seven_people: Any) -> None:
        adults = seven_people.where(age__isnull=False).order_by("-age", "id")
        assert found(adults) == "fBgae"
        assert found(adults.limit(2)) == "fB"
        assert found(adults.limit(2).offset(1)) == "Bg"
        assert found(adults.offset(3)) == "ae"
        assert found(adults.offset(9)) == ""
        assert found(adults.limit(10**12)) == "fBgae"
        assert found(adults.limit(2).limit(None)) == "fBgae"
        regex = seven_people.where(id__regex="[a-f]").order_by("id")
        assert found(regex.limit(2).offset(1)) == "ce"
        odd = seven_people.where(id__regex="[Bcf]").order_by("id")  # the row that the offset leaves out matches
        assert (found(odd.offset(1)), found(odd.limit(1).offset(2)), odd.offset(1).count()) == ("cf", "f", 2)

    def test_limit_without_an_order_gives_that_many_rows(self, seven_people: Any) -> None:
        assert len(seven_people.where().limit(3).all()) == 3
        assert len(seven_people.where(age__gte=1).limit(3).offset(4).all()) == 1
        assert len(seven_people.where(Q(city__regex="o")).limit(2).all()) == 2

    def test_count_and_exists_respect_limit_and_offset(self, seven_people: Any) -> None:
        some = seven_people.where(age__isnull=False)
        assert [some.limit(n).count() for n in (0, 1, 4, 5, 9)] == [0, 1, 4, 5, 5]
        assert [some.offset(n).count() for n in (0, 1, 5, 9)] == [5, 4, 0, 0]
        assert some.limit(2).offset(4).count() == 1
        assert [some.offset(n).exists() for n in (0, 4, 5)] == [True, True, False]
        assert some.order_by("age").offset(4).exists() is True

    def test_first_and_last_follow_the_order_or_the_key(self, seven_people: Any) -> None:
        assert (seven_people.where().first().id, seven_people.where().last().id) == ("B", "é")
        assert (seven_people.where().order_by("-age").first().id, seven_people.where().order_by("-age").last().id) == (
            "f",
            "é",
        )
        assert (seven_people.where(age=1).first().id, seven_people.where(age=1).last().id) == ("a", "e")
        assert seven_people.where(age=99).first() is None
        assert seven_people.where(age=99).last() is None

    def test_last_respects_limit_and_offset(self, seven_people: Any) -> None:
        ordered = seven_people.where().order_by("id")
        assert ordered.limit(3).last().id == "c"
        assert ordered.offset(2).last().id == "é"
        assert ordered.offset(2).limit(2).last().id == "e"
        assert ordered.offset(2).limit(2).first().id == "c"
        assert ordered.offset(9).last() is None

    def test_one_and_get_want_a_single_row(self, seven_people: Any) -> None:
        assert seven_people.where(age=3).one().id == "f"
        assert seven_people.where(age=3).get().id == "f"
        assert seven_people.where(age=99).get() is None
        with pytest.raises(NotFoundError):
            seven_people.where(age=99).one()
        for end in ("one", "get"):
            with pytest.raises(MultipleResultsError):
                getattr(seven_people.where(age=1), end)()
        assert seven_people.where(age=1).order_by("id").limit(1).one().id == "a"

    # -- pages --------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 100])
    @pytest.mark.parametrize("order", [[], ["id"], ["-id"], ["age"], ["-age"], ["city", "-age"], ["-home__city"]])
    def test_pages_together_are_the_whole_result_in_order(self, seven_people: Any, order: list[str], size: int) -> None:
        question = seven_people.where().order_by(*order)
        assert paged(question, size) == ids(question.order_by(*(order or ["id"])).all())

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (Q(age__isnull=False), "Baefg"),
            (Q(age=None), "cé"),
            (Q(city__regex="(?i)rome"), "aeg"),
            (Q(age=1) | Q(city="Oslo"), "ace"),
            (~Q(id="e"), "Bacfgé"),
            (Q(id__gt="b"), "cefgé"),
        ],
    )
    def test_pages_are_full_under_a_filter(self, seven_people: Any, condition: Q, expected: str) -> None:
        for order in (["id"], ["age"], ["-city"]):
            question = seven_people.where(condition).order_by(*order)
            assert paged(question, 2) == ids(question.all())
            assert "".join(sorted(paged(question, 2))) == expected

    def test_a_page_without_a_limit_has_up_to_a_hundred_rows(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create([{"id": n} for n in range(250)])
        first = Thing.where().paginate()
        assert ids(first.items) == list(range(100))
        assert ids(Thing.where().cursor(first.cursor).paginate().items) == list(range(100, 200))

    @pytest.mark.parametrize(
        ("model", "rows"),
        [
            (Membership, [{"group": g, "member": m} for g in "ab" for m in (2, 10, 1)]),
            (Note, [{"user": u, "number": n} for u in ("x", "x#", "y") for n in (2, 10, 1)]),
            (Parcel, [{"sender": s, "number": n} for s in ("Ann", "bob") for n in (2, 10, 1)]),
        ],
    )
    def test_pages_walk_every_shape_of_key(self, use: Use, model: Any, rows: list[dict[str, Any]]) -> None:
        use(model)
        made = model.batch_create(rows)
        walked: list[Any] = []
        cursor = None
        while True:
            page = model.where().limit(4).cursor(cursor).paginate()
            walked += page.items
            cursor = page.cursor
            if cursor is None:
                break
        assert len(walked) == len(made)
        assert all(one in walked for one in made)
        assert walked == list(model.where())

    def test_the_last_full_page_has_no_cursor(self, seven_people: Any) -> None:
        assert seven_people.where().limit(7).paginate().cursor is None
        assert seven_people.where(age=99).limit(7).paginate().cursor is None

    def test_a_cursor_of_another_query_is_refused(self, seven_people: Any, use: Use) -> None:
        use(Thing)
        cursor = seven_people.where(age__gte=1).order_by("age").limit(1).paginate().cursor
        assert cursor is not None
        others = [
            seven_people.where(age__gte=2).order_by("age"),
            seven_people.where(age__gt=1).order_by("age"),
            seven_people.where(age__gte=1).order_by("-age"),
            seven_people.where(age__gte=1).order_by("age", "city"),
            seven_people.where(age__gte=1),
            seven_people.where().order_by("age"),
            Thing.where(),
        ]
        for other in others:
            for end in ("all", "paginate", "count", "exists", "first"):
                with pytest.raises(InvalidCursorError):
                    getattr(other.cursor(cursor), end)()

    @pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "A" * 60, 5])
    def test_a_damaged_cursor_is_refused(self, seven_people: Any, text: Any) -> None:
        with pytest.raises(InvalidCursorError):
            seven_people.where().cursor(text).all()

    def test_a_cursor_with_a_changed_letter_is_refused(self, seven_people: Any) -> None:
        cursor = seven_people.where().limit(2).paginate().cursor
        for place in range(len(cursor)):
            changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
            with pytest.raises(InvalidCursorError):
                seven_people.where().cursor(changed).all()

    def test_a_cursor_goes_on_with_another_page_size_and_every_end(self, seven_people: Any) -> None:
        question = seven_people.where().order_by("-age")
        cursor = question.limit(2).paginate().cursor
        rest = question.cursor(cursor)
        assert found(rest) == "gaecé"
        assert found(rest.limit(3)) == "gae"
        assert rest.count() == 5
        assert rest.limit(2).count() == 2
        assert rest.exists() is True
        assert rest.first().id == "g"
        assert rest.last().id == "é"
        assert ids(rest) == list("gaecé")
        assert ids(rest.limit(2)) == list("ga")
        assert rest.select("id").limit(1).all() == [{"id": "g"}]

    def test_a_cursor_that_holds_none_goes_on(self, seven_people: Any) -> None:
        first = seven_people.where().order_by("age").limit(1).paginate()
        assert ids(first.items) == ["c"]
        assert found(seven_people.where().order_by("age").cursor(first.cursor)) == "éaeBgf"

    def test_offset_and_cursor_do_not_go_together(self, seven_people: Any) -> None:
        cursor = seven_people.where().limit(2).paginate().cursor
        with pytest.raises(QueryError, match="offset"):
            seven_people.where().offset(1).cursor(cursor).all()

    def test_a_cursor_is_signed_when_a_secret_is_set(self, seven_people: Any) -> None:
        unsigned = seven_people.where().limit(2).paginate().cursor
        with mixstore.registry():
            mixstore.configure(cursor_secret="long and random")
            with pytest.raises(InvalidCursorError):
                seven_people.where().cursor(unsigned).all()
            signed = seven_people.where().limit(2).paginate().cursor
            assert paged(seven_people.where(), 2) == list("Bacefgé")
        with pytest.raises(InvalidCursorError):
            seven_people.where().cursor(signed).all()

    def test_pages_go_on_where_they_were_while_others_write(self, seven_people: Any) -> None:
        first = seven_people.where().limit(3).paginate()
        assert ids(first.items) == list("Bac")
        seven_people.get("c").delete()
        seven_people.get("e").delete()
        seven_people.create(id="A")
        seven_people.create(id="d")
        seven_people.get("a").update(age=77)
        assert found(seven_people.where().cursor(first.cursor)) == "dfgé"

    @pytest.mark.parametrize("filters", [{"number": 1}, {"text__regex": "^found"}], ids=["pushed", "left to mixstore"])
    def test_a_row_far_behind_many_that_do_not_match_is_found(self, use: Use, filters: dict[str, Any]) -> None:
        use(Thing)
        count = min(1500, self.limits.rows)  # 1.5 MB, more than some engines look at in one request
        Thing.batch_create([{"id": n, "text": "x" * 1000, "number": 0} for n in range(count - 1)])
        Thing.create(id=count, text="found", number=1)
        question = Thing.where(**filters)
        assert ids(question.all()) == ids(question) == ids(question.limit(1).all()) == [count]
        assert (question.count(), question.exists(), question.limit(1).count()) == (1, True, 1)
        assert question.first().id == question.last().id == question.one().id == count
        page = question.limit(1).paginate()
        assert (ids(page), page.cursor) == ([count], None)
        assert question.update(flag=True) == 1
        assert question.delete() == 1

    @pytest.mark.parametrize("order", [["id"], ["-id"], ["number"], ["-number", "text"]])
    def test_pages_show_every_lasting_row_once_and_in_order_while_threads_write(
        self, use: Use, order: list[str]
    ) -> None:
        use(Thing)
        Thing.batch_create([{"id": n, "number": n // 4, "text": "stays"} for n in range(0, 120, 2)])
        question = Thing.where().order_by(*order)
        expected = ids(question.all())
        stop = threading.Event()

        def work(number: int) -> list[int]:
            if number == 0:
                try:
                    return [row.id for _ in range(3) for row in paged_rows(question, 7) if row.text == "stays"]
                finally:
                    stop.set()
            written = []
            while not stop.is_set():
                for n in range(number, 120, 6):
                    if n % 2:
                        Thing.upsert(id=n, number=n // 4, text="goes")
                        Thing(id=n).delete()
                written.append(number)
            return written

        results = together(3, work)
        assert all(isinstance(one, list) for one in results), results
        assert results[0] == expected * 3

    @awaited
    async def test_the_async_ends_do_what_the_others_do(self, seven_people: Any) -> None:
        question = seven_people.where(age__isnull=False).order_by("-age", "id")
        assert ids(await question.aall()) == list("fBgae")
        assert (await question.afirst()).id == "f"
        assert (await question.alast()).id == "e"
        assert await question.acount() == 5
        assert await question.aexists() is True
        assert (await seven_people.where(age=3).aone()).id == "f"
        assert (await seven_people.where(age=3).aget()).id == "f"
        page = await question.limit(2).apaginate()
        assert ids(page) == list("fB")
        assert ids(await question.cursor(page.cursor).aall()) == list("gae")
        assert await seven_people.where(age=1).aupdate(city="X") == 2
        assert await seven_people.where(city="X").adelete() == 2

    @examples(15)
    @given(
        rows=st.lists(st.tuples(st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, "", "a", "B"])), max_size=12),
        order=st.lists(st.sampled_from(["age", "-age", "city", "-city", "id", "-id"]), max_size=3),
        size=st.integers(1, 5),
        low=st.sampled_from([None, 1]),
    )
    def test_any_pages_together_are_the_whole_sorted_result(
        self, use: Use, rows: list[tuple[Any, Any]], order: list[str], size: int, low: int | None
    ) -> None:
        use(Person)
        Person.where().delete()
        made = Person.batch_create([{"id": f"{n:02d}", "age": age, "city": city} for n, (age, city) in enumerate(rows)])
        expected = sorted(made, key=lambda row: row.id)
        for name in reversed(order):
            field = name.lstrip("-")
            expected.sort(
                key=lambda row, field=field: [] if getattr(row, field) is None else [getattr(row, field)],  # type: ignore[misc]
                reverse=name.startswith("-"),
            )
        question = Person.where().order_by(*(order or ["id"]))
        if low is not None:
            expected = [row for row in expected if row.age is not None and row.age >= low]
            question = question.filter(age__gte=low)
        assert ids(question.all()) == ids(expected)
        assert paged(question, size) == ids(expected)
        assert ids(question.limit(size).offset(1).all()) == ids(expected)[1 : size + 1]
