"""The conformance kit on this backend, mixstore's own mixins on it, and what is special to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from mixstore import BackendUnavailableError, ConfigurationError, Field, Model, connect
from mixstore.testing import BackendConformance, Clock, Limits
from mixstore_extensions import TTL
from mixstore_extensions.testing import TimestampsConformance, TTLConformance, VersionedConformance

from acme_journal import JournalBackend

README = Path(__file__).resolve().parent.parent / "README.md"


class Session(TTL, Model):
    id: str = Field(primary_key=True)


def opened(folder: Path) -> JournalBackend:
    """A backend on a file in this folder."""
    url = f"journal:///{folder}/rows.jsonl"
    return JournalBackend.from_url(url)


class OnJournal:
    """What all of its tests need: a fixture, and the limits of the engine."""

    limits = Limits(rows=200)  # each row is a line that is synced to the disk

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[JournalBackend]:
        with opened(tmp_path) as backend:
            yield backend


class TestJournal(OnJournal, BackendConformance):
    gaps = {  # what it can't do, and why
        "test_tasks_that_add_lose_nothing": "ours to do: who loses five races hears of it, for some values",
    }


class TestTTL(OnJournal, TTLConformance): ...


class TestVersioned(OnJournal, VersionedConformance): ...


class TestTimestamps(OnJournal, TimestampsConformance): ...


def test_rows_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    with opened(tmp_path) as backend:
        backend.create(Session, {"id": "s1"})
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('[["Session", "[]"')  # what a crash in the middle of a write leaves
    with opened(tmp_path) as backend:
        assert [row.id for row in backend.query(Session)] == ["s1"]


def test_the_engine_forgets_rows_that_have_expired(tmp_path: Path) -> None:
    with opened(tmp_path) as backend:
        backend.clock = clock = Clock()
        backend.create(Session, {"id": "s1", "expires_at": clock.now + timedelta(minutes=1)})
        backend.create(Session, {"id": "s2"})
        assert backend.forget_dead() == 0
        clock.forward(minutes=2)
        assert backend.forget_dead() == 1


def test_what_the_driver_raises_arrives_as_an_error_of_mixstore(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        connect(f"journal:///{tmp_path}/no/such/folder/rows.jsonl")
    assert isinstance(caught.value.__cause__, OSError)


def test_a_url_without_a_file_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="names no file"):
        connect("journal://")


def test_the_readme_runs(tmp_path: Path) -> None:
    blocks = README.read_text(encoding="utf-8").split("```python\n")[1:]
    program = "".join(block.partition("```")[0] for block in blocks)
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True)
