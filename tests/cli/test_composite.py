"""`mixstore relay` and `mixstore verify`, as an operator runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = """
from mixstore import Field, Model


class Article(Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)


class Other(Model):
    class Meta:
        backend = "storage"

    id: str = Field(primary_key=True)
"""
CONFIG = """
[backends.storage]
url = "sqlite:///storage.db"

[backends.words]
url = "sqlite:///words.db"

[backends.default]
url = "composite://?storage=storage&search=words"
"""
WRITE = "from app import Article; Article.batch_create([{'id': f'a{n}', 'title': 'word'} for n in range(10)])"


@pytest.fixture
def folder(tmp_path):
    """An application with ten articles that wait for a relay."""
    (tmp_path / "app.py").write_text(MODELS)
    (tmp_path / "mixstore.toml").write_text(CONFIG)
    assert mixstore(tmp_path, "init", "app").returncode == 0
    subprocess.run([sys.executable, "-c", WRITE], cwd=tmp_path, check=True)
    return tmp_path


def mixstore(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """A command of mixstore in the folder of the application."""
    command = [sys.executable, "-m", "mixstore", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_once_does_what_is_due_and_tells_numbers(folder):
    done = mixstore(folder, "relay", "app", "--once")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["applied"], told["failed"], told["waiting"], told["given_up"]) == (10, 0, 0, 0)
    assert told["backend"] == "composite (default)"
    assert json.loads(mixstore(folder, "relay", "app", "--once").stdout)["applied"] == 0


def test_a_relay_ends_on_sigterm_and_tells_what_it_did(folder):
    command = [sys.executable, "-m", "mixstore", "relay", "app", "--every", "1"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment) as process:
        while json.loads(process.stdout.readline())["waiting"]:
            pass
        process.send_signal(signal.SIGTERM)
        last = process.stdout.read().splitlines()[-1]
        assert process.wait(timeout=60) == 0
    assert json.loads(last)["applied"] == 10


def test_verify_finds_what_is_missing_and_repairs_it(folder):
    mixstore(folder, "relay", "app", "--once")
    assert mixstore(folder, "verify", "app.Article").returncode == 0
    (folder / "words.db").unlink()
    assert mixstore(folder, "init", "app").returncode == 0
    found = mixstore(folder, "verify", "app.Article")
    assert found.returncode == 1
    assert "10 missing, 0 stale, 0 only in the search side; 0 repaired" in found.stdout
    assert "missing: 'a0'" in found.stdout
    assert mixstore(folder, "verify", "app.Article", "--key", "a3", "--repair").returncode == 0
    told = json.loads(mixstore(folder, "verify", "app.Article", "--repair", "--json").stdout)
    assert (told["rows"], told["missing"], told["repaired"]) == (10, 9, 9)
    assert mixstore(folder, "verify", "app.Article").returncode == 0


def test_reindex_copies_all_again(folder):
    done = mixstore(folder, "reindex", "app.Article")
    assert done.returncode == 0, done.stderr
    assert "done, 10 rows" in done.stdout
    assert json.loads(mixstore(folder, "verify", "app.Article", "--json").stdout)["missing"] == 0


def test_what_is_no_composite_is_refused_with_what_is(folder):
    refused = mixstore(folder, "verify", "app.Artcle")
    assert refused.returncode != 0
    assert "no model 'app.Artcle' is bound to a composite" in refused.stdout + refused.stderr
    assert "app.Article" in refused.stdout + refused.stderr
    assert mixstore(folder, "verify", "app.Other").returncode != 0
    assert mixstore(folder, "relay", "app", "--backend", "other", "--once").returncode == 1
    assert mixstore(folder, "verify", "app.Article", "--key", "a", "--sample", "3").returncode == 2
