"""`prune_history()` beside mixins that hide rows: whose revisions it removes, and when those of an expired row go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mixstore import Field, Model
from mixstore_extensions import TTL, Encrypted, History, SoftDelete, Tenant, TenantError, tenant, without_tenant
from mixstore_extensions.history import StoredRevision
from tests.extensions.sealing import RING


class Owned(History, Tenant, Encrypted, Model):
    class Meta:
        history_for = timedelta(days=1)
        encryption = RING

    id: str = Field(primary_key=True)
    title: str = Field("", encrypted=True)


class Lent(History, TTL, SoftDelete, Model):
    class Meta:
        history_for = timedelta(days=1)

    id: str = Field(primary_key=True)
    code: str | None = Field(None, unique=True)


def kept(backend) -> list[tuple[str, int]]:
    return [
        (one.row.split('"')[3], one.number) for one in backend.query(StoredRevision).order_by("row", "number").all()
    ]


def test_a_tenant_prunes_its_own_history_only(use, backend, clock):
    use(Owned)
    for name in ("acme", "globex"):
        with tenant(name):
            Owned.create(id=name, title="one").update(title="two")
    clock.forward(days=2)
    with pytest.raises(TenantError):
        Owned.prune_history()
    with tenant("acme"):
        assert Owned.prune_history() == 1
    assert kept(backend) == [("acme", 2), ("globex", 1), ("globex", 2)]
    with without_tenant():
        assert Owned.prune_history() == 1
    assert kept(backend) == [("acme", 2), ("globex", 2)]


def test_the_history_of_a_row_is_pruned_by_whose_it_is_now(use, backend, clock):
    use(Owned)
    with tenant("acme"):
        row = Owned.create(id="a")
    with without_tenant():
        row.update(tenant="globex")
    clock.forward(days=2)
    with tenant("acme"):
        assert Owned.prune_history() == 0
    with tenant("globex"):
        assert Owned.prune_history() == 1


def test_a_row_that_expired_and_made_room_does_not_keep_its_history_for_ever(use, backend, clock):
    use(Lent)
    Lent.create(id="old", code="x", expires_in=60).update(code="y")
    clock.forward(hours=1)
    Lent.create(id="new", code="y")
    assert Lent.include_expired().filter(id="old").first() is None  # it was in the way
    assert Lent.prune_history() == 0
    clock.forward(days=2)
    assert Lent.prune_history() == 2
    assert kept(backend) == [("new", 1)]


def test_a_row_that_expired_lately_keeps_its_last_revision(use, backend, clock):
    use(Lent)
    Lent.create(id="a", expires_in=timedelta(days=3)).update(code="x")
    clock.forward(days=3, hours=1)
    assert Lent.prune_history() == 1  # the first was replaced three days ago
    assert kept(backend) == [("a", 2)]


def test_a_deleted_row_that_is_only_hidden_keeps_its_last_revision(use, backend, clock):
    use(Lent)
    Lent.create(id="a").delete()
    clock.forward(days=5)
    assert Lent.prune_history() == 1
    assert kept(backend) == [("a", 2)]


async def test_it_can_be_awaited(use, backend, clock):
    use(Owned)
    with tenant("acme"):
        await (await Owned.acreate(id="a")).aupdate(title="two")
    clock.forward(days=2)
    with tenant("globex"):
        assert await Owned.aprune_history() == 0
    with tenant("acme"):
        assert await Owned.aprune_history() == 1
