"""Whole models moved into OpenSearch, and out of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import DuplicateKeyError, Field, Model, Moved, copy, export_lines, import_lines, verify
from mixstore.pages import STREAM_PAGE
from mixstore.testing.kinds import KINDS, MODELS
from mixstore.testing.support import examples
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_extensions import SoftDelete, Timestamps, Versioned
from tests.engines.engines import Server
from tests.engines.opensearch_store import store


class Article(SoftDelete, Versioned, Timestamps, Model):
    id: int = Field(primary_key=True)
    title: str = Field("", searchable=True)


@pytest.fixture
def search(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    """A backend with indexes of its own."""
    with store(opensearch, prefix=f"m{abs(hash(request.node.name))}-") as made:
        yield made


@pytest.fixture
def source() -> Iterator[InMemoryBackend]:
    """Articles, of which one was changed and one deleted."""
    with InMemoryBackend() as made:
        Article.bind(made)
        Article.batch_create([{"id": n, "title": f"number {n}"} for n in range(STREAM_PAGE + 10)])
        Article.get(1).update(title="changed")
        Article.get(2).delete()
        yield made
        Article.bind(None)


def test_rows_are_the_same_in_opensearch_and_back_again(source, search):
    (moved,) = copy(Article, source, search)
    assert moved.stored == STREAM_PAGE + 10
    assert verify(Article, source, search).agrees
    assert search.query(Article).count() == STREAM_PAGE + 9
    assert search.query(Article).search("changed").one().version == 2
    with InMemoryBackend() as back:
        copy(Article, search, back)
        assert verify(Article, source, back).agrees


def test_conflicts_are_found_and_settled(source, search):
    copy(Article, source, search)
    Article.get(5).update(title="later")
    with pytest.raises(DuplicateKeyError) as caught:
        copy(Article, source, search)
    assert caught.value.key == 5
    (moved,) = copy(Article, source, search, on_conflict="replace")
    assert moved == Moved("Article", read=STREAM_PAGE + 10, same=STREAM_PAGE + 9, replaced=1)


def test_a_stopped_copy_out_of_opensearch_goes_on(source, search, tmp_path):
    copy(Article, source, search)
    file = tmp_path / "copy.json"

    def stop(moved):
        raise KeyboardInterrupt

    with InMemoryBackend() as back:
        with pytest.raises(KeyboardInterrupt):
            copy(Article, search, back, checkpoint=file, progress=stop)
        (moved,) = copy(Article, search, back, checkpoint=file)
        assert moved.read == moved.stored == 10


@pytest.mark.parametrize("kind", ["float", "decimal", "datetime", "bytes", "any", "model_of_everything", "wide_union"])
def test_values_go_through_a_file_into_opensearch(search, kind):
    model = MODELS[kind]
    values = []

    @examples(8)
    @given(st.lists(KINDS[kind].values, min_size=1, max_size=4))
    def collect(more):
        values.extend(more)

    collect()
    with InMemoryBackend() as plain:
        plain.batch_create(model, [{"id": number, "value": value} for number, value in enumerate(values)])
        import_lines(export_lines(model, backend=plain), model, backend=search)
        assert verify(model, plain, search).agrees
