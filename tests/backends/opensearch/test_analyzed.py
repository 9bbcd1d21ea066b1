"""Analyzers and settings that a model declares: how they get into the index, and what is refused, when."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import create_model

from mixstore import Field, Model, SchemaError
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import Analyzed
from tests.backends.opensearch.stub import stubbed

GERMAN = {"type": "custom", "tokenizer": "standard", "filter": ["lowercase"]}


class Essay(Analyzed, Model):
    class Meta:
        opensearch = {"settings": {"number_of_shards": 3}, "analysis": {"analyzer": {"own_german": GERMAN}}}

    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True, analyzer="english")
    body: str = Field("", searchable=True, analyzer="own_german")
    tags: str = Field("", searchable=True)


def of(meta: dict[str, Any] | None = None, **options: Any) -> type[Any]:
    fields: dict[str, Any] = {"id": (str, Field(primary_key=True)), "text": (str, Field("", **options))}

    class Base(Analyzed, Model):
        class Meta:
            abstract = True
            opensearch = meta or {}

    return create_model("Made", __base__=Base, **fields)


def test_the_index_is_made_of_what_is_declared_and_of_what_mixstore_needs() -> None:
    absent = {"error": {"type": "index_not_found_exception"}, "status": 404}
    backend, client = stubbed(absent, {}, settings={"number_of_shards": 1, "number_of_replicas": 0})
    backend.initialize(Essay)
    made = client.sent[1].json
    assert (made["settings"]["number_of_shards"], made["settings"]["number_of_replicas"]) == (3, 0)
    assert made["settings"]["analysis"]["analyzer"]["own_german"] == GERMAN
    assert "mixstore_words" in made["settings"]["analysis"]["analyzer"]
    properties = made["mappings"]["properties"]
    assert [properties[name]["analyzer"] for name in ("title", "body", "tags")] == [
        "english",
        "own_german",
        "mixstore_words",
    ]
    assert properties["title"]["fields"]["keyword"], "to compare, a text is as ever"


def test_each_word_is_sought_by_the_analyzer_of_each_field_and_explain_says_so() -> None:
    backend, _ = stubbed()
    told = backend.query(Essay).search("Web pages").explain()
    assert told.notes == (
        "'title' is searched by its own analyzer, english",
        "'body' is searched by its own analyzer, own_german",
    )
    must = told.request["body"]["query"]["bool"]["must"][0]["bool"]["must"]
    assert [one["multi_match"]["query"] for one in must] == ["web", "pages"]
    assert backend.query(Essay).search("web", fields=["tags"]).explain().notes == ()


def test_elsewhere_it_is_inactive_and_the_model_works() -> None:
    backend = InMemoryBackend()
    backend.create(Essay, {"id": "a", "title": "Running"})
    Essay.bind(backend)
    (entry,) = [one for one in Essay.extensions() if one.name == "analyzed"]
    assert entry.state == "inactive"
    assert Essay.search("running").count() == 1
    assert Essay.search("runs").count() == 0
    Essay.bind(None)


@pytest.mark.parametrize(
    ("options", "meta", "problem"),
    [
        ({"searchable": True, "analyzer": "englisch"}, None, "no analyzer 'englisch'.*did you mean 'english'"),
        ({"analyzer": "english"}, None, r"Made\.text: an analyzer is for a text that is searched"),
        ({}, {"analysis": {"filter": {"mixstore_x": {"type": "stop"}}}}, "begins as those of mixstore"),
        ({}, {"settings": {"index.analysis": {}}}, "the analysis among the settings"),
    ],
)
def test_what_the_engine_would_refuse_is_refused_when_the_model_is_bound(options: Any, meta: Any, problem: str) -> None:
    backend, client = stubbed()
    with pytest.raises(SchemaError, match=f"(?s){problem}"):
        backend.bound(of(meta, **options))
    assert client.sent == []


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ({"setings": {}}, r"Base\.Meta\.opensearch has no part 'setings'.*did you mean 'settings'"),
        ({"analysis": {"analyser": {}}}, "has no part 'analyser'.*did you mean 'analyzer'"),
        ({"analysis": {"filter": {"x": "stop"}}}, "must be a dict of names and dicts"),
        ({"settings": 3}, "must be a dict, not int"),
    ],
)
def test_a_mistake_in_meta_is_an_error_of_the_class_statement(meta: Any, problem: str) -> None:
    with pytest.raises(SchemaError, match=f"(?s){problem}"):
        of(meta)
