"""Numbers of revisions on OpenSearch when searches are behind, and rows whose history is switched off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mixstore import Field, Model
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import History
from tests.engines.engines import Server
from tests.engines.opensearch_store import store

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Doc(History, Model):
    id: str = Field(primary_key=True)
    text: str = ""


class Short(History, Model):
    class Meta:
        history_keep = 1

    id: str = Field(primary_key=True)
    text: str = ""


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    prefix = f"n{abs(hash(request.node.name))}-"
    with store(opensearch, prefix=prefix) as made:
        Doc.bind(made)
        Short.bind(made)
        made.initialize(Doc, Short)
        yield made
        Doc.bind(None)
        Short.bind(None)
        made.client.transport.perform_request("DELETE", f"/{prefix}*")


def told(model: Any, key: str = "a") -> list[tuple[int, str, str]]:
    """(number, operation, text) of each revision, oldest first."""
    return [(one.number, one.operation, one.values["text"]) for one in reversed(model.history(key))]


def test_with_one_revision_to_keep_numbers_go_on(backend: OpenSearchBackend) -> None:
    for round in range(3):
        Short.create(id="a", text=f"{round}")
        Short.get("a").update(text=f"{round} more")
        Short.get("a").delete()
        assert [one.number for one in Short.history("a")] == [3 * round + 3]


def test_who_sees_an_old_revision_that_is_gone_by_now_takes_no_old_number(backend: OpenSearchBackend) -> None:
    with store(None, backend.client, prefix=backend.prefix, refresh=False) as other:
        Short.create(id="a", text="1")
        assert [one.number for one in Short.history("a")] == [1]
        for text in "23":  # searches go on to see the first revision alone
            other.upsert(Short, {"id": "a", "text": text})
        backend.upsert(Short, {"id": "a", "text": "4"})
    backend.refresh(Short)
    assert told(Short)[-1] == (4, "upsert", "4")


def test_rows_outlive_their_history(backend: OpenSearchBackend) -> None:
    class Bare(Model):
        class Meta:
            entity = "Doc"

        id: str = Field(primary_key=True)
        text: str = ""

    Doc.batch_create([{"id": one, "text": one} for one in "abc"])
    Doc.get("a").delete()
    without = store(None, backend.client, prefix=backend.prefix)
    Bare.bind(without)
    try:
        without.refresh(Bare)
        assert sorted(one.id for one in Bare.where()) == ["b", "c"]
        Bare.get("b").update(text="plain")
        Bare.get("c").delete()
        Bare.create(id="a", text="anew")
        assert Bare.get("b").text == "plain"
    finally:
        Bare.bind(None)
    Doc.get("b").update(text="later")
    assert told(Doc, "b") == [(1, "create", "b"), (2, "update", "later")]
    Doc.get("a").update(text="known again")
    assert told(Doc)[-1] == (3, "update", "known again")
