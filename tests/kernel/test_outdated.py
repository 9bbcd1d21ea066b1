"""`rewrite()`: what extensions keep in an outdated form is stored anew; and envelopes that nobody can open."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import BackendExtension, CorruptRecordError, Envelope, Field, HookError, Mixin, Model, Q, query_method

pytestmark = pytest.mark.usefixtures("store")
FORM = {"now": b"1"}


class Formed(Mixin):
    """Stores `body` in an envelope that says in which form."""

    body: str | None = None
    hidden: bool = False

    class Forms(BackendExtension):
        reveals = "include_hidden"

        def opaque(self, model_class):
            return {"body": "residual"}

        def serialize(self, data):
            if data["body"] is not None:
                data["body"] = Envelope.of("formed", FORM["now"] + data["body"].encode())
            return data

        def deserialize(self, data):
            if data["body"] is not None:
                data["body"] = Envelope.read(data["body"]).content[1:].decode()
            return data

        def outdated(self, data):
            return [] if data["body"] is None or Envelope.read(data["body"]).content[:1] == FORM["now"] else ["body"]

        def veiled(self):
            return Q(hidden=True)

    @query_method
    def include_hidden(query):
        return query.option(include_hidden=True)


class Doc(Formed, Model):
    id: int = Field(primary_key=True)
    size: int = 0


@pytest.fixture(autouse=True)
def form():
    """The first form at the beginning of each test."""
    FORM["now"] = b"1"
    return FORM


def forms(store: Any) -> list[bytes]:
    return [row["body"] and row["body"].content[:1] for row in store.bound(Doc).native.rows.values()]


def test_rewrite_stores_outdated_values_anew_and_nothing_else(store):
    Doc.batch_create([{"id": 1, "body": "a"}, {"id": 2}, {"id": 3, "body": "c", "hidden": True}])
    FORM["now"] = b"2"
    Doc.create(id=4, body="d")
    assert Doc.where().rewrite() == 2
    assert forms(store) == [b"2", None, b"2", b"2"]
    assert Doc.where().rewrite() == 0
    assert [row.body for row in Doc.include_hidden().order_by("id")] == ["a", None, "c", "d"]


async def test_arewrite_does_the_same(store):
    Doc.create(id=1, body="a")
    FORM["now"] = b"2"
    assert await Doc.where().arewrite() == 1
    assert forms(store) == [b"2"]


def test_rewrite_takes_a_filter(store):
    Doc.batch_create([{"id": number, "body": "a", "size": number} for number in range(4)])
    FORM["now"] = b"2"
    assert Doc.where(size__gte=2).rewrite() == 2
    assert forms(store) == [b"1", b"1", b"2", b"2"]


def test_a_save_leaves_an_outdated_value_that_did_not_change(store):
    doc = Doc.create(id=1, body="a")
    FORM["now"] = b"2"
    doc.update(size=1)
    assert forms(store) == [b"1"]


def test_rewrite_of_a_value_that_changes_meanwhile_keeps_the_change(store, monkeypatch):
    Doc.create(id=1, body="a")
    FORM["now"] = b"2"
    compile_writes, stolen = store.compile_writes, []

    def steal(bound, writes):
        if not stolen:
            stolen.append(True)
            FORM["now"] = b"1"
            Doc.get(1).update(body="b")
            FORM["now"] = b"2"
        return compile_writes(bound, writes)

    monkeypatch.setattr(store, "compile_writes", steal)
    assert Doc.where().rewrite() == 1
    assert Doc.get(1).body == "b"
    assert forms(store) == [b"2"]


def test_rewrite_with_no_extension_does_nothing():
    class Bare(Model):
        id: int = Field(primary_key=True)

    Bare.create(id=1)
    assert Bare.where().rewrite() == 0


def test_an_extension_that_fails_to_say_what_is_outdated_is_named(monkeypatch):
    def outdated(self, data):
        raise RuntimeError("no idea")

    monkeypatch.setattr(Formed.Forms, "outdated", outdated)
    Doc.create(id=1, body="a")
    with pytest.raises(HookError, match=r"Formed\.Forms\.outdated raised RuntimeError: no idea"):
        Doc.where().rewrite()


def test_a_condition_on_an_opaque_field_speaks_of_its_value():
    Doc.batch_create([{"id": 1, "body": "a"}, {"id": 2, "body": "b"}])
    assert Doc.where(body="a").update(size=5) == 1
    assert Doc.where(body="b").delete() == 1
    assert [(row.id, row.size) for row in Doc.all()] == [(1, 5)]


@pytest.mark.parametrize(
    "value", [b"", b"\0mixstore:", b"\0mixstore:name", "\0mixstore:name\0", None, b"x\0mixstore:a\0"]
)
def test_a_plain_value_is_no_envelope(value):
    assert Envelope.read(value) is None


def test_an_envelope_is_known_again_from_its_bytes():
    envelope = Envelope.read(bytes(Envelope.of("packed", b"\0abc")))
    assert (envelope.owner, envelope.content) == ("packed", b"\0abc")
    assert repr(envelope) == "<Envelope of 'packed', 21 bytes>"


def test_an_envelope_without_its_extension_is_a_corrupt_record_that_names_it(store):
    Doc.create(id=1, body="a")

    class Plain(Model):
        class Meta:
            entity = "Doc"

        id: int = Field(primary_key=True)
        body: str | None = None
        size: int = 0
        hidden: bool = False

    store._bounds.clear()
    with pytest.raises(CorruptRecordError, match=r"Plain\.body was stored by the extension 'formed'"):
        Plain.get(1)
