"""Extensions that turn one operation into another, as a soft delete does."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import (
    BackendExtension,
    DuplicateKeyError,
    Field,
    Mixin,
    Model,
    NotFoundError,
    Q,
    QueryBuilder,
    WriteChange,
    query_method,
)

pytestmark = pytest.mark.usefixtures("store")


class Soft(Mixin):
    deleted: bool = False

    class Anywhere(BackendExtension):
        rewrites = {"delete": "update"}
        reveals = "include_deleted"

        def before_write(self, context):
            return WriteChange({"deleted": True}) if context.asked == "delete" else None

        def veiled(self):
            return Q(deleted=True)

    @query_method
    def include_deleted(query: QueryBuilder[Any]) -> QueryBuilder[Any]:
        return query.option(include_deleted=True)


class Seen(Mixin):
    """Writes down what the others of its chain are told."""

    class Anywhere(BackendExtension):
        log: list[tuple[Any, ...]] = []

        def before_write(self, context):
            before = context.previous and context.previous["deleted"]
            self.log.append((context.operation, context.asked, context.key, before))


class Doc(Soft, Seen, Model):
    id: str = Field(primary_key=True)
    title: str = ""
    slug: str | None = Field(None, unique=True)


def kept() -> dict[str, tuple[bool, str]]:
    return {doc.id: (doc.deleted, doc.title) for doc in Doc.include_deleted().all()}


def test_a_rewritten_delete_keeps_the_row_and_hides_it():
    doc = Doc.create(id="a")
    assert doc.delete() is True
    assert (Doc.get("a"), Doc.count(), Doc.exists(), Doc.batch_get(["a"])) == (None, 0, False, [None])
    assert kept() == {"a": (True, "")}


def test_other_extensions_see_the_rewritten_operation_and_what_was_asked():
    doc = Doc.create(id="a")
    doc.delete()
    assert Seen.Anywhere.log[-1] == ("update", "delete", ("a",), False)


def test_deleting_a_row_that_is_deleted_already_answers_false():
    doc = Doc.create(id="a")
    again = Doc.get("a")
    doc.delete()
    assert again.delete() is False
    assert doc.delete() is False


def test_delete_by_query_is_rewritten_too():
    Doc.batch_create([{"id": "a"}, {"id": "b"}])
    assert Doc.where().delete() == 2
    assert (Doc.count(), kept()) == (0, {"a": (True, ""), "b": (True, "")})


def test_a_rewritten_delete_in_a_transaction_happens_at_the_commit(store):
    doc = Doc.create(id="a")
    with store.transaction():
        doc.delete()
        assert doc.deleted is False
    assert (doc.deleted, Doc.count()) == (True, 0)


def test_the_key_and_unique_values_of_a_veiled_row_stay_taken():
    Doc.create(id="a", slug="x").delete()
    for write in (Doc.create, Doc.upsert):
        with pytest.raises(DuplicateKeyError):
            write(id="a")
    with pytest.raises(DuplicateKeyError):
        Doc.create(id="b", slug="x")
    assert kept() == {"a": (True, "")}


def test_updating_a_veiled_row_is_not_found():
    doc = Doc.create(id="a")
    Doc.get("a").delete()
    with pytest.raises(NotFoundError):
        doc.update(title="x")
    with pytest.raises(NotFoundError):
        doc.refresh()
    assert Doc.where(id="a").update(title="x") == 0
    assert kept() == {"a": (True, "")}


def test_a_revealed_row_can_be_updated_by_query():
    Doc.create(id="a").delete()
    assert Doc.include_deleted().filter(id="a").update(deleted=False, title="back") == 1
    assert Doc.get("a").title == "back"


def test_a_rewritten_delete_does_not_store_what_else_the_instance_holds():
    doc = Doc.create(id="a", title="stored")
    doc.title = "unsaved"
    doc.delete()
    assert kept() == {"a": (True, "stored")}
    assert (doc.title, doc.deleted) == ("unsaved", True)


def test_a_rewritten_delete_of_an_instance_that_was_never_loaded_leaves_the_other_fields():
    Doc.create(id="a", title="stored")
    assert Doc(id="a").delete() is True
    assert kept() == {"a": (True, "stored")}


def test_a_rewritten_delete_is_not_stopped_by_a_field_that_could_not_be_saved():
    doc = Doc.create(id="a", title="stored")
    doc.title = 5
    assert doc.delete() is True
