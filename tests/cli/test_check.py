"""`mixstore check` and `mixstore init`."""

from __future__ import annotations

import sqlite3
from importlib.metadata import EntryPoint

import pytest

MODELS = """
    from mixstore import Field, Model
    from mixstore_extensions import TTL, Timestamps, Versioned

    class Session(TTL, Versioned, Model):
        id: str = Field(primary_key=True)

    class Note(Timestamps, Model):
        id: str = Field(primary_key=True)
        text: str = Field(searchable=True)
"""
CONFIG = """
    [backends.default]
    url = "memory://"
"""


@pytest.fixture
def shop(write):
    """A package with two good models, and a config for them."""
    write("shop/__init__.py", "")
    write("shop/models.py", MODELS)
    write("mixstore.toml", CONFIG)


pytestmark = pytest.mark.usefixtures("shop")


def test_every_model_is_bound_and_its_chain_is_shown(run):
    done = run("check", "shop.models")
    assert done.exit_code == 0
    assert "shop.models.Session on memory (default)" in done.stdout
    assert "shop.models.Note on memory (default)" in done.stdout
    session = done.stdout[done.stdout.index("Session") : done.stdout.index("Note")]
    assert session.index("ttl") < session.index("versioned")
    assert "2 models bound, 0 mistakes" in done.stdout


def test_all_mistakes_are_told_at_once(run, write):
    write(
        "shop/more.py",
        """
        from mixstore import Field, Model

        class Lost(Model):
            class Meta:
                backend = "defualt"
            id: str = Field(primary_key=True)

        class Complex(Model):
            id: str = Field(primary_key=True)
            number: complex
        """,
    )
    write("shop/broken.py", "\nimport no_such_library\n")
    done = run("check", "shop.models", "shop.more", "shop.broken", "shop/models.py", "shp")
    assert done.exit_code == 1
    assert "did you mean 'default'?" in done.stdout
    assert "Complex.number: complex can't be stored" in done.stdout
    assert "broken.py, line 2: ModuleNotFoundError: No module named 'no_such_library'" in done.stdout
    assert "name the module, not its file: shop.models" in done.stdout
    assert "there is no module 'shp'" in done.stdout
    assert "2 models bound, 5 mistakes" in done.stdout


def test_what_a_class_statement_gets_wrong_is_told_with_its_line(run, write):
    write("shop/wrong.py", "from mixstore import Model\n\nclass Wrong(Model):\n    class Meta:\n        entty = 'x'\n")
    done = run("check", "shop.wrong")
    assert done.exit_code == 1
    assert "wrong.py, line 3: Wrong.Meta.entty is not a Meta key" in done.stdout


def test_a_module_that_exits_is_only_a_mistake(run, write):
    write("shop/exits.py", "import sys\nsys.exit('not today')\n")
    done = run("check", "shop.exits")
    assert done.exit_code == 1
    assert "SystemExit: not today" in done.stdout


def test_the_models_of_the_config_are_checked_without_naming_their_module(run, write):
    write("mixstore.toml", CONFIG + '[models]\n"shop.models.Session" = "default"\n')
    assert "shop.models.Session on memory" in run("check").stdout


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("shop.models.Sesion", "shop.models has no 'Sesion', did you mean 'Session'?"),
        ("shop.model.Session", "shop has no 'model', did you mean 'models'?"),
        ("shp.models.Session", "there is no such module"),
        ("shop.models.Field", "this is not a Model"),
        ("shop.short.Session", "the model is defined as shop.models.Session: write that"),
    ],
)
def test_a_model_that_the_config_names_wrongly_is_a_mistake(run, write, path, told):
    write("shop/short.py", "from shop.models import Session\n")
    write("mixstore.toml", CONFIG + f'[models]\n"{path}" = "default"\n')
    done = run("check")
    assert done.exit_code == 1
    assert told in " ".join(done.stdout.split())


def test_a_backend_of_the_config_that_cannot_be_made_is_a_mistake(run, write):
    write("mixstore.toml", CONFIG + '[backends.events]\nurl = "memroy://"\n')
    done = run("check", "shop.models")
    assert done.exit_code == 1
    assert "backends.events.url" in done.stdout
    assert "did you mean 'memory'?" in done.stdout


def test_an_extension_that_no_one_has_is_a_mistake_with_the_nearest_name(run, write):
    write("mixstore.toml", CONFIG + 'extensions.disable = ["timestamp"]\n')
    done = run("check", "shop.models")
    assert done.exit_code == 1
    assert "there is no extension 'timestamp', did you mean 'timestamps'?" in done.stdout


def test_a_plugin_that_failed_is_a_mistake(run, points):
    points.append(EntryPoint("broken", "no_such_module", "mixstore"))
    done = run("check", "shop.models")
    assert done.exit_code == 1
    assert "plugin 'broken'" in done.stdout


def test_without_models_it_says_how_to_name_them(run):
    done = run("check")
    assert done.exit_code == 0
    assert "0 models bound" in done.stdout
    assert "mixstore check app.models" in done.stdout


def test_a_url_with_a_secret_is_not_shown(run, write):
    write("mixstore.toml", CONFIG + '[backends.events]\nurl = "secret://me:hush@host"\n')
    assert "hush" not in run("check", "shop.models").stdout


def test_init_makes_the_tables_of_all_models(run, write, tmp_path):
    write("mixstore.toml", '[backends.default]\nurl = "sqlite:///shop.db"\n')
    done = run("init", "shop.models")
    assert done.exit_code == 0, done.stdout
    assert "sqlite (default)" in done.stdout
    with sqlite3.connect(tmp_path / "shop.db") as database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    database.close()
    assert {"Note", "Session"} <= tables


def test_init_can_be_repeated(run, write):
    write("mixstore.toml", '[backends.default]\nurl = "sqlite:///shop.db"\n')
    assert [run("init", "shop.models").exit_code for _ in range(2)] == [0, 0]


def test_init_changes_nothing_when_a_check_fails(run, write, tmp_path):
    write("mixstore.toml", '[backends.default]\nurl = "sqlite:///shop.db"\n')
    done = run("init", "shop.models", "shp")
    assert done.exit_code == 1
    assert "Nothing was changed." in done.stdout
    assert not (tmp_path / "shop.db").exists()


def test_init_without_models_fails(run):
    assert run("init").exit_code == 1


def test_init_tells_which_store_refused(run, write, tmp_path):
    (tmp_path / "shop.db").write_text("this is no database, but a text that is long enough to be taken for none")
    write("mixstore.toml", '[backends.default]\nurl = "sqlite:///shop.db"\n')
    done = run("init", "shop.models")
    assert done.exit_code == 1
    assert "sqlite (default)" in done.stdout
    assert "ready" not in done.stdout
