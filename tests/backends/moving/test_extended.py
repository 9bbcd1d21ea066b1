"""Rows of models with extensions are moved as they are, through the chain of the place where they go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mixstore import (
    BackendExtension,
    DuplicateKeyError,
    Envelope,
    Field,
    HookError,
    Mixin,
    Model,
    UnsupportedOperationError,
    WriteChange,
    configure,
    copy,
    export_lines,
    import_lines,
    verify,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import (
    TTL,
    Compressed,
    Encrypted,
    History,
    KeyRing,
    SoftDelete,
    Tenant,
    Timestamps,
    Versioned,
    tenant,
)
from mixstore_extensions.guards import UniqueGuard
from tests.backends.guarded.engines import GuardedMemory
from tests.backends.shared.support import Clock

ONE = KeyRing({"one": bytes(range(32))})


class Document(History, SoftDelete, Tenant, TTL, Versioned, Timestamps, Model):
    class Meta:
        ttl = timedelta(days=1)

    id: str = Field(primary_key=True)
    title: str = ""


class Account(Versioned, Model):
    id: str = Field(primary_key=True)
    email: str | None = Field(None, unique=True)


class Secret(Encrypted, Compressed, History, Model):
    class Meta:
        encryption = ONE
        blind_index = KeyRing({"b": bytes(32)})

    id: str = Field(primary_key=True)
    name: str | None = Field(None, encrypted=True)
    name_index: str | None = Field(None, index=True, blind_index_of="name")
    body: str = Field("", compressed=True)


def bound_to(backend, model, clock=None):
    if clock is not None:
        backend.clock = clock
    model.bind(backend)
    backend.initialize(model)
    return model


@pytest.fixture(autouse=True)
def unbound():
    yield
    for model in (Document, Account, Secret):
        model.bind(None)


def stored(backend, model, *key):
    bound = backend.bound(model)
    (row,) = backend.execute(bound.engine.compile_get(bound, (key,)))
    return None if row is None else bound.stored_of(row)


def fill_documents(source, clock):
    bound_to(source, Document, clock)
    for who in ("a", "b"):
        with tenant(who):
            kept = Document.create(id=f"{who}-kept", title="one")
            clock.forward(minutes=1)
            kept.update(title="two")
            Document.create(id=f"{who}-deleted").delete()
            Document.create(id=f"{who}-expired", expires_in=1)
    clock.forward(minutes=1)


def test_versions_times_tenants_and_deleted_rows_stay_as_they_are_and_expired_ones_stay_behind(stores):
    source, destination = stores
    clock = Clock()
    fill_documents(source, clock)
    before = {}
    for who in ("a", "b"):
        with tenant(who):
            before.update({one.id: vars(one) for one in Document.include_deleted().all()})
    destination.clock = clock
    clock.forward(hours=1)
    rows, revisions = copy(Document, source, destination)
    assert (rows.stored, revisions.entity, revisions.stored) == (4, "mixstore_revision", 10)
    Document.bind(destination)
    after = {}
    for who in ("a", "b"):
        with tenant(who):
            after.update({one.id: vars(one) for one in Document.include_deleted().all()})
            assert [one.id for one in Document.all()] == [f"{who}-kept"]
    assert after == before
    assert len(after) == 4
    with tenant("a"):
        assert [(one.number, one.values["title"]) for one in Document.history("a-kept")] == [(2, "two"), (1, "one")]
        assert Document.get("a-kept").update(title="three").version == 3
        assert len(Document.history("a-kept")) == 3


def test_a_row_that_has_expired_at_the_destination_makes_place(source, destination):
    clock = Clock()
    for backend in (destination, source):
        bound_to(backend, Document, clock)
        with tenant("a"):
            Document.create(id="x", title=backend.backend_name, expires_in=60 if backend is destination else 600)
    clock.forward(minutes=2)
    assert copy(Document, source, destination, rows_only=True)[0].stored == 1


def test_unique_values_are_kept_so_at_the_destination_natively_or_by_guards(source):
    bound_to(source, Account)
    Account.create(id="1", email="a@b").update(email="c@d")
    with GuardedMemory() as guarded, InMemoryBackend() as back:
        copy(Account, source, guarded)
        assert guarded.query(UniqueGuard).count() == 1
        with pytest.raises(DuplicateKeyError) as caught:
            guarded.create(Account, {"id": "2", "email": "c@d"})
        assert caught.value.field == "email"
        guarded.create(Account, {"id": "2", "email": "a@b"})
        copy(Account, guarded, back)
        with pytest.raises(DuplicateKeyError):
            back.create(Account, {"id": "3", "email": "a@b"})
        assert back.get(Account, id="1")["version"] == 2


def test_a_replaced_row_lets_go_of_its_guards(source):
    bound_to(source, Account)
    Account.create(id="1", email="new")
    with GuardedMemory() as guarded:
        guarded.create(Account, {"id": "1", "email": "old"})
        copy(Account, source, guarded, on_conflict="replace")
        guarded.create(Account, {"id": "2", "email": "old"})
        with pytest.raises(DuplicateKeyError):
            guarded.create(Account, {"id": "3", "email": "new"})


def test_secrets_are_encrypted_anew_and_history_stays_sealed(stores):
    source, destination = stores
    bound_to(source, Secret)
    Secret.create(id="1", name="the rose", body="spam " * 100).update(name="the whale")
    copy(Secret, source, destination)
    mine, theirs = (Envelope.read(stored(one, Secret, "1")["name"]) for one in stores)
    assert mine.owner == theirs.owner == "encrypted"
    assert mine != theirs
    Secret.bind(destination)
    assert Secret.get("1").name == "the whale"
    assert Secret.where(name="the whale").count() == 1
    assert [one.values["name"] for one in Secret.history("1")] == ["the whale", "the rose"]
    assert verify(Secret, source, destination).agrees


def test_an_export_refuses_secrets_before_its_first_line(source):
    bound_to(source, Secret)
    with pytest.raises(UnsupportedOperationError, match=r"Secret\.name .* in plain"):
        export_lines(Secret)


def test_secrets_in_plain_are_encrypted_again_by_an_import(source, destination):
    bound_to(source, Secret)
    Secret.create(id="1", name="the rose", body="spam " * 100)
    lines = list(export_lines(Secret, plain_secrets=True))
    assert "the rose" in lines[0]
    assert "name_index" not in lines[0]
    assert "the rose" not in lines[1]
    import_lines(lines, Secret, backend=destination)
    assert Envelope.read(stored(destination, Secret, "1")["name"]).owner == "encrypted"
    Secret.bind(destination)
    assert Secret.where(name="the rose").one().body == "spam " * 100
    assert Secret.history("1")[0].values["name"] == "the rose"


def test_revisions_that_nobody_keeps_at_the_destination_are_not_dropped_in_silence(source):
    class Kept(History, Model):
        id: int = Field(primary_key=True)

    source.initialize(Kept)
    source.create(Kept, {"id": 1})
    configure(backends={"plain": {"url": "memory://", "extensions": {"disable": ["history"]}}})
    with pytest.raises(UnsupportedOperationError, match="rows of StoredRevision beside its own"):
        copy(Kept, source, "plain")
    assert copy(Kept, source, "plain", rows_only=True)[0].stored == 1


# -- any extension


class Strict(Mixin):
    """Says no to everything that somebody does, and checks and replaces values."""

    class Any(BackendExtension):
        def before_write(self, context):
            return WriteChange({"name": "changed"})

        def validate(self, data):
            if data["name"] == "bad":
                raise ValueError("bad")

        def opaque(self, model_class):
            return {"name": "residual"}

        def serialize(self, data):
            return {**data, "name": f"<{data['name']}>"}

        def deserialize(self, data):
            return {**data, "name": data["name"][1:-1]}

        def after_write(self, context, outcome):
            raise HookError("nobody acted")

        def after_read(self, context, values):
            return {**values, "name": "shown"}


class Odd(Strict, Model):
    id: int = Field(primary_key=True)
    name: str = ""


def put(backend, name):
    bound = backend.bound(Odd)
    backend.execute(bound.engine.compile_plain(bound, "create", (1,), {"id": 1, "name": name}, None))


def test_what_stores_and_checks_is_asked_and_what_changes_and_tells_is_not(source, destination):
    put(source, "<mine>")
    copy(Odd, source, destination)
    assert stored(destination, Odd, 1)["name"] == "<mine>"
    assert destination.get(Odd, id=1)["name"] == "shown"


def test_a_row_that_an_extension_refuses_is_not_stored(source, destination):
    put(source, "<bad>")
    with pytest.raises(Exception, match="bad"):
        copy(Odd, source, destination)
    assert destination.count(Odd) == 0
