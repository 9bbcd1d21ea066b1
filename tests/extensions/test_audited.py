"""`audited`, applied from the config: each write of any model leaves an entry, in the same atomic unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

import mixstore
from mixstore import (
    Backend,
    BatchError,
    ConfigurationError,
    DuplicateKeyError,
    Field,
    Key,
    Model,
    NotFoundError,
    configure,
    connect,
)
from mixstore_extensions import (
    TTL,
    AuditEntry,
    History,
    Tenant,
    TenantScoped,
    Versioned,
    acting_as,
    tenant,
)
from tests.backends.dynamodb.servers import keys
from tests.backends.shared.support import NOON, Clock
from tests.extensions.turned import Sealed

__all__ = ["keys"]

URLS = {"memory": "memory://", "sqlite": "sqlite:///store.db", "dynamodb": "dynamodb://{table}?region=eu-west-1"}


class Note(Model):
    id: str = Field(primary_key=True)
    title: str = ""
    day: date | None = None
    code: str | None = Field(None, unique=True)


class Session(TTL, Versioned, History, Model):
    class Meta:
        key = Key(partition="USER#{user}", sort="{device}")

    user: str
    device: str
    name: str = ""


class Secretive(Sealed, Model):
    id: str = Field(primary_key=True)
    illness: str = Field("", sealed=True)


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with mixstore.registry():
        yield


@pytest.fixture(params=URLS)
def audited(request) -> Callable[..., Backend]:
    """Connects a backend whose config applies the extension with these options, and sets it up."""

    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb_client")
        request.getfixturevalue("keys")

    def connected(*models: Any, **options: Any) -> Backend:
        extensions = {"apply": ["audited"], "options": {"audited": options}}
        url = URLS[request.param].format(table=f"test-{uuid4().hex}")
        configure(backends={"default": {"url": url, "extensions": extensions}})
        backend = connect("default")
        backend.scan_policy = "allow"
        backend.clock = Clock()
        backend.initialize(*models)
        return backend

    return connected


def entries() -> list[AuditEntry]:
    return AuditEntry.where(entity="Note").all()


def told() -> list[tuple[str, str, list[str]]]:
    return sorted((one.key, one.operation, one.changed) for one in entries())


def test_each_write_tells_who_did_what_when_to_which_row(audited):
    audited(Note)
    with acting_as("ann"):
        Note.create(id="a")
    (entry,) = entries()
    assert (entry.by, entry.operation, entry.at, entry.entity, entry.key) == ("ann", "create", NOON, "Note", '["a"]')
    assert (entry.changed, entry.values) == (["id", "title", "day", "code"], None)


def test_an_entry_tells_which_fields_changed(audited):
    audited(Note)
    note = Note.create(id="a")
    note.title, note.day = "x", date(2025, 1, 2)
    note.save()
    note.update(title="y")
    note.save()
    note.delete()
    everything = ["id", "title", "day", "code"]
    assert told() == [
        ('["a"]', "create", everything),
        ('["a"]', "delete", []),
        ('["a"]', "update", ["title"]),
        ('["a"]', "update", ["title", "day"]),
    ]


def test_every_path_is_audited(audited):
    backend = audited(Note)
    Note.batch_create([{"id": "a"}, {"id": "b"}])
    Note.upsert(id="a", title="x")
    Note.where(title="x").update(title="y")
    Note.where(id="b").delete()
    with backend.transaction():
        Note.create(id="c")
    found = [(key, operation) for key, operation, _ in told()]
    assert found == [
        ('["a"]', "create"),
        ('["a"]', "update"),
        ('["a"]', "upsert"),
        ('["b"]', "create"),
        ('["b"]', "delete"),
        ('["c"]', "create"),
    ]


async def test_async_writes_are_audited(audited):
    audited(Note)
    await (await Note.acreate(id="a")).adelete()
    assert [operation for _, operation, _ in told()] == ["create", "delete"]


def test_what_is_not_stored_is_not_audited(audited):
    backend = audited(Note)
    Note.create(id="a", code="x")
    with pytest.raises(DuplicateKeyError):
        Note.create(id="b", code="x")
    with pytest.raises(BatchError):
        Note.batch_create([{"id": "a"}])
    with pytest.raises(NotFoundError):
        Note(id="c").update(title="x")
    with pytest.raises(KeyError), backend.transaction():  # noqa: PT012  (the transaction is the block)
        Note.create(id="d")
        raise KeyError("out")
    assert Note(id="c").delete() is False
    assert [(key, operation) for key, operation, _ in told()] == [('["a"]', "create")]


def test_values_are_kept_only_when_the_options_say_so(audited):
    audited(Note, values=True, exclude=["title"])
    Note.create(id="a", title="secret", day=date(2025, 1, 2))
    (entry,) = entries()
    assert (entry.values, "title" in entry.changed) == ({"id": "a", "day": "2025-01-02", "code": None}, True)


def test_what_is_stored_encrypted_is_not_kept_in_any_case(audited):
    audited(Secretive, values=True)
    Secretive.create(id="a", illness="measles").update(illness="mumps")
    found = AuditEntry.where(entity="Secretive").all()
    assert sorted((one.changed, one.values) for one in found) == [(["id", "illness"], {"id": "a"}), (["illness"], {})]


def test_a_key_that_must_not_be_told_is_refused(audited):
    with pytest.raises(ConfigurationError, match=r"audited can't leave out Note\.id"):
        audited(Note, values=True, exclude=["id"])


def test_it_goes_with_what_models_declare(audited):
    audited(Session)
    session = Session.create(user="u", device="d", expires_in=60)
    session.update(name="x")
    found = AuditEntry.where(entity="Session").all()
    assert {one.key for one in found} == {'["USER#u", "d"]'}
    assert [set(one.changed) for one in found if one.operation == "update"] == [{"name", "version"}]
    assert len(Session.history(user="u", device="d")) == 2


def test_the_rows_of_extensions_are_not_audited(audited):
    backend = audited(Session, Note)
    Session.create(user="u", device="d")
    AuditEntry.where(entity="Session").delete()
    assert backend.count(AuditEntry) == 0
    assert [entry.name for entry in AuditEntry.extensions() if entry.state == "active"] == []


def test_a_wrong_option_is_named(audited):
    with pytest.raises(ConfigurationError, match=r"(?s)option 'vales'.*did you mean 'values'"):
        audited(Note, vales=True)


def test_an_entry_tells_whose_the_row_is(audited):
    class Owned(Tenant, Model):
        id: str = Field(primary_key=True)

    class Numbered(TenantScoped, Model):
        class Meta:
            tenant_field = "firm"

        id: str = Field(primary_key=True)
        firm: int | None = None

    backend = audited()
    for model in (Owned, Numbered, Note):
        model.bind(backend)
    backend.initialize(Owned, Numbered, Note)
    with tenant(7):
        Numbered.create(id="n")
    with tenant("acme"):
        row = Owned.create(id="a")
        row.save()
        Owned(id="a").delete()
        Note.create(id="plain")
    told = {(one.entity, one.operation): one.tenant for one in AuditEntry.where()}
    assert told == {
        ("Numbered", "create"): "7",
        ("Owned", "create"): "acme",
        ("Owned", "delete"): "acme",
        ("Note", "create"): None,
    }
    assert AuditEntry.where(tenant="acme").count() == 2
