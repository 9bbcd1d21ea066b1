"""A package of somebody else's, built and installed beside mixstore into an environment of its own.

Nothing in this repository knows the package in tests/fixtures/acme-mixstore: what works here works for any stranger.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent
STRANGER = ROOT / "tests" / "fixtures" / "acme-mixstore"
OFFLINE = re.compile(
    r"Failed to establish a new connection|Temporary failure in name resolution|Name or service not known"
    r"|Network is unreachable|Connection refused|Read timed out|ProxyError|ConnectTimeoutError"
)
NOTE = """
    from __future__ import annotations

    from datetime import timedelta

    import mixstore
    from mixstore import Field, Model, connect
    from mixstore_extensions import TTL, Timestamps, Versioned
    from acme_mixstore import Slugged

    class Note(Slugged, Model):
        class Meta:
            slug_from = "title"
        id: str = Field(primary_key=True)
        title: str

    class Session(TTL, Versioned, Timestamps, Model):
        id: str = Field(primary_key=True)
        user: str = ""
"""

Run = Callable[..., str]

pytestmark = pytest.mark.xdist_group("third party")  # so that one worker builds for all


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without what could lead Python or mixstore to the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MIXSTORE_"))}
    return {**kept, **variables}


def call(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """mixstore's wheel and the stranger's."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (ROOT, STRANGER):
        done = call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return sorted(folder.glob("*.whl"), reverse=True)


@pytest.fixture(scope="module")
def python(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the two wheels and what they depend on, nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    pip_is_here = find_spec("pip") is not None  # it then installs into the other environment, which needs none
    venv.create(folder, with_pip=not pip_is_here)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python) if pip_is_here else (python, "-m", "pip")
    done = call(*pip, "install", "--quiet", "--no-compile", "--retries", "2", *wheels, cwd=folder)
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip("the package index can't be reached, and a fresh environment needs pydantic and pluggy from it")
    assert done.returncode == 0, done.stdout + done.stderr
    return python


