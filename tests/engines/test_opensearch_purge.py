"""Deletes by query on OpenSearch: one request where nothing has to see each row, row by row where something has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from mixstore import BackendUnavailableError, Field, Model, before_delete
from mixstore_backends.opensearch import OpenSearchBackend, purging
from mixstore_extensions import TTL, History, SoftDelete, Versioned
from tests.engines.engines import Server
from tests.engines.opensearch_store import store

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Session(TTL, Model):
    id: str = Field(primary_key=True)
    n: int = 0
    note: str = ""


class Counting:
    """A client that knows what was asked."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.transport = self
        self.asked: list[str] = []

    def perform_request(self, method: str, path: str, **options: Any) -> Any:
        self.asked.append(path.rpartition("/")[2])
        return self.client.transport.perform_request(method, path, **options)


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"d{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix) as made:
        made.client = Counting(made.client)
        made.initialize(Session)
        yield made
        made.client.client.transport.perform_request("DELETE", f"/{prefix}*")
        made.client = made.client.client


def expired(backend: OpenSearchBackend, number: int, model: Any = Session) -> None:
    """So many rows that are gone, and two that are there."""
    soon, later = backend.clock() - timedelta(seconds=1), backend.clock() + timedelta(hours=1)
    backend.batch_create(model, [{"id": f"r{n}", "n": n, "expires_at": soon} for n in range(number)])
    backend.batch_create(model, [{"id": "later", "expires_at": later}, {"id": "never"}])


def purge(backend: OpenSearchBackend, model: Any = Session) -> tuple[int, list[str]]:
    """How many rows it removed, and what that took."""
    model.bind(backend)
    backend.client.asked.clear()
    try:
        return model.purge_expired(), [one for one in backend.client.asked if one != "_refresh"]
    finally:
        model.bind(None)


def left(backend: OpenSearchBackend, model: Any = Session) -> set[str]:
    query = backend.query(model).include_expired()
    return {row.id for row in query.all()}


def test_what_has_expired_goes_in_one_request(backend: OpenSearchBackend) -> None:
    expired(backend, 300)
    assert purge(backend) == (300, ["_delete_by_query"])
    assert left(backend) == {"later", "never"}
    assert purge(backend) == (0, ["_delete_by_query"])


def test_more_than_one_request_deletes_are_counted_together(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "AT_ONCE", 100)
    expired(backend, 250)
    assert purge(backend) == (250, ["_delete_by_query"] * 3)
    assert left(backend) == {"later", "never"}


def test_a_filter_that_only_mixstore_can_apply_is_applied_row_by_row(backend: OpenSearchBackend) -> None:
    expired(backend, 20)
    backend.client.asked.clear()
    assert backend.query(Session).include_expired().filter(id__regex="^r1").delete() == 11
    assert "_delete_by_query" not in backend.client.asked
    assert len(left(backend)) == 11


def test_hidden_rows_are_not_deleted_by_a_query_that_does_not_see_them(backend: OpenSearchBackend) -> None:
    expired(backend, 5)
    backend.client.asked.clear()
    assert backend.query(Session).filter(n__gte=0).delete() == 2
    assert "_delete_by_query" in backend.client.asked
    assert left(backend) == {f"r{n}" for n in range(5)}


class Logged(History, TTL, Model):
    id: str = Field(primary_key=True)
    n: int = 0


class Unique(TTL, Model):
    id: str = Field(primary_key=True)
    n: int = Field(0)
    name: str | None = Field(None, unique=True)


class Hooked(TTL, Model):
    id: str = Field(primary_key=True)
    n: int = 0

    @before_delete
    def keep_the_first(self, context: Any) -> None:
        if self.id == "r0":
            raise ValueError("not this one")


class Hidden(SoftDelete, TTL, Model):
    id: str = Field(primary_key=True)
    n: int = 0


class Locked(Versioned, TTL, Model):
    id: str = Field(primary_key=True)
    n: int = 0


@pytest.mark.parametrize("model", [Logged, Unique, Locked])
def test_what_has_to_see_each_row_sees_it(backend: OpenSearchBackend, model: Any) -> None:
    backend.initialize(model)
    expired(backend, 3, model)
    removed, asked = purge(backend, model)
    assert removed == 3
    assert "_delete_by_query" not in asked
    assert left(backend, model) == {"later", "never"}


def test_hooks_of_the_model_see_each_row(backend: OpenSearchBackend) -> None:
    backend.initialize(Hooked)
    expired(backend, 1, Hooked)
    with pytest.raises(Exception, match="not this one"):
        purge(backend, Hooked)
    assert "r0" in left(backend, Hooked)


def test_a_delete_that_is_an_update_stays_one_and_a_physical_one_is_one_request(backend: OpenSearchBackend) -> None:
    backend.initialize(Hidden)
    expired(backend, 4, Hidden)
    assert backend.query(Hidden).filter(id="never").delete() == 1
    assert backend.query(Hidden).option(include_deleted=True).filter(id="never").count() == 1
    assert purge(backend, Hidden) == (4, ["_delete_by_query"])


def test_rows_whose_time_is_extended_meanwhile_stay_and_each_is_counted_once(
    opensearch: Server, backend: OpenSearchBackend
) -> None:
    expired(backend, 2000)
    kept: list[str] = []

    def extend() -> None:
        later = backend.clock() + timedelta(hours=1)
        with store(opensearch, prefix=backend.prefix, refresh=False) as other:
            for n in range(1999, 1499, -1):
                query = other.query(Session).include_expired().filter(id=f"r{n}")
                if query.update(expires_at=later):
                    kept.append(f"r{n}")

    thread = threading.Thread(target=extend)
    thread.start()
    removed, _ = purge(backend)
    thread.join()
    backend.refresh(Session)
    assert left(backend) == {"later", "never", *kept}
    assert removed == 2000 - len(kept)


def test_a_disk_that_is_full_is_an_error(backend: OpenSearchBackend) -> None:
    expired(backend, 3)
    transport, path = backend.client.client.transport, "/" + backend.bound(Session).native.name + "/_settings"
    transport.perform_request("PUT", path, body={"index.blocks.write": True})
    with pytest.raises(BackendUnavailableError):
        purge(backend)
    transport.perform_request("PUT", path, body={"index.blocks.write": None})
    assert purge(backend)[0] == 3


@pytest.mark.asyncio
async def test_it_can_be_awaited(backend: OpenSearchBackend) -> None:
    expired(backend, 3)
    Session.bind(backend)
    try:
        assert await Session.apurge_expired() == 3
    finally:
        Session.bind(None)
