"""`mixstore reindex`: which backend is asked, and what is told of it. tests/engines has the engines' own."""

from __future__ import annotations

import pytest

MODELS = """
    from mixstore import Field, Model
    from mixstore_backends.memory import InMemoryBackend


    class Searching(InMemoryBackend):
        asked = []

        def reindex(self, model_class, /, *, keep=None, told):
            self.asked.append((model_class.__name__, keep))
            told("copying", 0, 3)
            told("copying", 3, 3)
            told("writers wait", 0, None)
            return 3


    class Article(Model):
        class Meta:
            backend = Searching()

        id: str = Field(primary_key=True)


    class Tag(Model):
        id: str = Field(primary_key=True)
"""


@pytest.fixture(autouse=True)
def shop(write):
    write("shop/__init__.py", "")
    write("shop/models.py", MODELS)
    write("mixstore.toml", '[backends.default]\nurl = "sqlite:///notes.db"\n')


def test_the_backend_of_the_model_does_it_and_each_step_is_told_once(run):
    done = run("reindex", "shop.models.Article")
    assert done.stdout.splitlines() == [
        "shop.models.Article on memory",
        "   copying",
        "   writers wait",
        "   done, 3 rows",
    ]
    assert done.exit_code == 0


@pytest.mark.parametrize(("option", "keep"), [((), None), (("--keep",), True), (("--drop",), False)])
def test_what_becomes_of_the_old_one_is_the_backends_unless_it_is_said(run, option, keep):
    import sys

    run("reindex", "shop.models.Article", *option)
    assert sys.modules["shop.models"].Searching.asked == [("Article", keep)]


def test_a_backend_that_has_nothing_to_make_anew_says_so(run):
    done = run("reindex", "shop.models.Tag")
    assert "sqlite keeps nothing beside the rows that could be made anew" in done.stderr
    assert done.exit_code == 1


def test_a_mistyped_model_gets_the_nearest(run):
    done = run("reindex", "shop.models.Artikel")
    assert "there is no model 'shop.models.Artikel'" in done.stderr
    assert "did you mean 'shop.models.Article'?" in done.stderr
    assert done.exit_code == 1
    assert "names no module" in run("reindex", "Article").stderr


def test_a_module_that_can_not_be_imported_is_told(run):
    done = run("reindex", "shop.modles.Article")
    assert "there is no module 'shop.modles'" in done.stdout
    assert done.exit_code == 1