@pytest.fixture
def run(python: Path, tmp_path: Path) -> Run:
    """Run a program in the fresh environment, in an empty folder; answers what it prints."""

    def run(*code: str, **variables: str) -> str:
        done = subprocess.run(
            [str(python), "-I", "-W", "error", "-c", "\n".join(map(dedent, code))],
            cwd=tmp_path,
            env=clean_environment(**variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def files_of(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_of_mixstore_ships_the_types_of_its_three_packages(wheels):
    packages = {"mixstore", "mixstore_backends", "mixstore_extensions"}
    files = files_of(wheels[0])
    assert {f"{package}/py.typed" for package in packages} <= files
    assert {file.partition("/")[0] for file in files} == {*packages, "mixstore-0.1.0.dist-info"}


def test_the_wheel_of_mixstore_brings_its_command_and_its_own_plugins(wheels):
    with ZipFile(wheels[0]) as archive:
        points = archive.read("mixstore-0.1.0.dist-info/entry_points.txt").decode()
    assert "[console_scripts]\nmixstore = mixstore.cli:main" in points
    assert "backends = mixstore_backends.plugin\nextensions = mixstore_extensions.plugin" in points


def test_nothing_that_runs_here_comes_from_the_checkout(run):
    found = run(
        """
        import acme_mixstore, mixstore, mixstore_backends, mixstore_extensions, sys
        for module in (acme_mixstore, mixstore, mixstore_backends, mixstore_extensions):
            assert module.__file__.startswith(sys.prefix), module.__file__
        print(sys.path)
        """
    )
    assert str(ROOT) not in found


def test_a_strangers_code_passes_a_strict_type_checker(python, tmp_path):
    models = tmp_path / "models.py"
    models.write_text(dedent(NOTE) + "found: Session | None = Session.get('s1')\n")
    settings = ("--config-file=", "--cache-dir", tmp_path / "cache", "--python-executable", python)
    done = call(sys.executable, "-m", "mypy", "--strict", *settings, STRANGER / "acme_mixstore", models, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stranger_is_listed_with_what_it_registers(run):
    run(
        """
        import mixstore
        with mixstore.registry() as registry:
            acme = next(plugin for plugin in registry.plugins if plugin.name == "acme")
        assert (acme.distribution, acme.version, acme.state) == ("acme-mixstore", "1.2.0", "active")
        assert (acme.backends, acme.extensions) == (("jsonlines", "journal"), ("ttl",))
        """
    )


@pytest.mark.parametrize("url", ["memory://", "sqlite:///notes.db", "journal:///notes.jsonl"])
def test_a_strangers_extension_works_on_every_backend(run, url):
    run(
        NOTE,
        f"""
        backend = connect({url!r}, name="default")
        backend.initialize(Note)
        note = Note.create(id="n1", title="Crème brûlée!")
        assert note.slug == Note.get("n1").slug == "creme-brulee"
        assert Note.where(slug="creme-brulee").one() == note
        assert [entry.state for entry in Note.extensions() if entry.name == "slugged"] == ["active"]
        backend.close()
        """,
    )


def test_a_strangers_extension_is_configured_like_a_built_in_one(run):
    run(
        NOTE,
        """
        mixstore.configure(backends={"default": {
            "url": "memory://", "extensions": {"options": {"slugged": {"separator": "_"}}},
        }})
        assert Note.create(id="n1", title="Crème brûlée!").slug == "creme_brulee"
        """,
    )


def test_a_strangers_extension_checks_the_model_when_it_is_bound(run):
    run(
        NOTE,
        """
        class Typo(Slugged, Model):
            class Meta:
                slug_from = "tittle"
            id: str = Field(primary_key=True)
            title: str

        Typo.bind(connect("memory://"))
        try:
            Typo.create(id="n1", title="x")
        except mixstore.SchemaError as error:
            assert "did you mean 'title'?" in str(error)
        else:
            raise AssertionError("a slug of no field")
        """,
    )


@pytest.mark.parametrize(
    "url", ["memory://", "sqlite:///notes.db", "journal:///notes.jsonl", "jsonlines:///notes.jsonl"]
)
def test_a_strangers_lookup_works_in_the_first_query_of_a_process(run, url):
    run(
        NOTE,
        f"""
        with connect({url!r}, name="default") as backend:
            backend.initialize(Note)
            Note.create(id="n1", title="Crème brûlée!")
            Note.create(id="n2", title="Tarte")
        """,
    )
    run(
        NOTE,
        f"""
        query = Note.where(title__slug="creme-brulee")
        with connect({url!r}, name="default") as backend:
            if {url!r} == "memory://":
                Note.create(id="n1", title="Crème brûlée!")
            assert [note.id for note in query.all()] == ["n1"]
        """,
    )


def test_an_extension_hides_rows_by_a_strangers_lookup(run):
    run(
        NOTE,
        """
        from mixstore import BackendExtension, Mixin, Q

        class Discreet(Mixin):
            class Hiding(BackendExtension):
                def veiled(self):
                    return Q(title__slug="top-secret")

        class Memo(Discreet, Model):
            id: str = Field(primary_key=True)
            title: str

        connect("memory://", name="default")
        Memo.batch_create([{"id": "m1", "title": "Top secret!"}, {"id": "m2", "title": "Lunch"}])
        assert [memo.id for memo in Memo.all()] == ["m2"]
        """,
    )


def test_a_backend_that_implements_the_contract_directly_keeps_its_rows(run):
    run(
        NOTE,
        """
        with connect("jsonlines:///notes.jsonl", name="default"):
            first = Note.create(id="n1", title="One", slug="one")
            Note.create(id="n2", title="Two")
            Note.create(id="n3", title="Three").delete()
            first.title = "Uno"
            first.save()
            try:
                Note.create(id="n1", title="Again")
            except mixstore.DuplicateKeyError as error:
                assert error.key == "n1"
            else:
                raise AssertionError("stored twice")
        """,
    )
    run(
        NOTE,
        """
        with connect("jsonlines:///notes.jsonl", name="default"):
            assert Note.get("n1").title == "Uno"
            assert [note.id for note in Note.where(title__gte="T").order_by("-title").limit(1)] == ["n1"]
            assert Note.count() == 2 and Note.exists(id="n2") and Note.get("n3") is None
            page = Note.where().limit(1).paginate()
            assert [note.id for note in Note.where().cursor(page.cursor).paginate()] == ["n2"]
            assert Note.where(id="n2").update(title="Dos") == 1 and Note.get("n2").title == "Dos"
        """,
    )


def test_a_backend_that_implements_the_contract_directly_refuses_what_does_not_fit_the_model(run):
    run(
        NOTE,
        """
        with connect("jsonlines:///notes.jsonl") as backend:
            for data in ({"id": "n1"}, {"id": "n1", "title": 5}, {"id": "n1", "title": "One", "titel": "Two"}):
                try:
                    backend.create(Note, data)
                except mixstore.ValidationError as error:
                    assert "Note" in str(error)
                else:
                    raise AssertionError(data)
            assert backend.create(Note, {"id": "n1", "title": "One"}) == {"id": "n1", "title": "One", "slug": ""}
        """,
    )


def test_a_backend_that_implements_the_contract_directly_says_what_it_does_not_run(run):
    run(
        NOTE,
        """
        with connect("jsonlines:///notes.jsonl", name="default") as backend:
            assert ("slugged", "inactive") in [(entry.name, entry.state) for entry in Note.extensions()]
            for refused in (Session.all, backend.transaction):
                try:
                    refused()
                except (mixstore.ConfigurationError, mixstore.UnsupportedOperationError) as error:
                    assert "jsonlines" in str(error)
                else:
                    raise AssertionError("not refused")
        """,
    )


def test_a_planned_backend_runs_the_extensions_that_come_with_mixstore(run):
    run(
        NOTE,
        """
        with connect("journal:///rows.jsonl", name="default") as backend:
            now = backend.clock()
            backend.clock = lambda: now
            session = Session.create(id="s1", user="ann", expires_in=timedelta(minutes=1))
            assert (session.version, session.created_at) == (1, now)
            other = Session.get("s1")
            other.update(user="bob")
            try:
                session.update(user="eve")
            except mixstore.VersionConflictError as error:
                assert (error.expected, error.stored) == (1, 2)
            else:
                raise AssertionError("a write was lost")
            backend.clock = lambda: now + timedelta(minutes=1)
            assert Session.get("s1") is None and Session.all() == []
            assert Session.create(id="s1", user="fay").user == "fay"
        """,
    )


def test_a_stranger_extends_a_mixin_of_mixstore_on_its_own_backend(run):
    run(
        NOTE,
        """
        with connect("journal:///rows.jsonl", name="default") as backend:
            ttl = next(entry for entry in Session.extensions() if entry.name == "ttl")
            assert (ttl.state, ttl.fidelity) == ("active", "native")
            Session.create(id="s1", expires_in=timedelta(minutes=1))
            Session.create(id="s2")
            start = backend.clock()
            backend.clock = lambda: start + timedelta(minutes=2)
            assert backend.forget_dead() == 1
            assert [session.id for session in Session.include_expired()] == ["s2"]
        """,
    )


def test_a_transaction_on_a_strangers_backend_is_all_or_nothing(run):
    run(
        NOTE,
        """
        with connect("journal:///rows.jsonl", name="default") as backend:
            Note.create(id="n1", title="One")
            try:
                with backend.transaction():
                    Session.create(id="s1")
                    Note.create(id="n1", title="Again")
            except mixstore.DuplicateKeyError as error:
                assert error.model is Note
            assert Session.all() == []
            with backend.transaction():
                Session.create(id="s1")
                Note.create(id="n2", title="Two")
        """,
    )
    run(
        NOTE,
        """
        with open("rows.jsonl", "a") as file:
            file.write('[["Note", "[]"')  # what a crash in the middle of a write leaves
        with connect("journal:///rows.jsonl", name="default"):
            assert [session.id for session in Session.all()] == ["s1"]
            assert sorted(note.id for note in Note.all()) == ["n1", "n2"]
        """,
    )


def test_rows_beside_a_row_live_and_die_with_it_on_a_strangers_backend(run):
    run(
        NOTE,
        """
        from mixstore import BackendExtension, Mixin, SideWrite, WriteChange

        class Entry(Model):
            id: str = Field(primary_key=True)

        class Logged(Mixin):
            class Log(BackendExtension):
                def before_write(self, context):
                    return WriteChange(side_writes=(SideWrite("create", Entry(id=context.values["entry"])),))

        class Doc(Logged, Model):
            id: str = Field(primary_key=True)
            entry: str

        with connect("journal:///rows.jsonl", name="default"):
            Doc.create(id="d1", entry="e1")
            try:
                Doc.create(id="d2", entry="e1")
            except mixstore.DuplicateKeyError as error:
                assert (error.model, error.key) == (Entry, "e1")
            else:
                raise AssertionError("stored twice")
            assert ([doc.id for doc in Doc.all()], [entry.id for entry in Entry.all()]) == (["d1"], ["e1"])
        """,
    )


def test_a_strangers_backend_is_awaited_like_any(run):
    run(
        NOTE,
        """
        import asyncio

        async def main():
            for url in ("jsonlines:///a.jsonl", "journal:///b.jsonl"):
                with connect(url, name="default"):
                    note = await Note.acreate(id="n1", title="One")
                    await note.aupdate(title="Two")
                    assert [found.title async for found in Note.where(id="n1")] == ["Two"]

        asyncio.run(main())
        """,
    )


BLOCKED = """
    from mixstore import ConfigurationError, connect, registry
    import sys

    with registry() as fresh:
        acme = next(plugin for plugin in fresh.plugins if plugin.name == "acme")
        assert (acme.state, acme.backends) == ("blocked", ())
        try:
            connect("journal:///rows.jsonl")
        except ConfigurationError as error:
            assert "acme (blocked)" in str(error)
        else:
            raise AssertionError("its backend is there")
        assert connect("memory://").backend_name == "memory"
    assert not [name for name in sys.modules if name.startswith("acme_mixstore")]
"""


@pytest.mark.parametrize("name", ["acme", "acme-mixstore"])
def test_a_blocked_stranger_is_absent_and_not_even_imported(run, tmp_path, name):
    (tmp_path / "mixstore.toml").write_text(f'[plugins]\nblock = ["{name}"]\n')
    run(BLOCKED)


def test_a_variable_blocks_a_stranger_as_the_file_does(run):
    run(BLOCKED, MIXSTORE_PLUGINS_BLOCK="acme")
