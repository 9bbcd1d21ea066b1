"""`mixstore copy`, `mixstore export` and `mixstore import`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from mixstore.cli.app import build

MODELS = """
    from mixstore import Field, Model
    from mixstore_extensions import SoftDelete

    class User(SoftDelete, Model):
        id: int = Field(primary_key=True)
        email: str = Field(unique=True)

    class Order(Model):
        id: int = Field(primary_key=True)

    class Elsewhere(Model):
        class Meta:
            backend = "memory://"
        id: int = Field(primary_key=True)
    """
CONFIG = """
    [backends.default]
    url = "sqlite:///old.db"
    [backends.new]
    url = "sqlite:///new.db"
    [models]
    "shop.User" = "default"
    """


@pytest.fixture
def shop(write, run, fresh):
    """The application's module, and the command line with its models in a store."""
    write("shop.py", MODELS)
    write("mixstore.toml", CONFIG)
    assert run("init", "shop").exit_code == 0
    import shop

    shop.User.create(id=1, email="a")
    shop.User.create(id=2, email="b").delete()
    shop.Order.create(id=7)
    return shop


def rows(path, table):
    with sqlite3.connect(path) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()


def test_copy_moves_the_models_that_are_bound_to_the_source(shop, run, tmp_path):
    result = run("copy", "default", "new", "shop")
    assert result.exit_code == 0, result.output
    assert "User: 2 rows copied and compared: 2 new" in result.stdout
    assert "Order: 1 rows copied and compared: 1 new" in result.stdout
    assert "Elsewhere" not in result.stdout
    assert rows(tmp_path / "new.db", '"User"') == rows(tmp_path / "old.db", '"User"')
    assert "2 there already" in run("copy", "default", "new", "shop.User").stdout


def test_copy_without_a_model_moves_those_of_the_config(shop, run):
    result = run("copy", "default", "sqlite:///third.db")
    assert "User: 2 rows" in result.stdout
    assert "Order" not in result.stdout


def test_a_conflict_is_told_and_can_be_settled(shop, run, tmp_path):
    run("copy", "default", "new", "shop.User")
    shop.User.get(1).update(email="later")
    failed = run("copy", "default", "new", "shop.User")
    assert failed.exit_code == 1
    assert "User exists already" in failed.stderr
    assert "1 replaced" in run("copy", "default", "new", "shop.User", "--on-conflict", "replace").stdout
    assert run("copy", "default", "new", "shop.User", "--on-conflict", "replce").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("copy", "defalt", "new", "shop"), "default"),
        (("copy", "default", "new", "shop.Usr"), "did you mean 'shop.User'?"),
        (("copy", "default", "new", "nowhere.at.all"), "is no model and no module"),
        (("copy", "new", "default", "shop"), "there are no models to move"),
        (("copy", "default", "default", "shop"), "to itself"),
        (("export",), "name the models to export, or give --all"),
        (("export", "shop.User", "--all"), "name the models to export, or give --all"),
        (("export", "shop", "--backend", "nw"), "new"),
    ],
)
def test_what_is_wrong_is_one_message(shop, run, arguments, told):
    result = run(*arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "Traceback" not in result.output


def imported(text, *arguments):
    return CliRunner().invoke(build(), ("import", *arguments), input=text, prog_name="mixstore")


def test_what_export_writes_import_reads(shop, run, tmp_path):
    out = run("export", "--all")
    assert out.exit_code == 0, out.output
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    assert [line["values"]["id"] for line in lines] == [1, 2]
    run("copy", "default", "new", "shop.Order")
    result = imported(out.stdout, "shop", "--backend", "new")
    assert result.exit_code == 0, result.output
    assert "User: 2 rows imported: 2 new" in result.stdout
    assert rows(tmp_path / "new.db", '"User"') == rows(tmp_path / "old.db", '"User"')


def test_import_tells_the_line_that_is_wrong(shop):
    result = imported('{"entity": "Order", "values": {"id": 8}}\n{"entity": "Ordr", "values": {}}\n', "shop.Order")
    assert result.exit_code == 1
    assert "line 2: there is no model of the entity 'Ordr'" in result.stderr
    assert shop.Order.get(8) is not None


# -- a process that is killed


def test_a_copy_that_is_killed_goes_on_when_it_is_started_again(write, run, tmp_path):
    write("shop.py", MODELS)
    write("mixstore.toml", CONFIG)
    assert run("init", "shop").exit_code == 0
    import shop

    many = 20_000
    shop.Order.batch_create([{"id": number} for number in range(many)])
    command = (sys.executable, "-m", "mixstore", "copy", "default", "new", "shop.Order", "--checkpoint", "copy.json")
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (tmp_path / "copy.json").exists() and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(started.pid, signal.SIGKILL)
    started.communicate()
    assert started.returncode == -signal.SIGKILL
    there = len(rows(tmp_path / "new.db", '"Order"'))
    assert 0 < there < many
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    read = int(again.stdout.split()[1].replace(",", ""))
    assert read < many
    assert len(rows(tmp_path / "new.db", '"Order"')) == many
    assert not (tmp_path / "copy.json").exists()
