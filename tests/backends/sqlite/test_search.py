"""Full-text search: the index is in step with the rows, whatever writes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import mixstore
from mixstore import DuplicateKeyError, Field, Model, SchemaError, Vector
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.sqlite.conftest import Ask

Use = Callable[..., Any]


class Page(Model):
    """Two fields to search; the key is text, so that rows have a rowid of their own."""

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    body: str | None = Field(None, searchable=True)
    views: int = 0


def hits(text: str, **parts: Any) -> list[str]:
    return [one.id for one in Page.where().search(text, **parts).order_by("id").all()]


@pytest.fixture(autouse=True)
def pages(use: Use) -> None:
    use(Page)
    Page.batch_create(
        [
            {"id": "a", "title": "Red Shoes", "body": "Made in Łódź, naïve café"},
            {"id": "b", "title": "Blue shoes", "body": "cheap"},
            {"id": "c", "title": "Hat"},
        ]
    )


def test_every_word_must_occur_in_one_of_the_fields() -> None:
    assert hits("shoes") == ["a", "b"]
    assert hits("CHEAP shoes") == ["b"]
    assert hits("cafe NAIVE") == ["a"]
    assert hits("shoe") == []
    assert hits("cheap", fields=["title"]) == []
    assert hits("cheap", fields=["body"]) == ["b"]


@pytest.mark.parametrize(
    "text", ['"', "shoes*", "NOT shoes OR", "title:shoes", "-shoes", "(shoes", "{body} : x", "\0", "^"]
)
def test_nothing_in_the_text_is_syntax(text: str) -> None:
    assert set(hits(text)) <= {"a", "b"}


def test_a_text_without_a_word_finds_nothing() -> None:
    assert hits("") == hits(" ?! ") == []


def test_a_saved_change_is_found_at_once_and_the_old_text_no_more() -> None:
    page = Page.get("a")
    page.title = "Green socks"
    page.save()
    assert (hits("socks"), hits("shoes"), hits("naive")) == (["a"], ["b"], ["a"])


def test_a_change_of_other_fields_leaves_the_index_alone() -> None:
    Page.get("a").update(views=5)
    assert hits("shoes") == ["a", "b"]


def test_deleted_rows_are_not_found() -> None:
    Page.get("a").delete()
    assert hits("shoes") == ["b"]
    Page.where(title__startswith="Blue").delete()
    assert hits("shoes") == []


def test_upserts_replace_what_is_found() -> None:
    Page.upsert(id="a", title="Coat")
    Page.batch_upsert([{"id": "b", "title": "Scarf"}, {"id": "d", "title": "Coat"}])
    assert (hits("shoes"), hits("coat"), hits("scarf"), hits("naive")) == ([], ["a", "d"], ["b"], [])


def test_a_write_that_failed_leaves_no_trace(store: SQLiteBackend) -> None:
    with pytest.raises(DuplicateKeyError), store.transaction():
        Page.batch_create([{"id": "e", "title": "Unseen"}, {"id": "a", "title": "Unseen"}])
    assert hits("unseen") == []


def test_other_programs_keep_the_index_in_step_too(ask: Ask) -> None:
    ask("UPDATE Page SET title = 'Boots' WHERE id = 'a'")
    ask("DELETE FROM Page WHERE id = 'b'")
    assert (hits("boots"), hits("shoes")) == (["a"], [])


def test_vacuum_does_not_mix_rows_up(path: Path) -> None:
    Page.get("a").delete()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
        connection.execute("INSERT INTO Page_fts (Page_fts) VALUES ('integrity-check')")
    assert (hits("cheap"), hits("hat")) == (["b"], ["c"])


def test_a_search_combines_with_filters_order_and_limit() -> None:
    Page.get("b").update(views=5)
    found = Page.where(views__gt=0).search("shoes")
    assert [one.id for one in found.all()] == ["b"]
    assert found.count() == 1
    assert [one.id for one in Page.where().search("shoes").order_by("-views").limit(1).all()] == ["b"]


def test_fields_that_become_searchable_are_filled_from_the_rows_that_are_there(path: Path) -> None:
    class Later(Model):
        id: str = Field(primary_key=True)
        title: str = ""
        body: str | None = Field(None, searchable=True)

        class Meta:
            entity = "Page"

    with SQLiteBackend(path) as again:
        Later.bind(again)
        again.initialize(Later)
        assert [one.id for one in Later.where().search("cheap").all()] == ["b"]
        assert Later.where().search("shoes").count() == 0


def test_a_model_that_is_no_longer_searchable_loses_the_index(path: Path, ask: Ask) -> None:
    class Plain(Model):
        id: str = Field(primary_key=True)
        title: str = ""
        body: str | None = None

        class Meta:
            entity = "Page"

    with SQLiteBackend(path) as again:
        again.initialize(Plain)
    assert ask("SELECT name FROM sqlite_master WHERE name LIKE '%fts%'") == []


def test_a_model_in_the_place_of_the_index_is_left_alone(use: Use, store: SQLiteBackend) -> None:
    class Other(Model):
        id: str = Field(primary_key=True)

        class Meta:
            entity = "Plain_fts"

    class Plain(Model):
        id: str = Field(primary_key=True)
        text: str = ""

    use(Other, Plain)
    Other.create(id="kept")
    store.initialize(Plain)
    assert Other.get("kept") is not None

    class Searchable(Model):
        id: str = Field(primary_key=True)
        text: str = Field("", searchable=True)

        class Meta:
            entity = "Plain"

    with SQLiteBackend(store.path) as again, pytest.raises(SchemaError, match=r"'Plain_fts'.* is taken"):
        again.initialize(Searchable)
    assert Other.get("kept") is not None


def test_rows_with_an_integer_for_a_key_are_searched_by_it(use: Use) -> None:
    class Note(Model):
        number: int = Field(primary_key=True)
        text: str = Field(searchable=True)

    use(Note)
    Note.batch_create([{"number": 7, "text": "one"}, {"number": -3, "text": "two"}])
    Note.upsert(number=7, text="three")
    assert [one.number for one in Note.where().search("three").all()] == [7]
    assert Note.where().search("one").count() == 0


def test_vectors_are_compared_by_a_function_over_what_the_filter_leaves(tmp_path):
    class Photo(Model):
        id: str = Field(primary_key=True)
        year: int = Field(0, index=True)
        look: list[float] | None = Field(None, vector=Vector(dimensions=2))

    with mixstore.connect(f"sqlite:///{tmp_path}/photos.db") as backend:
        backend.initialize(Photo)
        for id, look in (("a", [1, 0]), ("b", [0, 1]), ("c", None), ("d", [1, 1])):
            backend.create(Photo, {"id": id, "look": look, "year": 2000 + (id == "d")})
        asked = backend.query(Photo).similar(look=[1, 0], k=2)
        assert [(row.id, row.meta.score) for row in asked.where(year=2000)] == [("a", 1.0), ("b", 0.5)]
        assert asked.where(year=2000).explain().index == "ix_Photo.year"
        assert asked.explain().request["parameters"] == ['{"similarity": "cosine", "vector": [1.0, 0.0]}', 2]

    class Longer(Model):
        class Meta:
            entity = "Photo"

        id: str = Field(primary_key=True)
        year: int = Field(0, index=True)
        look: list[float] | None = Field(None, vector=Vector(dimensions=3))

    with mixstore.connect(f"sqlite:///{tmp_path}/photos.db") as backend:
        backend.create(Longer, {"id": "e", "look": [0, 0, 1]})
        found = backend.query(Longer).similar(look=[1, 0, 0], k=10)
        assert [(row.id, row.meta.score) for row in found] == [("e", 0.5)], "vectors of before have no score"
        assert found.where(id__regex=".").count() == 1
