"""What `initialize()` asks. A stub stands for the server; tests/engines asks the engine itself."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import exceptions as driver

from mixstore import SchemaError
from tests.backends.opensearch.models import Article, Todo
from tests.backends.opensearch.stub import Sent, stubbed

ABSENT = {"error": {"type": "index_not_found_exception"}, "status": 404}
THERE = driver.RequestError(
    400, "resource_already_exists_exception", {"error": {"type": "resource_already_exists_exception", "reason": "x"}}
)


def shown(model: type, **changes: Any) -> Any:
    """What the engine shows of the index of a model, with changes of its properties."""
    index = stubbed()[0].bound(model).native
    properties = {**index.mapping["properties"], **changes}
    mapping = {**index.mapping, "properties": {name: one for name, one in properties.items() if one is not None}}
    settings = {"index": {"analysis": index.analysis}}
    name = f"{index.name}-000001"
    aliases = {index.name: {"is_write_index": True}, f"{name}.only": {}}
    return {name: {"mappings": mapping, "settings": settings, "aliases": aliases}}


def test_an_index_is_made_with_its_alias_at_once() -> None:
    backend, client = stubbed(ABSENT, {}, prefix="app-", settings={"number_of_shards": 3})
    backend.initialize(Todo)
    assert [(sent.method, sent.path) for sent in client.sent] == [("GET", "/app-todo"), ("PUT", "/app-todo-000001")]
    made = client.sent[1].json
    assert made["aliases"] == {"app-todo": {"is_write_index": True}, "app-todo-000001.only": {}}
    assert made["settings"]["number_of_shards"] == 3
    assert made["mappings"] == backend.bound(Todo).native.mapping


def test_what_fits_is_left_alone() -> None:
    backend, client = stubbed(shown(Article))
    backend.initialize(Article)
    assert len(client.sent) == 1


def test_who_is_slower_looks_at_what_the_other_made() -> None:
    backend, client = stubbed(ABSENT, THERE, shown(Todo))
    backend.initialize(Todo)
    assert len(client.sent) == 3
    backend, _ = stubbed(ABSENT, THERE, ABSENT, THERE)
    with pytest.raises(SchemaError, match="without the alias"):
        backend.initialize(Todo)


def test_a_new_field_is_added_and_its_default_filled_in() -> None:
    conflicts = iter([{"version_conflicts": 2}, {"version_conflicts": 0}])

    def filled(sent: Sent) -> Any:
        return next(conflicts)

    backend, client = stubbed(shown(Todo, done=None), {}, {"count": 5}, {}, filled, filled)
    backend.initialize(Todo)
    assert [sent.path for sent in client.sent] == [
        "/todo",
        "/todo/_refresh",
        "/todo/_count",
        "/todo-000001/_mapping",
        *["/todo/_update_by_query"] * 2,
    ]
    assert client.sent[3].json == {"properties": {"done": {"type": "boolean"}}}
    assert client.sent[4].json["script"]["params"] == {"values": {"done": False}, "reindex": False}


def test_an_empty_index_takes_any_new_field() -> None:
    backend, client = stubbed(shown(Todo, number=None), {}, {"count": 0}, {})
    backend.initialize(Todo)
    assert client.sent[-1].json == {"properties": {"number": {"type": "long"}}}
    backend, _ = stubbed(shown(Todo, number=None), {}, {"count": 1})
    with pytest.raises(SchemaError, match="'number' is new"):
        backend.initialize(Todo)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (shown(Todo, number={"type": "keyword"}), "'number' is mapped as type keyword, the model needs type long"),
        ({**shown(Todo), **shown(Article)}, "points to article-000001, todo-000001"),
        ({"todo": next(iter(shown(Todo).values()))}, "must be an alias"),
        ({"todo-000001": next(iter(shown(Article).values()))}, "holds 'Article'"),
        ({"todo-000001": {"mappings": {}}}, "not made by mixstore"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(found: Any, problem: str) -> None:
    backend, client = stubbed(found)
    with pytest.raises(SchemaError, match=problem) as caught:
        backend.initialize(Todo)
    assert caught.value.hint
    assert len(client.sent) == 1
