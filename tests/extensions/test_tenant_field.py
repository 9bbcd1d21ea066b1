"""Which field holds the tenant, and `Tenant` beside the other mixins, on every backend."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from mixstore import (
    Capability,
    DuplicateKeyError,
    Field,
    Key,
    Model,
    NotFoundError,
    SchemaError,
    ValidationError,
    VersionConflictError,
)
from mixstore_extensions import (
    TTL,
    SoftDelete,
    Tenant,
    TenantError,
    TenantScoped,
    Timestamps,
    Versioned,
    current_tenant,
    tenant,
    without_tenant,
)
from tests.backends.shared.support import ids


class Doc(Tenant, Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
    slug: str | None = Field(None, unique=True)
    seen: int = 0


class File(Tenant, SoftDelete, Versioned, Timestamps, TTL, Model):
    class Meta:
        soft_delete_frees_unique = True

    id: str = Field(primary_key=True)
    name: str = ""
    slug: str | None = Field(None, unique=True)


class Bill(TenantScoped, Model):
    class Meta:
        tenant_field = "firm"

    id: str = Field(primary_key=True)
    firm: UUID | None = Field(None, index=True)


class Renamed(Tenant, Model):
    class Meta:
        tenant_field = "org"

    id: str = Field(primary_key=True)
    org: int | None = Field(None, index=True)


class Entry(Tenant, Model):
    class Meta:
        key = Key("TENANT#{tenant}", "ENTRY#{id}")

    tenant: str = Field(default_factory=current_tenant)
    id: str
    text: str = ""


@pytest.fixture(autouse=True)
def ready(use):
    use(Doc, File, Bill, Renamed, Entry)


# -- the field -------------------------------------------------------------------------------------------------------


def test_meta_names_the_field_and_the_tenant_takes_its_type():
    firm = uuid4()
    with tenant(str(firm)):
        assert Bill.create(id="1").firm == firm
    with tenant(firm):
        assert (Bill.get("1").firm, Bill.count()) == (firm, 1)
    with tenant(uuid4()):
        assert Bill.get("1") is None
    with tenant(7):
        assert Renamed.create(id="1").org == 7
        assert (Renamed.count(), "tenant" in Bill.model_fields) == (1, False)


def test_a_tenant_that_does_not_fit_the_field_is_an_error():
    with tenant("acme"), pytest.raises(TenantError, match=r"tenant\('acme'\) does not fit Bill.firm, UUID"):
        Bill.count()


def test_rows_that_belong_to_nobody_are_seen_by_nobody(backend):
    class Note(Model):
        id: str = Field(primary_key=True)
        tenant: str | None = Field(None, index=True)

    Old = Note
    Old.bind(backend)
    backend.initialize(Old)
    Old.create(id="1")
    backend._bounds.pop(Old)

    class Later(Tenant, Model):
        class Meta:
            entity = "Note"

        id: str = Field(primary_key=True)

    Later.bind(backend)
    with tenant("a"):
        assert (Later.all(), Later.get("1")) == ([], None)
    with without_tenant():
        Later.get("1").update(tenant="a")
    with tenant("a"):
        assert ids(Later.all()) == ["1"]


def test_a_tenant_can_be_a_part_of_the_key():
    with tenant("a"):
        entry = Entry.create(id="1", text="of a")
        Entry.batch_upsert([{"id": "2"}, {"id": "3"}])
    with tenant("b"):
        Entry.create(id="1", text="of b")
        assert Entry.get(tenant="a", id="1") is None
        assert entry.delete() is False
        with pytest.raises(ValidationError):
            Entry.upsert(tenant="a", id="1")
        assert [(one.tenant, one.id) for one in Entry.all()] == [("b", "1")]
    with tenant("a"):
        assert Entry.get(tenant="a", id="1").text == "of a"
        assert Entry.count() == 3


def test_the_field_must_leave_it_to_the_tenant_that_is_set(backend):
    class Given(TenantScoped, Model):
        class Meta:
            tenant_field = "firm"

        id: str = Field(primary_key=True)
        firm: str = "acme"

    class Missing(TenantScoped, Model):
        id: str = Field(primary_key=True)

    class Listed(TenantScoped, Model):
        id: str = Field(primary_key=True)
        tenant: list[str] | None = None

    for model, told in (
        (Given, "Given.firm must be None by default"),
        (Missing, "Missing lacks the field of its tenant: 'tenant'"),
        (Listed, "Listed.tenant is list"),
    ):
        model.bind(backend)
        with pytest.raises(SchemaError, match=told), tenant("a"):
            model.count()


# -- beside other mixins ---------------------------------------------------------------------------------------------


def test_all_mixins_together_stay_in_their_tenant(clock):
    with tenant("a"):
        file = File.create(id="1", slug="s", expires_in=timedelta(hours=5))
        stale = File.get("1")
        file.update(name="n")
        with pytest.raises(VersionConflictError):
            stale.delete()
        file.delete()
    with tenant("b"):
        assert File.include_deleted().include_expired().count() == 0
        assert File.purge_deleted() == 0
        with pytest.raises(NotFoundError):
            file.restore()
        for create in (File.create, File.upsert):
            with pytest.raises(DuplicateKeyError):
                create(id="1")
        assert File.create(id="2", slug="s").version == 1
        assert stale.delete() is False
        clock.forward(hours=5)
        assert File.purge_expired() == 0
        assert File.upsert(id="1").version == 1
    with tenant("a"):
        assert (File.get("1"), File.include_deleted().include_expired().count()) == (None, 0)


def test_a_purge_of_all_tenants_takes_a_job_for_all(clock):
    for name in ("a", "b"):
        with tenant(name):
            File.create(id=name).delete()
    with pytest.raises(TenantError):
        File.purge_deleted()
    with tenant("a"):
        assert File.purge_deleted() == 1
    with without_tenant():
        assert File.purge_deleted() == 1


def test_it_is_active_by_the_name_tenant():
    for model in (Doc, Bill):
        assert "tenant" in [entry.name for entry in model.extensions() if entry.state == "active"]
    assert Capability.CONDITIONS in TenantScoped.Isolation.requires
