"""What OpenSearch itself shows of an index, compared with the model: every difference, and a plan that mends it."""

from __future__ import annotations

from typing import Any

import pytest

from mixstore import Drift, Field, SchemaError
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_backends.opensearch.reindexing import Reindex
from mixstore_extensions import Analyzed
from tests.engines.test_opensearch_reindex import backend, of_form

__all__ = ["backend"]


def found(backend: OpenSearchBackend, model: type[Any]) -> dict[str, Drift]:
    told = {one.what.replace(backend.prefix, ""): one for one in backend.drift(model)}
    assert all(one.models == (model,) for one in told.values())
    return told


def test_an_index_as_declared_has_none(backend: OpenSearchBackend) -> None:
    model = of_form(backend, n=(int | None, None), text=(str, Field("", searchable=True)), price=(float, 0.0))
    backend.settings["refresh_interval"] = "5s"
    backend.initialize(model)
    model.create(id="a")
    assert backend.drift(model) == []


def test_what_initialize_makes_is_told_and_then_made(backend: OpenSearchBackend) -> None:
    first = of_form(backend, n=(int, 0))
    (missing,) = found(backend, first).values()
    assert (missing.real, missing.plan) == ("-", "initialize() makes it")
    backend.initialize(first)
    backend.refresh(first)
    second = of_form(backend, n=(int | None, None), more=(bool, False))
    backend.settings["refresh_interval"] = "7s"
    backend.settings["number_of_shards"] = 2
    told = found(backend, second)
    assert told.keys() == {
        "field more of index reindexed",
        "sub-fields of n of index reindexed",
        "setting refresh_interval of index reindexed",
    }
    assert told["field more of index reindexed"].declared == "type boolean"
    assert told["setting refresh_interval of index reindexed"].declared == "7s"
    assert {one.plan.split()[0] for one in told.values()} == {"initialize()"}
    backend.initialize(second)
    assert backend.drift(second) == []


def test_what_only_another_index_can_have_is_told_with_the_command_and_mended_by_it(backend: OpenSearchBackend) -> None:
    first = of_form(backend, n=(str, "0"), old=(int, 0))
    backend.initialize(first)
    first.create(id="a")
    backend.refresh(first)
    second = of_form(backend, n=(int, 0), text=(str, Field("", searchable=True)))
    backend.settings["number_of_shards"] = 1
    told = found(backend, second)
    n = told["field n of index reindexed"]
    assert (n.declared, n.real) == ("type long", "type keyword")
    assert n.plan.startswith("mixstore reindex tests.engines.test_opensearch_reindex.Reindexed makes it anew")
    old = told["field old of index reindexed"]
    assert (old.declared, old.real) == ("-", "type long")
    assert told["setting number_of_shards of index reindexed"].real == "2"
    assert told["analyzer mixstore_words of index reindexed"].real == "-"
    assert "initialize() adds it" in told["field text of index reindexed"].plan
    backend.reindex(second, keep=False)
    assert backend.drift(second) == []
    third = of_form(backend, n=(int, 0), text=(str, Field("", searchable=True)), need=(int, ...))
    assert "constant default" in found(backend, third)["field need of index reindexed"].plan


def test_an_alias_of_nothing_an_index_of_others_and_half_a_copy(backend: OpenSearchBackend) -> None:
    model = of_form(backend, n=(int, 0))
    backend.initialize(model)
    name, ask = f"{backend.prefix}reindexed", backend.client.transport.perform_request
    ask("DELETE", f"/{name}-000001/_alias/{name}-000001.only")
    own = found(backend, model)["alias reindexed-000001.only"]
    assert own.plan == "initialize() adds it"
    backend.initialize(model)
    assert backend.drift(model) == []

    def stop(what: str, done: int, total: int | None) -> None:
        if what == "writers wait":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend.execute(Reindex(backend.bound(model).native, backend.settings, keep=True, change=None, told=stop))
    half = found(backend, model)["index reindexed-000002"]
    assert half.real == "the copy of a reindexing that has not ended"
    assert backend.abandon_reindex(model)

    ask("DELETE", f"/{name}-000001/_alias/{name}")
    lost = found(backend, model)["alias reindexed"]
    assert lost.real == f"-, though there is {name}-000001"
    assert f'"index": "{name}-000001", "alias": "{name}"' in lost.plan
    ask("DELETE", f"/{name}-000001")
    ask("PUT", f"/{name}", body="{}")
    other = found(backend, model)["index reindexed"]
    assert "must be an alias" in other.real


def test_rules_for_words_of_another_unicode_are_told_and_searches_go_on(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mixstore_backends.opensearch import analysis

    rules = analysis._foldings()
    monkeypatch.setattr(analysis, "_foldings", lambda: rules[:-1])
    model = of_form(backend, text=(str, Field("", searchable=True)))
    backend.initialize(model)
    monkeypatch.undo()
    model = of_form(backend, text=(str, Field("", searchable=True)))
    backend.initialize(model)
    (told,) = found(backend, model).values()
    assert told.what.endswith("char_filter mixstore_words of index " + f"{backend.prefix}reindexed")
    assert told.plan.startswith("searches go on with what is there; mixstore reindex")


def test_drift_asks_and_never_writes(backend: OpenSearchBackend) -> None:
    sent: list[str] = []
    ask = backend.client.transport.perform_request

    class Listening:
        def perform_request(self, method: str, url: str, **options: Any) -> Any:
            sent.append(method)
            return ask(method, url, **options)

    model = of_form(backend, n=(int, 0))
    backend.initialize(model)
    backend.client, client = type("Client", (), {"transport": Listening()})(), backend.client
    try:
        backend.drift(of_form(backend, n=(str, ""), m=(int, 0)))
    finally:
        backend.client = client
    assert set(sent) <= {"GET", "POST"}
    assert len(sent) == 3


def test_an_analyzer_finds_forms_of_a_word_and_another_one_is_another_index(backend: OpenSearchBackend) -> None:
    def essay(analyzer: str | None) -> Any:
        told = {} if analyzer is None else {"analyzer": analyzer}
        title = (str, Field("", searchable=True, **told))
        return of_form(backend, (Analyzed,), title=title, body=(str, Field("", searchable=True)))

    first = essay(None)
    backend.initialize(first)
    first.create(id="a", title="Running in the web", body="Python")
    assert first.search("run").count() == 0
    second = essay("english")
    assert "reindex" in found(backend, second)["field title of index reindexed"].plan
    with pytest.raises(SchemaError, match="'title' is mapped as analyzer mixstore_words, type text"):
        backend.initialize(second)
    backend.reindex(second)
    assert second.search("runs").count() == 1
    assert second.search("the run").count() == 1, "a word that the analyzer leaves out asks for nothing"
    assert second.search("runs python").count() == 1, "words may be in different fields"
    assert second.search("runs java").count() == 0
    assert second.where(title="Running in the web").count() == 1, "a comparison is as ever"
    assert backend.drift(second) == []
