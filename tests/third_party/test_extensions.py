"""Extensions and lookups of a stranger, on every backend."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("third party")  # so that one worker builds for all


@pytest.mark.parametrize("url", ["memory://", "sqlite:///notes.db", "journal:///notes.jsonl"])
def test_a_strangers_extension_works_on_every_backend(app, url):
    app(
        f"""
        backend = connect({url!r}, name="default")
        backend.initialize(Note)
        note = Note.create(id="n1", title="Crème brûlée!")
        assert note.slug == Note.get("n1").slug == "creme-brulee"
        assert Note.where(slug="creme-brulee").one() == note
        assert [entry.state for entry in Note.extensions() if entry.name == "slugged"] == ["active"]
        backend.close()
        """,
    )


def test_a_strangers_extension_is_configured_like_a_built_in_one(app):
    app(
        """
        mixstore.configure(backends={"default": {
            "url": "memory://", "extensions": {"options": {"slugged": {"separator": "_"}}},
        }})
        assert Note.create(id="n1", title="Crème brûlée!").slug == "creme_brulee"
        """,
    )


def test_a_strangers_extension_checks_the_model_when_it_is_bound(app):
    app(
        """
        class Typo(Slugged, Model):
            class Meta:
                slug_from = "tittle"
            id: str = Field(primary_key=True)
            title: str

        Typo.bind(connect("memory://"))
        try:
            Typo.create(id="n1", title="x")
        except mixstore.SchemaError as error:
            assert "did you mean 'title'?" in str(error)
        else:
            raise AssertionError("a slug of no field")
        """,
    )


@pytest.mark.parametrize(
    "url", ["memory://", "sqlite:///notes.db", "journal:///notes.jsonl", "jsonlines:///notes.jsonl"]
)
def test_a_strangers_lookup_works_in_the_first_query_of_a_process(app, url):
    app(
        f"""
        with connect({url!r}, name="default") as backend:
            backend.initialize(Note)
            Note.create(id="n1", title="Crème brûlée!")
            Note.create(id="n2", title="Tarte")
        """,
    )
    app(
        f"""
        query = Note.where(title__slugged="creme-brulee")
        with connect({url!r}, name="default") as backend:
            if {url!r} == "memory://":
                Note.create(id="n1", title="Crème brûlée!")
            assert [note.id for note in query.all()] == ["n1"]
        """,
    )


def test_an_extension_hides_rows_by_a_strangers_lookup(app):
    app(
        """
        from mixstore import BackendExtension, Mixin, Q

        class Discreet(Mixin):
            class Hiding(BackendExtension):
                def veiled(self):
                    return Q(title__slugged="top-secret")

        class Memo(Discreet, Model):
            id: str = Field(primary_key=True)
            title: str

        connect("memory://", name="default")
        Memo.batch_create([{"id": "m1", "title": "Top secret!"}, {"id": "m2", "title": "Lunch"}])
        assert [memo.id for memo in Memo.all()] == ["m2"]
        """,
    )


def test_a_stranger_extends_a_mixin_of_mixstore_on_its_own_backend(app):
    app(
        """
        with connect("journal:///rows.jsonl", name="default") as backend:
            ttl = next(entry for entry in Session.extensions() if entry.name == "ttl")
            assert (ttl.state, ttl.fidelity) == ("active", "native")
            Session.create(id="s1", expires_in=timedelta(minutes=1))
            Session.create(id="s2")
            start = backend.clock()
            backend.clock = lambda: start + timedelta(minutes=2)
            assert backend.forget_dead() == 1
            assert [session.id for session in Session.include_expired()] == ["s2"]
        """,
    )
