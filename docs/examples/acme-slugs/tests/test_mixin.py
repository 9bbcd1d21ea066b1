"""The conformance kit on every backend that comes with mixstore, and what is special to this mixin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mixstore
import pytest
from mixstore import Backend, Field, Model, SchemaError, connect

from acme_slugs import Slugged, testing

README = Path(__file__).resolve().parent.parent / "README.md"


class TestSlugged(testing.SluggedConformance): ...


def test_a_slug_that_is_given_is_kept(mixstore_backend: Backend) -> None:
    assert testing.Article.create(id="a1", title="One", slug="mine").slug == "mine"


def test_the_config_sets_its_options() -> None:
    options = {"slugged": {"separator": "_", "longest": 6}}
    with mixstore.registry():
        mixstore.configure(backends={"default": {"url": "memory://", "extensions": {"options": options}}})
        assert testing.Article.create(id="a1", title="Crème brûlée!").slug == "creme"


@pytest.mark.parametrize(("url", "length"), [("memory://", 2000), ("sqlite://", 1000)])
def test_sqlite_gets_no_longer_slug_than_its_index_takes(mixstore_backend: Backend, url: str, length: int) -> None:
    with connect(url) as backend:
        backend.initialize(testing.Article)
        assert len(backend.create(testing.Article, {"id": "a1", "title": "x" * 2000})["slug"]) == length


def test_a_field_that_is_not_there_is_refused_with_the_nearest(mixstore_backend: Backend) -> None:
    class Typo(Slugged, Model):
        class Meta:
            slug_from = "tittle"

        id: str = Field(primary_key=True)
        title: str

    with pytest.raises(SchemaError, match="did you mean 'title'"):
        Typo.count()


def test_the_lookup_is_there_where_the_package_is_installed(mixstore_backend: Backend) -> None:
    testing.Article.create(id="a1", title="Crème brûlée!", slug="mine")
    assert testing.Article.where(title__slugged="creme-brulee").count() == 1


def test_the_readme_runs(tmp_path: Path) -> None:
    blocks = README.read_text(encoding="utf-8").split("```python\n")[1:]
    program = "".join(block.partition("```")[0] for block in blocks)
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True)
