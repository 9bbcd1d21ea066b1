"""`mixstore relay` where the storage's stream is followed: DynamoDB's protocol over HTTP, another process each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from uuid import uuid4

import pytest

from tests.backends.dynamodb.servers import moto

MODELS = """
from mixstore import Field, Model


class Article(Model):
    id: str = Field(primary_key=True)
    title: str = Field("", searchable=True)
"""
CONFIG = """
[backends.storage]
url = "dynamodb://{table}?region=eu-west-1&endpoint={endpoint}&stream=NEW_AND_OLD_IMAGES"

[backends.words]
url = "sqlite:///words.db"

[backends.default]
url = "composite://?storage=storage&search=words&follow=stream"
"""
WRITE = "from app import Article; Article.batch_create([{'id': f'a{n}', 'title': 'word'} for n in range(10)])"
GONE = """
from datetime import datetime, timezone
from app import Article
from mixstore.binding import backend_of
from mixstore_backends.composite.marks import Checkpoint

backend = backend_of(Article)
gone = {"feed": backend.storage.table_name, "shard": "gone", "stream": "former", "at": datetime.now(timezone.utc)}
backend.create(Checkpoint, gone)
"""


@pytest.fixture
def run(tmp_path):
    """`run(*arguments)`: python in the folder of an application with ten articles that are not copied yet."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}

    def python(*arguments):
        command = [sys.executable, *arguments]
        environment = {**os.environ, **keys}
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=environment
        )

    with moto() as address:
        (tmp_path / "app.py").write_text(MODELS)
        (tmp_path / "mixstore.toml").write_text(CONFIG.format(endpoint=address, table=f"app-{uuid4().hex}"))
        for done in (python("-m", "mixstore", "init", "app"), python("-c", WRITE)):
            assert done.returncode == 0, done.stderr
        yield python


def test_a_relay_copies_what_the_stream_tells(run):
    done = run("-m", "mixstore", "relay", "app", "--once")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["applied"], told["failed"], told["waiting"], told["lost"]) == (10, 0, 0, [])
    assert json.loads(run("-m", "mixstore", "relay", "app", "--once").stdout)["applied"] == 0
    assert run("-m", "mixstore", "verify", "app.Article").returncode == 0


def test_a_gap_makes_the_command_fail_until_the_model_is_reindexed(run):
    assert run("-m", "mixstore", "relay", "app", "--once").returncode == 0
    done = run("-c", GONE)
    assert done.returncode == 0, done.stderr
    done = run("-m", "mixstore", "relay", "app", "--once")
    assert (done.returncode, json.loads(done.stdout)["lost"]) == (1, ["Article"])
    assert "changes of Article may be lost" in done.stderr
    assert run("-m", "mixstore", "reindex", "app.Article").returncode == 0
    done = run("-m", "mixstore", "relay", "app", "--once")
    assert (done.returncode, json.loads(done.stdout)["lost"]) == (0, [])
