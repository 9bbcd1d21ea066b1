"""Searches that know more of words: the simple syntax, rows that are like another, and words that may be meant."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import Backend, Capability, Field, Model, QueryError, UnsupportedOperationError
from mixstore.testing.cases.search import found
from mixstore.testing.conformance import Conformance
from mixstore.testing.mixins import Hideable
from mixstore.testing.models import Page, Person
from mixstore.testing.support import Use, awaited
from mixstore.testing.tags import EXTENSIONS, full_text, needs

fuzzy = needs(Capability.FULL_TEXT, Capability.FUZZY_SEARCH)


class Memo(Hideable, Model):
    """Text that may be hidden."""

    id: str = Field(primary_key=True)
    text: str | None = Field(None, searchable=True)
    note: str = Field("", searchable=True)
    shelf: int = 0


class SearchWordCases(Conformance):
    """The simple syntax, rows that are like another, and words that may be meant: of rows that can be seen."""

    @pytest.fixture
    def memos(self, use: Use) -> Any:
        """Six memos."""
        use(Memo)
        texts = ["python web servers", "python snakes", "Python on the wéb", "the web of spiders", None, "pythagoras"]
        Memo.batch_create([{"id": id, "text": text} for id, text in zip("abcdef", texts, strict=True)])
        return Memo

    @needs(Capability.FULL_TEXT, Capability.SIMPLE_SYNTAX)
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("python web", "abe"),
            ('"web servers"', "e"),
            ("python -frameworks", "be"),
            ("snakes|spiders", "bc"),
            ("pyth* -web", "d"),
            ("(snakes|spiders) weave", "c"),
            ("", ""),
        ],
    )
    def test_signs_say_more_in_the_simple_syntax(self, use: Use, text: str, expected: str) -> None:
        use(Page)
        rows = [("a", "Python on the web", "Frameworks"), ("b", "Snakes", "A python is a snake; the web is wide")]
        rows += [("c", "Spiders", "They weave a web"), ("d", "Pythagoras", ""), ("e", "Web servers", "Python, at last")]
        Page.batch_create([{"id": id, "title": title, "body": body} for id, title, body in rows])
        assert found(Page.search(text, simple=True)) == expected

    @needs(Capability.FULL_TEXT, Capability.MORE_LIKE_THIS)
    def test_rows_that_are_like_another_are_found_and_not_that_row(self, memos: Any) -> None:
        row = memos.get("a")
        assert found(memos.where().like(row)) == "bcd"
        assert found(memos.where(shelf=1).like(row)) == ""
        assert found(memos.where().like(Memo(id="new", text="spiders of the web"))) == "acd"
        assert found(memos.where().like(row, fields=["note"])) == ""
        memos.get("b").delete()
        assert found(memos.where().like(row)) == "cd"

    @full_text
    def test_like_takes_a_row_of_the_model_and_names_of_fields(self, memos: Any, backend: Backend, use: Use) -> None:
        with pytest.raises(QueryError, match="takes a Memo, not str"):
            memos.where().like("a")
        with pytest.raises(QueryError, match="names of fields"):
            memos.where().like(memos.get("a"), fields={"text": 2})
        with pytest.raises(QueryError, match="did you mean 'text'"):
            memos.where().like(memos.get("a"), fields=["txet"])
        use(Person)
        with pytest.raises(QueryError, match="no searchable field"):
            Person.where().like(Person(id="a"))
        if Capability.MORE_LIKE_THIS not in backend.capabilities:
            with pytest.raises(UnsupportedOperationError, match="like another"):
                memos.where().like(memos.get("a")).all()

    # -- words that may be meant ----------------------------------------------------------------------------------

    @fuzzy
    def test_words_with_typing_errors_are_told_as_the_rows_have_them(self, memos: Any) -> None:
        query = memos.where()
        assert query.suggest("pyhton") == ["python"]
        assert query.suggest("pyhton wbe") == ["python web"]
        assert query.suggest("Pyhton SNAKS") == ["python snakes"]
        assert query.suggest("pyhton", fields=["note"]) == []
        assert query.suggest("python") == []
        assert query.suggest("nothing") == []
        assert query.suggest("...") == []
        assert query.filter(shelf=1).suggest("pyhton") == []

    @full_text
    def test_a_word_that_is_not_finished_is_told_as_it_may_go_on(self, memos: Any) -> None:
        query = memos.where()
        assert query.complete("pyth") == ["python", "pythagoras"]
        assert query.complete("pyth", size=1) == ["python"]
        assert query.complete("web s") == ["web servers", "web spiders"]
        assert query.complete("web", fields=["text"]) == ["web"]
        assert query.complete("x") == []
        assert query.complete("") == []
        assert query.filter(id="f").complete("p") == ["pythagoras"]

    @needs(Capability.FULL_TEXT, Capability.FUZZY_SEARCH, EXTENSIONS)
    def test_words_of_rows_that_can_t_be_seen_are_not_told(self, memos: Any) -> None:
        memos.create(id="s", text="secretword")
        assert memos.where().suggest("secretwrod") == ["secretword"]
        assert memos.where().complete("secret") == ["secretword"]
        memos.get("s").delete()
        assert memos.where().suggest("secretwrod") == []
        assert memos.where().complete("secret") == []
        memos.get("b").delete()
        assert memos.where().complete("sn") == []

    @fuzzy
    @awaited
    async def test_words_can_be_awaited(self, memos: Any) -> None:
        assert await memos.where().asuggest("pyhton") == ["python"]
        assert await memos.where().acomplete("pytha") == ["pythagoras"]
