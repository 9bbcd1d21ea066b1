"""The pytest plugin in somebody else's project: no conftest, no import of a fixture."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

MODELS = """
from __future__ import annotations

from mixstore import Field, Model, connect
from mixstore_extensions import TTL


class Session(TTL, Model):
    id: str = Field(primary_key=True)
    user: str = Field("", index=True)
    note: str = ""


class Event(Model):
    class Meta:
        backend = "events"

    id: str = Field(primary_key=True)


class Far(Model):
    class Meta:
        backend = "sqlite:///must_not_be_made.db"

    id: str = Field(primary_key=True)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with models and a config; its tests are run in a process of their own, as a user does."""
    pytester.makepyfile(shop=MODELS)
    pytester.makefile(".toml", mixstore='[backends.default]\nurl = "sqlite:///must_not_be_made.db"\n')
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = "function"\n')
    return pytester


def passes(project: pytest.Pytester, code: str, **outcomes: int) -> pytest.RunResult:
    project.makepyfile("from __future__ import annotations\nfrom shop import *\n" + code)
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**(outcomes or {"passed": 1}))
    assert not (project.path / "must_not_be_made.db").exists()
    return result


def test_each_test_has_an_empty_store(project):
    passes(
        project,
        """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_it(mixstore_backend, number):
    assert Session.count() == 0
    Session.create(id="a")
    assert mixstore_backend.count(Session) == 1
""",
        passed=2,
    )


def test_models_of_every_name_and_url_use_the_store_of_the_test(project):
    passes(
        project,
        """
def test_it(mixstore_backend):
    Event.create(id="e")
    Far.create(id="f")
    Session.create(id="s")
    assert [mixstore_backend.count(model) for model in (Event, Far, Session)] == [1, 1, 1]
    assert connect("events") is mixstore_backend
    with mixstore_backend.transaction():
        Event.create(id="e2")
        Session.create(id="s2")
    assert Event.count() == Session.count() == 2
""",
    )


def test_a_test_may_connect_another_store_by_name(project):
    passes(
        project,
        """
def test_it(mixstore_backend):
    events = connect("memory://", name="events")
    Event.create(id="e")
    assert (events.count(Event), Session.count()) == (1, 0)
    assert events.count(Event) == Event.count() == 1
""",
    )


def test_the_clock_moves_when_the_test_moves_it(project):
    passes(
        project,
        """
def test_it(mixstore_backend, mixstore_clock):
    session = Session.create(id="s", expires_in=60)
    assert mixstore_clock.now.utcoffset().total_seconds() == 0
    mixstore_clock.forward(seconds=59)
    assert Session.get("s") == session
    mixstore_clock.forward(seconds=1)
    assert Session.get("s") is None
""",
    )


def test_a_scan_fails_the_test_and_is_named(project):
    result = passes(
        project,
        """
from mixstore.testing import assert_no_scan

def test_good(mixstore_backend):
    with assert_no_scan():
        Session.where(user="u").all()

def test_bad(mixstore_backend):
    with assert_no_scan():
        Session.where(note="x").all()
""",
        passed=1,
        failed=1,
    )
    result.stdout.fnmatch_lines(["*a whole table was read:*", "*all() of Session on memory: *note = 'x'*"])


def test_what_the_fixtures_make_is_gone_after_the_test(project):
    passes(
        project,
        """
import pytest
from mixstore import ConfigurationError

def test_one(mixstore_backend):
    Event.create(id="e")

def test_two():
    with pytest.raises(ConfigurationError, match="neither configured nor connected"):
        Event.count()
""",
        passed=2,
    )
