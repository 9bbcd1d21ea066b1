"""What a search can be told: fields and their weights, phrases, prefixes, typing errors; and the order by score."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixstore
from mixstore import Backend, Capability, QueryError, UnsupportedOperationError, hit_of
from mixstore.search import SCORE
from mixstore.testing.cases.search import FAMILIES, found
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Page, Score
from mixstore.testing.support import Use, awaited, examples, ids
from mixstore.testing.tags import full_text, needs

WORDS = ["python", "pyhton", "pythons", "web", "we", "w", "wed", "serve", "server", "servers", "snake"]
MODES: list[dict[str, Any]] = [
    {},
    {"phrase": True},
    {"prefix": True},
    {"fields": ["title"]},
    {"fields": {"title": 3, "body": 1}},
    {"fields": ["body"], "phrase": True},
    {"fields": {"body": 2}, "prefix": True},
]
FUZZY: list[dict[str, Any]] = [{"fuzzy": True}, {"fuzzy": True, "fields": {"title": 2}}]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
ODD_TEXTS = (
    st.sampled_from(FAMILIES).flatmap(lambda family: st.lists(st.sampled_from(family), max_size=4)).map(" ".join)
)


class SearchModeCases(Conformance):
    """What a search can be told, and the order by score. Which rows are found is the same on every backend."""

    @pytest.fixture
    def shelf(self, use: Use) -> Any:
        """Five pages."""
        use(Page)
        Page.batch_create(
            [
                {"id": "a", "title": "Python on the web", "body": "Frameworks and servers", "shelf": 1},
                {"id": "b", "title": "Snakes", "body": "A python is a snake; the web is wide", "shelf": 1},
                {"id": "c", "title": "Spiders", "body": "They weave a web", "shelf": 2},
                {"id": "d", "title": "Pythagoras", "body": None, "shelf": 2},
                {"id": "e", "title": "Web servers", "body": "Python, at last: python on the web", "shelf": 3},
            ]
        )
        return Page

    @full_text
    @pytest.mark.parametrize(
        ("text", "options", "expected"),
        [
            ("python web", {}, "abe"),
            ("python web", {"fields": ["body"]}, "be"),
            ("python web", {"fields": {"title": 3, "body": 1}}, "abe"),
            ("python", {"fields": {"title": 0.5}}, "a"),
            ("web servers", {"phrase": True}, "e"),
            ("servers web", {"phrase": True}, ""),
            ("PYTHON, on: the web", {"phrase": True}, "ae"),
            ("web frameworks", {"phrase": True}, ""),
            ("the web is", {"phrase": True, "fields": "body"}, "b"),
            ("", {"phrase": True}, ""),
            ("pyth", {"prefix": True}, "abde"),
            ("web serv", {"prefix": True}, "ae"),
            ("serv web", {"prefix": True}, ""),
            ("web web", {"prefix": True}, "abce"),
            ("p", {"prefix": True, "fields": ["title"]}, "ad"),
            ("py*", {"prefix": True}, "abde"),
            ("...", {"prefix": True}, ""),
        ],
    )
    def test_words_of_some_fields_phrases_and_prefixes_are_found(
        self, shelf: Any, text: str, options: Any, expected: str
    ) -> None:
        assert found(shelf.search(text, **options)) == expected
        assert shelf.search(text, **options).count() == len(expected)

    @needs(Capability.FULL_TEXT, Capability.FUZZY_SEARCH)
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("pyhton", "abe"),
            ("pithon wbe", "abe"),
            ("sneak", ""),
            ("snaek", "b"),
            ("snales", "b"),
            ("wb", ""),
            ("servrs", "ae"),
            ("pythagorras", "d"),
            ("...", ""),
        ],
    )
    def test_words_with_typing_errors_are_found(self, shelf: Any, text: str, expected: str) -> None:
        assert found(shelf.search(text, fuzzy=True)) == expected

    @full_text
    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"fields": ["shelf"]}, "shelf is not searchable"),
            ({"fields": ["titel"]}, "did you mean 'title'"),
            ({"fields": {"titel": 2}}, "did you mean 'title'"),
            ({"fields": {"title": 0}}, "a boost is a number above 0"),
            ({"fields": {"title": True}}, "a boost is a number above 0"),
            ({"phrase": True, "prefix": True}, "one of fuzzy, phrase, prefix"),
            ({"fuzzy": True, "phrase": True}, "not fuzzy and phrase"),
        ],
    )
    def test_a_search_that_makes_no_sense_is_refused_when_it_is_written(
        self, shelf: Any, options: Any, problem: str
    ) -> None:
        with pytest.raises(QueryError, match=problem):
            shelf.search("x", **options)

    @full_text
    @pytest.mark.parametrize("option", ["fuzzy", "simple", "highlight"])
    def test_an_option_that_a_backend_does_not_serve_is_refused_by_name(
        self, shelf: Any, backend: Backend, option: str
    ) -> None:
        needed = {
            "fuzzy": Capability.FUZZY_SEARCH,
            "simple": Capability.SIMPLE_SYNTAX,
            "highlight": Capability.HIGHLIGHTS,
        }[option]
        asked = shelf.search("python", **{option: True})
        if needed in backend.capabilities:
            assert found(asked) == "abe"
            return
        for end in ("all", "count", "explain", "paginate"):
            with pytest.raises(UnsupportedOperationError, match=rf"{backend.backend_name} has no .*{option}=True"):
                getattr(asked, end)()

    @needs(Capability.FULL_TEXT, Capability.HIGHLIGHTS)
    def test_the_parts_that_were_found_are_told(self, shelf: Any) -> None:
        row = shelf.search("PYTHON web", highlight=True).where(id="b").one()
        (told,) = row.meta.highlights["body"]
        assert "<em>python</em>" in told
        assert "<em>web</em>" in told
        assert shelf.search("python").where(id="b").one().meta.highlights == {}

    # -- scores ---------------------------------------------------------------------------------------------------

    @full_text
    def test_a_row_that_was_found_tells_its_score(self, shelf: Any) -> None:
        for row in shelf.search("python").all():
            assert row.meta.score > 0
            assert hit_of(row).score == row.meta.score
        assert shelf.search("python").order_by("id").first().meta.score > 0
        assert shelf.get("a").meta.score is None
        with pytest.raises(QueryError, match="not found by a search"):
            hit_of(shelf.get("a"))

    @full_text
    def test_the_best_come_first_by_score(self, shelf: Any) -> None:
        rows = shelf.search("python web").order_by("-score").all()
        scores = [row.meta.score for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert ids(shelf.search("python web").order_by("score").all()) != ids(rows)
        assert shelf.search("python web").order_by("-score").first() == rows[0]
        assert shelf.search("python web").order_by("-score").last() == rows[-1]
        title = shelf.search("python", fields={"title": 1000, "body": 1}).order_by("-score")
        assert title.first().id == "a"

    @full_text
    def test_an_order_by_score_goes_with_filters_limits_and_pages(self, use: Use) -> None:
        use(Page)
        Page.batch_create([{"id": f"x{n:02}", "title": "word " * (n % 4 + 1), "shelf": n % 2} for n in range(30)])
        asked = Page.search("word").where(shelf=1).order_by("-score")
        every = ids(asked.all())
        assert len(every) == 15
        assert ids(asked.offset(3).limit(5).all()) == every[3:8]
        assert ids(list(asked)) == every
        assert [row["id"] for row in asked.select("id").all()] == every
        assert ids(asked.filter(id__regex="[0-4]$").all()) == [id for id in every if id[-1] in "01234"]
        paged, cursor = [], None
        for _ in range(8):
            page = asked.limit(2).cursor(cursor).paginate()
            paged += ids(page)
            cursor = page.cursor
            if cursor is not None:
                assert asked.cursor(cursor).count() == len(every) - len(paged)
        assert (paged, cursor) == (every, None)

    @full_text
    def test_rows_of_one_score_come_in_the_order_of_their_keys(self, use: Use) -> None:
        use(Page)
        Page.batch_create([{"id": id, "title": "same words"} for id in "dbaec"])
        assert ids(Page.search("words").order_by("-score").all()) == list("abcde")
        assert ids(Page.search("words").order_by("-score", "-id").all()) == list("edcba")

    @full_text
    def test_only_a_search_has_a_score(self, use: Use) -> None:
        use(Page)
        for name in ("score", "-score", "-_score"):
            with pytest.raises(QueryError, match="only a search has a score"):
                Page.where().order_by(name)

    @full_text
    def test_a_field_called_score_keeps_its_meaning(self, use: Use) -> None:
        use(Score)
        Score.batch_create(
            [
                {"id": "a", "text": "word word", "score": 1, "meta": "x"},
                {"id": "b", "text": "word and others beside", "score": 2, "meta": "y"},
            ]
        )
        assert ids(Score.search("word").order_by("-score").all()) == ["b", "a"]
        assert ids(Score.search("word").order_by("-_score").all()) == ["a", "b"]
        row = Score.search("word").order_by("-_score").first()
        assert (row.meta, row.score) == ("x", 1)
        assert hit_of(row).score is not None
        row.update(meta="z")
        assert Score.get("a").meta == "z"

    @full_text
    def test_a_row_that_was_found_is_an_instance_like_any_other(self, shelf: Any) -> None:
        row = shelf.search("spiders").order_by("-score").one()
        assert row == shelf.get("c")
        assert SCORE[0] not in row.__dict__
        row.update(shelf=7)
        row.title = "Webs"
        row.save()
        assert shelf.get("c").model_dump() == {"id": "c", "title": "Webs", "body": "They weave a web", "shelf": 7}
        assert shelf.search("web").order_by("-score").limit(2).delete() == 2
        assert shelf.count() == 3

    @full_text
    @awaited
    async def test_an_order_by_score_can_be_awaited(self, shelf: Any) -> None:
        asked = shelf.search("python").order_by("-score")
        assert [row.id async for row in asked] == ids(asked.all())

    # -- the reference --------------------------------------------------------------------------------------------

    @full_text
    @examples(25)
    @given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), sought=st.lists(TEXTS, min_size=3))
    def test_any_search_finds_what_the_reference_does(
        self, use: Use, backend: Backend, rows: list[tuple[str, str]], sought: list[str]
    ) -> None:
        fuzzy = FUZZY if Capability.FUZZY_SEARCH in backend.capabilities else []
        _agree(use, rows, sought, [*MODES, *fuzzy])

    @full_text
    @examples(25)
    @given(rows=st.lists(st.tuples(ODD_TEXTS, ODD_TEXTS), min_size=1), sought=st.lists(ODD_TEXTS, min_size=3))
    def test_any_phrase_or_prefix_of_odd_letters_finds_what_the_reference_does(
        self, use: Use, rows: list[tuple[str, str]], sought: list[str]
    ) -> None:
        _agree(use, rows, sought, MODES)


def _agree(use: Use, rows: list[tuple[str, str]], sought: list[str], modes: list[dict[str, Any]]) -> None:
    use(Page)
    Page.where().delete()
    pages = [{"id": str(n), "title": title, "body": body} for n, (title, body) in enumerate(rows)]
    Page.batch_create(pages)
    reference = mixstore.connect("memory://")
    reference.batch_create(Page, pages)
    for text in sought:
        for options in modes:
            expected = sorted(ids(reference.query(Page).search(text, **options).all()))
            assert sorted(ids(Page.search(text, **options).all())) == expected, (text, options)
