"""`mixstore check --live`: what in the stores is not as the models declare it."""

from __future__ import annotations

import json
import sqlite3
from textwrap import dedent

import pytest

MODELS = """
    from mixstore import GSI, Field, Model

    class Note(Model):
        class Meta:
            indexes = [GSI("by_kind", partition="{kind}")]

        id: str = Field(primary_key=True)
        kind: str = ""
        stars: int = Field(0, index=True)

    class Tag(Model):
        class Meta:
            backend = "other"

        id: str = Field(primary_key=True)
"""
CONFIG = """
    [backends.default]
    url = "sqlite:///notes.db"

    [backends.other]
    url = "memory://"
"""


@pytest.fixture
def shop(write):
    write("shop/__init__.py", "")
    write("shop/models.py", MODELS)
    write("mixstore.toml", CONFIG)


pytestmark = pytest.mark.usefixtures("shop")


def test_a_store_as_declared_has_no_difference(run):
    assert run("init", "shop.models").exit_code == 0
    done = run("check", "--live", "shop.models")
    assert "2 models bound, 0 mistakes, 0 differences" in done.stdout
    assert done.exit_code == 0


def test_a_difference_is_told_with_a_plan_and_nothing_is_written(run, tmp_path):
    done = run("check", "--live", "shop.models")
    assert done.exit_code == 1
    assert "shop.models.Note on sqlite (default)" in done.stdout
    assert "table Note" in done.stdout
    assert "plan:     initialize() makes it" in done.stdout
    assert "2 models bound, 0 mistakes, 1 difference" in done.stdout
    assert not (tmp_path / "notes.db").exists()


def test_differences_are_told_model_by_model(run, tmp_path):
    run("init", "shop.models")
    with sqlite3.connect(tmp_path / "notes.db") as connection:
        connection.execute('ALTER TABLE "Note" ADD COLUMN old TEXT')
        connection.execute('DROP INDEX "ix_Note.stars"')
    connection.close()
    done = run("check", "--live", "shop.models")
    assert done.exit_code == 1
    live = done.stdout[done.stdout.rindex("shop.models.Note on sqlite (default)") :]
    assert live.index("column old of table Note") < live.index("index ix_Note.stars of table Note")
    assert "2 differences" in live


def test_as_json_it_is_an_object(run):
    run("init", "shop.models")
    told = json.loads(run("check", "--live", "--json", "shop.models").stdout)
    assert told["drift"] == []
    assert "drift" not in json.loads(run("check", "--json", "shop.models").stdout)


def test_as_json_a_difference_fails_too(run):
    done = run("check", "--live", "--json", "shop.models")
    assert done.exit_code == 1
    (one,) = json.loads(done.stdout)["drift"]
    assert one.pop("declared").startswith("id TEXT")
    assert one == {
        "models": ["shop.models.Note"],
        "backend": "sqlite (default)",
        "what": "table Note",
        "real": "-",
        "plan": "initialize() makes it",
    }


def test_a_store_that_does_not_answer_is_a_mistake(run, tmp_path):
    (tmp_path / "notes.db").write_bytes(b"this is no database, whatever its name says" * 40)
    done = run("check", "--live", "shop.models")
    assert done.exit_code == 1
    assert "sqlite (default)" in done.stdout
    assert "1 mistake, 0 differences" in done.stdout
    told = json.loads(run("check", "--live", "--json", "shop.models").stdout)
    assert [one["where"] for one in told["mistakes"]] == ["sqlite (default)"]


def test_without_live_no_store_is_asked(run, tmp_path):
    (tmp_path / "notes.db").write_bytes(b"this is no database, whatever its name says" * 40)
    assert run("check", "shop.models").exit_code == 0


def test_init_shows_what_a_backend_tells_while_it_works(run, write):
    write(
        "shop/slow.py",
        dedent(
            """
            import logging

            from mixstore import Field, Model
            from mixstore_backends.memory import InMemoryBackend

            class Slow(InMemoryBackend):
                def initialize_bound(self, bounds):
                    logging.getLogger("mixstore").info("table %s: making index 1 of 2", bounds[0].schema.name)

            class Row(Model):
                class Meta:
                    backend = Slow()

                id: str = Field(primary_key=True)
            """
        ),
    )
    done = run("init", "shop.slow")
    assert done.exit_code == 0
    assert "   table Row: making index 1 of 2\n" in done.stdout
    assert done.stdout.count("making index") == 1
