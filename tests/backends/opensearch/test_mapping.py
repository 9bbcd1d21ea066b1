"""What becomes of a model: its mapping, the names of its index and documents. Nothing here asks a server."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from mixstore import ConfigurationError, Field, Model, Q, SchemaError, ValidationError
from mixstore.lookups import resolve
from mixstore.words import words
from mixstore_backends.opensearch.analysis import KEPT, MORE, clipped, settings
from mixstore_backends.opensearch.layout import safe_id
from tests.backends.opensearch.models import Article, Todo
from tests.backends.opensearch.stub import stubbed

BACKEND, _ = stubbed(prefix="app-")
RANK = {"rank": {"type": "keyword", "normalizer": "mixstore_rank"}}


def properties(model: type[Model] = Article) -> dict[str, Any]:
    return BACKEND.bound(model).native.mapping["properties"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("id", {"type": "keyword"}),
        ("stars", {"type": "long"}),
        ("votes", {"type": "long", "fields": RANK}),
        ("score", {"type": "double", "ignore_malformed": True, "fields": RANK}),
        ("price", {"type": "double", "ignore_malformed": True, "fields": {"exact": {"type": "keyword"}}}),
        (
            "at",
            {
                "type": "date",
                "format": "strict_date_optional_time_nanos",
                "fields": {"exact": {"type": "keyword"}},
            },
        ),
        ("day", {"type": "date", "format": "strict_date"}),
        ("open", {"type": "boolean"}),
        ("colour", {"type": "keyword"}),
        ("uuid", {"type": "keyword"}),
        ("ip", {"type": "ip"}),
        ("ip6", {"type": "keyword"}),
        ("raw", {"type": "keyword", "normalizer": "mixstore_bytes"}),
        ("tags", {"type": "keyword"}),
        ("free", {"type": "object", "enabled": False}),
    ],
)
def test_each_type_is_mapped_so_that_it_compares_exactly(field: str, expected: dict[str, Any]) -> None:
    assert properties()[field] == expected


def test_a_searchable_text_has_its_words_and_a_keyword_to_compare() -> None:
    assert properties()["title"] == {
        "type": "text",
        "analyzer": "mixstore_words",
        "fields": {"keyword": {"type": "keyword", "normalizer": "mixstore_clip"}},
    }


def test_models_are_objects_and_lists_of_them_are_nested() -> None:
    inner = {"city": {"type": "keyword"}, "floor": {"type": "long", "fields": RANK}}
    assert properties()["home"] == {"type": "object", "dynamic": "strict", "properties": inner}
    assert properties()["homes"] == {"type": "nested", "dynamic": "strict", "properties": inner}


def test_a_model_that_contains_itself_is_mapped_once() -> None:
    class Tree(BaseModel):
        value: int
        left: Tree | None = None

    Tree.model_rebuild(_types_namespace={"Tree": Tree})
    model: Any = create_model("Holder", __base__=Model, id=(int, Field(primary_key=True)), tree=(Tree | None, None))
    assert properties(model)["tree"]["properties"]["left"] == {"type": "object", "enabled": False}


def test_a_mapping_is_strict_and_knows_its_entity() -> None:
    mapping = BACKEND.bound(Todo).native.mapping
    assert mapping["dynamic"] == "strict"
    assert mapping["_meta"] == {"mixstore": {"entity": "Todo", "format": 1}}
    assert mapping["properties"]["_pk"] == mapping["properties"]["_sk"] == {"type": "keyword"}


def test_an_index_is_called_by_prefix_and_entity_in_lower_case() -> None:
    assert BACKEND.bound(Article).native.path == "/app-article"


@pytest.mark.parametrize("entity", ["a b", "a*", "a,b", "a#b", "a:b", "a/b", 'a"b', "x" * 300])
def test_an_entity_that_can_not_name_an_index_is_refused_when_it_is_bound(entity: str) -> None:
    name = entity

    class Odd(Model):
        class Meta:
            entity = name

        id: int = Field(primary_key=True)

    with pytest.raises(SchemaError, match="name of an index"):
        BACKEND.bound(Odd)


def test_entities_that_differ_in_case_only_are_refused() -> None:
    backend, _ = stubbed()

    class Page(Model):
        id: int = Field(primary_key=True)

    class PAGE(Model):
        id: int = Field(primary_key=True)

    backend.bound(Page)
    with pytest.raises(ConfigurationError, match="differ in case only"):
        backend.bound(PAGE)


def test_a_model_that_may_hold_anything_is_not_indexed() -> None:
    class Open(BaseModel, extra="allow"):
        city: str

    model: Any = create_model("Holding", __base__=Model, id=(int, Field(primary_key=True)), home=(Open | None, None))
    assert properties(model)["home"] == {"type": "object", "enabled": False}
    for asked in (Q(home=None), Q(home__city="x"), Q(home__isnull=False)):
        bound = BACKEND.bound(model)
        found = bound.native.compiler.where(resolve(bound.schema, asked))
        assert (found.filters, found.residual is None) == ([], False)


def test_the_words_of_an_address_are_beside_it() -> None:
    field = (IPv4Address, Field(searchable=True))
    model: Any = create_model("Worded", __base__=Model, id=(int, Field(primary_key=True)), ip=field)
    assert properties(model)["ip"] == {
        "type": "ip",
        "fields": {"words": {"type": "text", "analyzer": "mixstore_words"}},
    }
    assert BACKEND.bound(model).native.words_of("ip") == "ip.words"
    assert BACKEND.bound(Article).native.words_of("title") == "title"


@pytest.mark.parametrize("text", ["a", "a/b c", "é", "x" * 512])
def test_a_key_that_can_be_an_id_is_one(text: str) -> None:
    assert safe_id(text) == text


@pytest.mark.parametrize("text", ["", ".", "..", "#x", "x" * 513, "é" * 300])
def test_a_key_that_can_not_be_an_id_is_hashed(text: str) -> None:
    made = safe_id(text)
    assert made.startswith("#")
    assert len(made) == 65
    assert safe_id(made) != made, "a key that looks like a hash is hashed too"


def test_the_parts_of_a_key_do_not_run_into_each_other() -> None:
    class Pair(Model):
        a: str = Field(primary_key=True)
        b: str = Field(primary_key=True)

    id_of = BACKEND.bound(Pair).native.id_of
    assert len({id_of(key) for key in [("x|y", "z"), ("x", "y|z"), ("x%7Cy", "z")]}) == 3


def test_a_text_longer_than_a_term_is_refused_by_name_unless_it_is_searchable() -> None:
    adapter = BACKEND.adapter
    with pytest.raises(ValidationError, match="searchable=True") as caught:
        adapter.model_to_storage(
            Article(id="a", tags=[], colour=None, title="t", free={}).model_copy(update={"id": "é" * 20_000})
        )
    assert caught.value.field == "id"
    assert adapter.model_to_storage(Article(id="a", title="é" * 50_000))["title"] == "é" * 50_000


def test_a_long_text_is_compared_by_its_first_characters() -> None:
    assert clipped("x" * KEPT) == "x" * KEPT
    assert clipped("x" * (KEPT + 1)) == "x" * KEPT + MORE
    assert len(clipped("𝔘" * 9000).encode()) < 32_766


def test_the_rules_for_words_fold_as_the_reference_does() -> None:
    rules = dict(rule.split(" => ") for rule in settings(True)["char_filter"]["mixstore_words"]["mappings"])
    unescaped = {
        bytes.fromhex(sign.replace("\\u", "")).decode("utf-16-be"): bytes.fromhex(to.replace("\\u", "")).decode(
            "utf-16-be"
        )
        for sign, to in rules.items()
    }
    for text in ["Zürich", "ΣΊΣΥΦΟΣ", "МОСКВА", "ﬁ ß ẞ İ ſ", "e\u0301", "Ｗｉｄｅ", "𐐀 deseret"]:
        assert "".join(unescaped.get(one, one) for one in text).split() == words(text)


def test_only_what_is_searched_carries_the_rules_for_words() -> None:
    assert "analyzer" not in settings(False)
    assert "analyzer" not in BACKEND.bound(Todo).native.analysis
    assert "mixstore_words" in BACKEND.bound(Article).native.analysis["analyzer"]
