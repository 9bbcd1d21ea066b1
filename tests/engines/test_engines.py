"""The script that starts and stops engines."""

from __future__ import annotations

import os

import pytest

from tests.engines.engines import DYNOXIDE, EngineError, Server, running


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
