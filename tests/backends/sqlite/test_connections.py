"""Connections under threads, forks, other processes and a sudden end; locks; what errors become."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mixstore import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
    CorruptRecordError,
    Field,
    Model,
    ValidationError,
)
from mixstore_backends.sqlite import SQLiteAdapter, SQLiteBackend
from tests.backends.sqlite.conftest import Ask

Use = Callable[..., Any]


class Row(Model):
    """A key and a number."""

    id: str = Field(primary_key=True)
    number: int = 0
    tags: list[str] = []


PROGRAM = """
    import sys
    from mixstore import Field, Model
    from mixstore_backends.sqlite import SQLiteBackend

    class Row(Model):
        id: str = Field(primary_key=True)
        number: int = Field(0, index=True)
        text: str = Field("", searchable=True)

    backend = SQLiteBackend(sys.argv[1])
    Row.bind(backend)
"""


def start(body: str, path: Path, **options: Any) -> subprocess.Popen[str]:
    """Another Python that runs a program on the database."""
    text = textwrap.dedent(PROGRAM) + textwrap.dedent(body)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", text, str(path)], stdout=subprocess.PIPE, text=True, env=environment, **options
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else is writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


# -- durability ----------------------------------------------------------------------------------------------------


def test_a_killed_process_loses_nothing_that_it_acknowledged(path: Path) -> None:
    writer = start(
        """
        backend.initialize(Row)
        number = 0
        while True:
            Row.create(id=str(number), number=number, text=f"word{number}")
            print(number, flush=True)
            number += 1
        """,
        path,
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(50)]
    time.sleep(0.05)
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.wait()
    writer.stdout.close()
    with closing(sqlite3.connect(path)) as connection:
        stored = {number for (number,) in connection.execute("SELECT number FROM Row")}
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO Row_fts (Row_fts) VALUES ('integrity-check')")
    assert set(acknowledged) <= stored
    assert len(stored) - len(acknowledged) <= 1


def test_a_file_is_in_wal_mode_and_waits_for_the_disk(store: SQLiteBackend, use: Use, path: Path) -> None:
    use(Row)
    connection = store._connections.get()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with SQLiteBackend.from_url(f"sqlite:///{path}?synchronous=normal") as other:
        assert other._connections.get().execute("PRAGMA synchronous").fetchone() == (1,)


# -- several processes ---------------------------------------------------------------------------------------------


def test_processes_that_initialize_at_the_same_moment_all_succeed(path: Path) -> None:
    body = """
        sys.stdin.readline()
        backend.initialize(Row)
        Row.upsert(id="x", text="here")
        print(Row.where().search("here").count())
        """
    others = [start(body, path, stdin=subprocess.PIPE) for _ in range(3)]
    answers = []
    for one in others:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in others:
        answers.append(one.communicate()[0].strip())
        assert one.returncode == 0
    assert answers == ["1"] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(use: Use, store: SQLiteBackend) -> None:
    use(Row).create(id="parent")
    mine = store._connections.get()
    child = os.fork()
    if child == 0:
        try:
            fresh = store._connections.get() is not mine
            Row.create(id="child")
            os._exit(0 if fresh and Row.get("parent") is not None else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    Row.create(id="after")
    assert {one.id for one in Row.where().all()} == {"parent", "child", "after"}
    assert store._connections.get() is mine


# -- threads -------------------------------------------------------------------------------------------------------


def test_each_thread_has_its_connection_which_goes_with_it(use: Use, store: SQLiteBackend) -> None:
    use(Row)
    seen: list[int] = []

    def work(number: int) -> None:
        Row.create(id=str(number))
        seen.append(len(store._connections._held))

    for number in range(3):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join()
    assert seen == [2, 2, 2]
    assert len(store._connections._held) == 1


def test_threads_share_a_database_in_memory() -> None:
    with SQLiteBackend(":memory:") as backend:
        Row.bind(backend)
        backend.initialize(Row)

        def work(part: int) -> None:
            for number in range(50):
                Row.create(id=f"{part}-{number}")
                with backend.transaction():
                    Row.upsert(id=f"{part}-{number}", number=1)

        threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Row.where(number=1).count() == 200
        Row.bind(None)


def test_a_closed_backend_says_so(use: Use, store: SQLiteBackend) -> None:
    use(Row)
    store.close()
    store.close()
    with pytest.raises(BackendError, match="the backend is closed"):
        Row.get("a")


# -- locks ---------------------------------------------------------------------------------------------------------


def test_a_locked_database_is_waited_for_and_then_told(use: Use, path: Path) -> None:
    use(Row)
    with locked(path):
        started = time.monotonic()
        with pytest.raises(BackendUnavailableError, match="locked") as caught:
            Row.create(id="a")
        assert time.monotonic() - started >= 0.25
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert Row.get("a") is None
    assert Row.create(id="a").id == "a"


def test_a_lock_that_is_released_in_time_is_no_error(use: Use, path: Path) -> None:
    use(Row)
    with locked(path):
        writer = threading.Thread(target=lambda: Row.create(id="a"))
        writer.start()
        time.sleep(0.1)
    writer.join()
    assert Row.get("a") is not None


def test_a_locked_transaction_changes_nothing(use: Use, store: SQLiteBackend, path: Path) -> None:
    use(Row)
    with locked(path), pytest.raises(BackendUnavailableError), store.transaction():
        Row.batch_upsert([{"id": "a"}, {"id": "b"}])
    assert Row.where().count() == 0


# -- errors --------------------------------------------------------------------------------------------------------


def test_a_missing_table_tells_what_makes_it(store: SQLiteBackend) -> None:
    Row.bind(store)
    for step in (lambda: Row.get("a"), lambda: Row.create(id="a"), lambda: Row.where().all()):
        with pytest.raises(BackendError, match="no such table: Row") as caught:
            step()
        assert "backend.initialize()" in str(caught.value)
    Row.bind(None)


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with SQLiteBackend(path) as backend, pytest.raises(BackendError, match="not an SQLite database"):
        backend.initialize(Row)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with SQLiteBackend(tmp_path / "no" / "store.db") as backend, pytest.raises(BackendError, match="can't be opened"):
        backend.initialize(Row)


def test_a_full_disk_is_told_and_leaves_the_rows_alone(use: Use, store: SQLiteBackend) -> None:
    use(Row).create(id="a")
    connection = store._connections.get()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(BackendUnavailableError, match="no space left"):
        Row.batch_create({"id": str(number)} for number in range(2000))
    assert [one.id for one in Row.where().all()] == ["a"]


def test_a_read_only_database_can_be_read(use: Use, store: SQLiteBackend) -> None:
    use(Row).create(id="a")
    store._connections.get().execute("PRAGMA query_only = 1")
    assert Row.get("a") is not None
    with pytest.raises(BackendError, match="can't be written"):
        Row.create(id="b")


@pytest.mark.parametrize("junk", ["'{}'", "'[1]'"])
def test_a_damaged_value_is_told_by_field_and_key(use: Use, ask: Ask, junk: str) -> None:
    use(Row).create(id="a")
    ask(f"UPDATE Row SET tags = {junk}")
    for step in (lambda: Row.get("a"), lambda: Row.where().all()):
        with pytest.raises(CorruptRecordError, match=r"Row\.tags") as caught:
            step()
        assert (caught.value.field, caught.value.key) == ("tags", {"id": "a"})


def test_text_that_is_not_utf_8_is_told(use: Use, ask: Ask) -> None:
    use(Row).create(id="a")
    ask("UPDATE Row SET id = CAST(x'ff' AS TEXT)")
    with pytest.raises(CorruptRecordError, match="not UTF-8"):
        Row.where().all()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_an_integer_of_more_than_64_bits_is_refused_by_name(use: Use, number: int) -> None:
    class Big(Model):
        id: str = Field(primary_key=True)
        number: int | None = None
        inside: dict[str, list[int]] = {}

    use(Big)
    with pytest.raises(ValidationError, match=r"Big\.number.*64 bits") as caught:
        Big.create(id="a", number=number)
    assert caught.value.field == "number"
    with pytest.raises(ValidationError, match=r"Big\.inside.*64 bits"):
        Big.create(id="a", inside={"x": [1, number]})
    Big.create(id="a", number=2**63 - 1, inside={"x": [-(2**63)]})
    assert Big.get("a").inside == {"x": [-(2**63)]}
    assert Big.where(number__lt=number).count() == (number > 0)


def test_a_lone_surrogate_is_refused_by_name(use: Use) -> None:
    use(Row)
    with pytest.raises(ValidationError, match=r"Row\.id.*surrogate"):
        Row.create(id="\ud800")
    with pytest.raises(ValidationError, match=r"Row\.tags"):
        Row.create(id="a", tags=["\ud800"])
    assert Row.get("\ud800") is None


def test_json_may_nest_deeper_than_the_fast_parser_goes(use: Use) -> None:
    class Deep(Model):
        id: str = Field(primary_key=True)
        free: Any = None

    value: Any = "end"
    for _ in range(400):
        value = [value]
    use(Deep).create(id="a", free=value)
    assert Deep.get("a").free == value


# -- where and how -------------------------------------------------------------------------------------------------


def test_urls_name_files_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert SQLiteBackend.from_url("sqlite://").path == ":memory:"
    assert SQLiteBackend.from_url("sqlite:///:memory:").path == ":memory:"
    assert SQLiteBackend.from_url("sqlite:///a%20b.db").path == str(tmp_path / "a b.db")
    assert SQLiteBackend.from_url("sqlite:////x/y.db?timeout=2.5").path == "/x/y.db"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///a.db?timout=3", "did you mean 'timeout'?"),
        ("sqlite:///a.db?timeout=soon", "timeout is a number of seconds"),
        ("sqlite:///a.db?timeout=-1", "timeout is a number of seconds"),
        ("sqlite:///a.db?synchronous=ful", "did you mean 'full'?"),
        ("sqlite://a.db", "a file needs three slashes"),
    ],
)
def test_a_wrong_url_is_refused_with_the_nearest_right_one(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SQLiteBackend.from_url(url)
    assert told in str(caught.value)


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with SQLiteBackend("store.db") as backend:
        monkeypatch.chdir(tmp_path / "elsewhere")
        backend.initialize(Row)
    assert (tmp_path / "store.db").exists()


def test_only_an_adapter_for_sqlite_will_do() -> None:
    from mixstore_backends.memory import InMemoryAdapter

    with pytest.raises(ConfigurationError, match="not a InMemoryAdapter"):
        SQLiteBackend(":memory:", InMemoryAdapter())  # type: ignore[arg-type]


def test_an_adapter_that_overrides_the_conversions_is_heard(path: Path) -> None:
    class Marking(SQLiteAdapter):
        def model_to_storage(self, instance: Any) -> dict[str, Any]:
            return {**super().model_to_storage(instance), "mark": 7}

        def storage_to_model(self, model_class: type[Any], data: Any) -> dict[str, Any]:
            values = super().storage_to_model(model_class, data)
            return {**values, "number": values["number"] + data["mark"]}

    with SQLiteBackend(path, Marking()) as backend:
        Row.bind(backend)
        backend.initialize(Row)
        Row.create(id="a", number=1)
        assert Row.get("a").number == 8
        assert [one.number for one in Row.where().all()] == [8]
        Row.bind(None)
