"""Tenants in an index of several shards: a key is one tenant's, wherever its document lies. See decision 0035."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mixstore import DuplicateKeyError, Field, Model
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import Tenant, tenant, without_tenant
from tests.engines.engines import Server
from tests.engines.opensearch_store import SETTINGS, store

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")
TENANTS = [f"t{n}" for n in range(8)]


class Doc(Tenant, Model):
    id: str = Field(primary_key=True)
    title: str = ""


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"t{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix, settings={**SETTINGS, "number_of_shards": 3}) as made:
        Doc.bind(made)
        made.initialize(Doc)
        yield made
        Doc.bind(None)
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


def test_a_key_is_taken_for_all_tenants_though_there_are_several_shards(backend: OpenSearchBackend) -> None:
    with tenant("first"):
        Doc.batch_create([{"id": f"d{n}"} for n in range(20)])
    for name in TENANTS:
        with tenant(name):
            with pytest.raises(DuplicateKeyError):
                Doc.create(id="d7")
            with pytest.raises(DuplicateKeyError):
                Doc.upsert(id="d8", title="mine")
            assert Doc.get("d7") is None
            assert Doc.where().delete() == 0
    with without_tenant():
        assert Doc.count() == 20
        assert Doc.where(title="").count() == 20


def test_the_engine_would_take_a_key_twice_if_tenants_were_routed(backend: OpenSearchBackend) -> None:
    """Why they are not: what this relies on is the engine's, so it is asked of that."""
    path = f"/{backend.bound(Doc).native.name}/_create/one"
    created = []
    for name in TENANTS:
        told = backend.client.transport.perform_request(
            "PUT", path, params={"routing": name, "ignore": 409}, body={"id": "one", "title": "", "tenant": name}
        )
        created += [name] if told.get("result") == "created" else []
    assert 1 < len(created) <= 3
