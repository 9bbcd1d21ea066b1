"""Backends of a stranger: one that implements the contract directly, and a planned one."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("third party")  # so that one worker builds for all


def test_a_backend_that_implements_the_contract_directly_keeps_its_rows(app):
    app(
        """
        with connect("jsonlines:///notes.jsonl", name="default"):
            first = Note.create(id="n1", title="One", slug="one")
            Note.create(id="n2", title="Two")
            Note.create(id="n3", title="Three").delete()
            first.title = "Uno"
            first.save()
            try:
                Note.create(id="n1", title="Again")
            except mixstore.DuplicateKeyError as error:
                assert error.key == "n1"
            else:
                raise AssertionError("stored twice")
        """,
    )
    app(
        """
        with connect("jsonlines:///notes.jsonl", name="default"):
            assert Note.get("n1").title == "Uno"
            assert [note.id for note in Note.where(title__gte="T").order_by("-title").limit(1)] == ["n1"]
            assert Note.count() == 2 and Note.exists(id="n2") and Note.get("n3") is None
            page = Note.where().limit(1).paginate()
            assert [note.id for note in Note.where().cursor(page.cursor).paginate()] == ["n2"]
            assert Note.where(id="n2").update(title="Dos") == 1 and Note.get("n2").title == "Dos"
        """,
    )


def test_a_backend_that_implements_the_contract_directly_refuses_what_does_not_fit_the_model(app):
    app(
        """
        with connect("jsonlines:///notes.jsonl") as backend:
            for data in ({"id": "n1"}, {"id": "n1", "title": 5}, {"id": "n1", "title": "One", "titel": "Two"}):
                try:
                    backend.create(Note, data)
                except mixstore.ValidationError as error:
                    assert "Note" in str(error)
                else:
                    raise AssertionError(data)
            assert backend.create(Note, {"id": "n1", "title": "One"}) == {"id": "n1", "title": "One", "slug": ""}
        """,
    )


def test_a_backend_that_implements_the_contract_directly_says_what_it_does_not_run(app):
    app(
        """
        with connect("jsonlines:///notes.jsonl", name="default") as backend:
            assert ("slugged", "inactive") in [(entry.name, entry.state) for entry in Note.extensions()]
            for refused in (Session.all, backend.transaction):
                try:
                    refused()
                except (mixstore.ConfigurationError, mixstore.UnsupportedOperationError) as error:
                    assert "jsonlines" in str(error)
                else:
                    raise AssertionError("not refused")
        """,
    )


def test_a_planned_backend_runs_the_extensions_that_come_with_mixstore(app):
    app(
        """
        with connect("journal:///rows.jsonl", name="default") as backend:
            now = backend.clock()
            backend.clock = lambda: now
            session = Session.create(id="s1", user="ann", expires_in=timedelta(minutes=1))
            assert (session.version, session.created_at) == (1, now)
            other = Session.get("s1")
            other.update(user="bob")
            try:
                session.update(user="eve")
            except mixstore.VersionConflictError as error:
                assert (error.expected, error.stored) == (1, 2)
            else:
                raise AssertionError("a write was lost")
            backend.clock = lambda: now + timedelta(minutes=1)
            assert Session.get("s1") is None and Session.all() == []
            assert Session.create(id="s1", user="fay").user == "fay"
        """,
    )


def test_a_transaction_on_a_strangers_backend_is_all_or_nothing(app):
    app(
        """
        with connect("journal:///rows.jsonl", name="default") as backend:
            Note.create(id="n1", title="One")
            try:
                with backend.transaction():
                    Session.create(id="s1")
                    Note.create(id="n1", title="Again")
            except mixstore.DuplicateKeyError as error:
                assert error.model is Note
            assert Session.all() == []
            with backend.transaction():
                Session.create(id="s1")
                Note.create(id="n2", title="Two")
        """,
    )
    app(
        """
        with open("rows.jsonl", "a") as file:
            file.write('[["Note", "[]"')  # what a crash in the middle of a write leaves
        with connect("journal:///rows.jsonl", name="default"):
            assert [session.id for session in Session.all()] == ["s1"]
            assert sorted(note.id for note in Note.all()) == ["n1", "n2"]
        """,
    )


def test_rows_beside_a_row_live_and_die_with_it_on_a_strangers_backend(app):
    app(
        """
        from mixstore import BackendExtension, Mixin, SideWrite, WriteChange

        class Entry(Model):
            id: str = Field(primary_key=True)

        class Logged(Mixin):
            class Log(BackendExtension):
                def before_write(self, context):
                    return WriteChange(side_writes=(SideWrite("create", Entry(id=context.values["entry"])),))

        class Doc(Logged, Model):
            id: str = Field(primary_key=True)
            entry: str

        with connect("journal:///rows.jsonl", name="default"):
            Doc.create(id="d1", entry="e1")
            try:
                Doc.create(id="d2", entry="e1")
            except mixstore.DuplicateKeyError as error:
                assert (error.model, error.key) == (Entry, "e1")
            else:
                raise AssertionError("stored twice")
            assert ([doc.id for doc in Doc.all()], [entry.id for entry in Entry.all()]) == (["d1"], ["e1"])
        """,
    )


def test_a_strangers_backend_is_awaited_like_any(app):
    app(
        """
        import asyncio

        async def main():
            for url in ("jsonlines:///a.jsonl", "journal:///b.jsonl"):
                with connect(url, name="default"):
                    note = await Note.acreate(id="n1", title="One")
                    await note.aupdate(title="Two")
                    assert [found.title async for found in Note.where(id="n1")] == ["Two"]

        asyncio.run(main())
        """,
    )
