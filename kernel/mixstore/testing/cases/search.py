"""Full-text search: every word of the text occurs in one of the searchable fields, whatever its case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixstore
from mixstore import Q, QueryError
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import Page, Person
from mixstore.testing.support import Use, awaited, examples, ids
from mixstore.testing.tags import full_text


def found(question: Any) -> str:
    """The ids that match, as one text."""
    return "".join(sorted(ids(question.all())))


FAMILIES = [
    ["a", "A", "ä", "Ä", "á", "Ａ", "ａ", "ª", "a\u0308", "a\u0305", "ạ"],
    ["e", "é", "E\u0301", "ё", "е", "Ё", "е\u0308", "ε", "έ", "Έ"],
    ["i", "I", "İ", "ı", "ï", "і", "ї", "ι", "ΐ", "i\u0307"],
    ["s", "S", "ſ", "ß", "ss", "SS", "ẞ", "š"],
    ["σ", "ς", "Σ", "o", "ο", "ό", "ø", "ö", "о"],
    ["fi", "ﬁ", "f", "ｆ", "ĳ", "ij", "ǆ", "ǅ", "dž", "æ", "ae", "ǽ"],
    ["2", "²", "２", "½", "1", "1⁄2", "①", "Ⅱ", "ii", "٢"],
    ["か", "が", "か\u3099", "ｶ", "カ", "ガ", "\ud55c", "\u1112\u1161\u11ab", "글", "中", "中文"],
    ["أ", "ا", "ا\u0654", "ה", "הּ", "ש\u05bc", "क", "क\u094d", "ก", "กำ"],
    ["x1", "x_1", "x-1", "x.1", "x\u200b1", "x\u00ad1", "x\u00a01", "x\0", "\ue000", "x'", "@x"],
]

"""Characters that some rule of folding would take for each other."""


def _texts(family: list[str]) -> st.SearchStrategy[str]:
    parts = st.lists(st.tuples(st.sampled_from(family), st.sampled_from([" ", " ", "", "-"])), max_size=3)
    return parts.map(lambda found: "".join(word + gap for word, gap in found))


ASKED = st.sampled_from(FAMILIES).flatmap(
    lambda family: st.tuples(st.lists(_texts(family), min_size=1, max_size=8), st.lists(_texts(family), min_size=3))
)


class SearchCases(Conformance):
    """Full-text search: every word of the text occurs in one of the searchable fields, whatever its case."""

    @pytest.fixture
    def pages(self, use: Use) -> Any:
        """Six pages."""
        use(Page)
        Page.batch_create(
            [
                {"id": "a", "title": "The quick brown fox", "body": "jumps over the lazy dog", "shelf": 1},
                {"id": "b", "title": "Zürich Airport", "body": "ZRH, near Zürich", "shelf": 1},
                {"id": "c", "title": "São Paulo/Guarulhos", "body": None, "shelf": 2},
                {"id": "d", "title": "foxes and dogs", "body": "foxtrot", "shelf": 2},
                {"id": "e", "title": "100% cotton", "body": "it's 5 o'clock; C++ or C#?", "shelf": 3},
                {"id": "f", "title": "", "body": "", "shelf": 3},
            ]
        )
        return Page

    @full_text
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("fox", "a"),
            ("FOX", "a"),
            ("foxes", "d"),
            ("quick fox", "a"),
            ("fox quick", "a"),
            ("fox lazy", "a"),
            ("fox airport", ""),
            ("zurich", "b"),
            ("Zürich", "b"),
            ("ZURICH zrh", "b"),
            ("sao paulo", "c"),
            ("guarulhos", "c"),
            ("paulo/guarulhos", "c"),
            ("100", "e"),
            ("100%", "e"),
            ("o'clock", "e"),
            ("clock 5", "e"),
            ("C++", "e"),
            ("ox", ""),
            ("fo", ""),
            ("fo*", ""),
            ("", ""),
            ("   ", ""),
            ("%", ""),
            ("'\"", ""),
            ('"quick brown"', "a"),
            ('"brown quick"', "a"),
            ("quick AND fox", ""),
            ("fox OR cotton", ""),
            ("fox NOT dog", ""),
            ("NEAR(fox dog)", ""),
            ("title:fox", ""),
            ("fox -dog", "a"),
            ("(fox", "a"),
            ("fox\0dog", "a"),
            ("{fox}^", "a"),
        ],
    )
    def test_words_are_found_and_nothing_in_the_text_is_an_operator(self, pages: Any, text: str, expected: str) -> None:
        assert found(pages.search(text)) == expected

    @full_text
    def test_a_search_can_be_kept_to_some_fields(self, pages: Any) -> None:
        assert found(pages.search("fox", fields=["title"])) == "a"
        assert found(pages.search("dog", fields=["title"])) == ""
        assert found(pages.search("fox dog", fields=["title"])) == ""
        assert found(pages.search("fox dog", fields=["title", "body"])) == "a"
        assert found(pages.search("dog", fields="body")) == "a"
        with pytest.raises(QueryError, match="not searchable"):
            pages.search("fox", fields=["shelf"])

    @full_text
    def test_a_model_without_searchable_fields_can_not_be_searched(self, use: Use) -> None:
        use(Person)
        with pytest.raises(QueryError, match="no searchable field"):
            Person.search("x")

    @full_text
    def test_a_search_goes_with_filters_order_and_pages(self, pages: Any) -> None:
        pages.batch_create([{"id": f"x{n}", "title": f"common word {n}", "shelf": n % 3} for n in range(9)])
        common = pages.search("common")
        assert common.count() == 9
        assert common.filter(shelf=1).count() == 3
        assert ids(common.filter(shelf=1).order_by("-id").all()) == ["x7", "x4", "x1"]
        assert ids(common.order_by("id").offset(2).limit(2).all()) == ["x2", "x3"]
        assert common.first().id == "x0"
        assert common.exists() is True
        assert pages.search("nothing").exists() is False
        assert common.filter(id__regex="[37]").count() == 2
        page = common.order_by("-shelf").limit(4).paginate()
        rest = common.order_by("-shelf").cursor(page.cursor)
        assert ids(page) + ids(rest.all()) == ["x2", "x5", "x8", "x1", "x4", "x7", "x0", "x3", "x6"]
        assert sorted(ids(common)) == [f"x{n}" for n in range(9)]
        assert common.select("id").order_by("id").limit(1).all() == [{"id": "x0"}]

    @full_text
    def test_a_filter_with_or_stays_beside_the_search(self, pages: Any) -> None:
        assert found(pages.search("fox").filter(Q(shelf=1) | Q(shelf=2))) == "a"
        assert found(pages.where(shelf=1).search("zurich")) == "b"
        assert found(pages.where(shelf=2).search("zurich")) == ""

    @full_text
    def test_a_cursor_of_another_search_is_refused(self, pages: Any) -> None:
        pages.batch_create([{"id": f"x{n}", "title": "common word"} for n in range(3)])
        cursor = pages.search("common").limit(1).paginate().cursor
        for other in (pages.search("word"), pages.where(), pages.search("common", fields=["title"])):
            with pytest.raises(QueryError):
                other.cursor(cursor).all()

    @full_text
    def test_the_index_follows_every_write(self, pages: Any) -> None:
        page = pages.get("a")
        page.update(title="The slow green turtle")
        assert found(pages.search("fox")) == ""
        assert found(pages.search("turtle dog")) == "a"
        page.update(shelf=9)
        assert found(pages.search("turtle")) == "a"
        pages.upsert(id="a", title="replaced")
        assert found(pages.search("turtle")) == ""
        assert found(pages.search("dog")) == ""
        assert found(pages.search("replaced")) == "a"
        pages.get("a").delete()
        assert found(pages.search("replaced")) == ""
        pages.create(id="a", title="back again")
        assert found(pages.search("back")) == "a"
        pages.where(id="a").update(body="by query")
        assert found(pages.search("query back")) == "a"
        pages.where().delete()
        assert found(pages.search("dogs")) == ""

    @full_text
    def test_search_and_delete_by_query(self, pages: Any) -> None:
        assert pages.search("fox").update(shelf=7) == 1
        assert pages.get("a").shelf == 7
        assert pages.search("fox").delete() == 1
        assert pages.get("a") is None
        assert pages.count() == 5

    @full_text
    def test_a_failed_write_leaves_the_index_alone(self, pages: Any) -> None:
        with pytest.raises(Exception, match="exists"):
            pages.create(id="a", title="intruder")
        assert found(pages.search("intruder")) == ""
        assert found(pages.search("fox")) == "a"

    @full_text
    @awaited
    async def test_a_search_can_be_awaited(self, pages: Any) -> None:
        assert ids(await pages.search("fox").aall()) == ["a"]
        assert await pages.search("fox").acount() == 1

    @full_text
    @examples(40)
    @given(asked=ASKED)
    def test_any_search_answers_as_the_reference_does(self, use: Use, asked: tuple[list[str], list[str]]) -> None:
        use(Page)
        Page.where().delete()
        titles, searches = asked
        rows = [{"id": str(n), "title": title} for n, title in enumerate(titles)]
        Page.batch_create(rows)
        reference = mixstore.connect("memory://")
        reference.batch_create(Page, rows)
        for text in searches:
            assert sorted(ids(Page.search(text).all())) == sorted(ids(reference.query(Page).search(text).all())), text

    @full_text
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("zurich", "Zürich"),
            ("SÃO", "sao"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("МОСКВА", "Москва"),
            ("ĳ", "Ĳ"),
            ("東京", "東京"),
        ],
    )
    def test_case_and_latin_accents_do_not_count(self, use: Use, text: str, title: str) -> None:
        use(Page)
        Page.create(id="a", title=f"({title})!")
        assert found(Page.search(text)) == "a"

    @full_text
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("か", "が"),
            ("ε", "έ"),
            ("и", "й"),
            ("ا", "أ"),
            ("fi", "ﬁ"),
            ("2", "²"),
            ("ss", "ß"),
            ("\ud55c", "\u1112\u1161\u11ab"),
        ],
    )
    def test_other_letters_that_differ_are_different(self, use: Use, text: str, title: str) -> None:
        use(Page)
        Page.create(id="a", title=title)
        assert found(Page.search(text)) == ""
        assert found(Page.search(title)) == "a"
