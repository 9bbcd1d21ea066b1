"""Awaited requests: by aiobotocore, with a client for each event loop, or in threads."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from aiobotocore.session import AioSession

from mixstore import (
    AccessDeniedError,
    BackendTimeoutError,
    BackendUnavailableError,
    ConfigurationError,
    Field,
    MixstoreError,
    Model,
    ThrottledError,
)
from mixstore_backends.dynamodb import DynamoDBBackend, awaiting
from tests.backends.dynamodb.models import User
from tests.backends.dynamodb.servers import checked, over_http

pytestmark = pytest.mark.usefixtures("keys")


class Blob(Model):
    id: str = Field(primary_key=True)
    content: bytes = b""
    size: int = 0


class Counting(AioSession):
    """Knows how many clients it has made."""

    made = 0

    def create_client(self, *args: Any, **kwargs: Any) -> Any:
        self.made += 1
        return super().create_client(*args, **kwargs)


@pytest.fixture
def session() -> Counting:
    return Counting()


@pytest.fixture
def bind() -> Iterator[Callable[..., DynamoDBBackend]]:
    """`bind(address, ...)`: a backend that sends its requests there, with `Blob` and `User` bound to it."""

    def at(address: str, table: str = "app", **given: Any) -> DynamoDBBackend:
        backend = DynamoDBBackend(table, region_name="eu-west-1", endpoint_url=address, **given)
        Blob.bind(backend)
        User.bind(backend)
        return backend

    yield at
    Blob.bind(None)
    User.bind(None)


@pytest.fixture
def backend(bind: Any, dynamodb_server: str, session: Counting) -> DynamoDBBackend:
    """A backend with a table; no client of it has been made that is awaited."""
    made = bind(dynamodb_server, f"test-{uuid4().hex}", async_session=session)
    made.initialize(Blob, User)
    return made


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts come one right after the other."""
    monkeypatch.setattr("mixstore_backends.dynamodb.transport.BASE", 0.0)


async def test_a_hundred_tasks_share_one_client(backend, session):
    async def work(number: int) -> int:
        await Blob.acreate(id=str(number), size=number)
        found = await Blob.aget(str(number))
        return found.size

    async with backend:
        assert await asyncio.gather(*(work(number) for number in range(100))) == list(range(100))
        assert session.made == 1
        assert sorted(blob.size for blob in await Blob.where(id__in=[str(n) for n in range(100)]).aall()) == [
            *range(100)
        ]


async def test_bytes_come_back_as_they_were(backend):
    async with backend:
        blob = await Blob.acreate(id="1", content=bytes(range(256)))
        assert await Blob.aget("1") == blob
        assert await Blob.abatch_get(["1", "2"]) == [blob, None]


async def test_a_closed_backend_makes_a_new_client_when_it_is_used_again(backend, session):
    await Blob.acreate(id="1")
    await backend.aclose()
    await backend.aclose()
    assert await Blob.aget("1") is not None
    await backend.aclose()
    assert session.made == 2


def test_each_event_loop_has_a_client_which_is_closed_with_it(backend, session):
    async def work(name: str) -> int:
        await Blob.acreate(id=name)
        return len(await Blob.abatch_get(["1", "2"]))

    assert [asyncio.run(work(name)) for name in ("1", "2")] == [2, 2]
    assert session.made == 2
    gc.collect()  # where something was left open, python warns, and the tests fail


def test_loops_that_come_and_go_leave_nothing_open(dynamodb_server):
    code = f"""
import asyncio, gc
from mixstore import Field, Model
from mixstore_backends.dynamodb import DynamoDBBackend

class Blob(Model):
    id: str = Field(primary_key=True)

backend = DynamoDBBackend("loops-{uuid4().hex}", region_name="eu-west-1", endpoint_url="{dynamodb_server}")
Blob.bind(backend)
backend.initialize()

async def work(name):
    await asyncio.gather(*(Blob.acreate(id=f"{{name}}-{{n}}") for n in range(10)))
    return await Blob.aget(f"{{name}}-1") is not None

print([asyncio.run(work(name)) for name in "ab"])
backend.transport.client.close()
del backend
gc.collect()
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("[True, True]\n", "", 0)


async def test_a_region_is_needed_each_time(bind, monkeypatch, session):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    User.bind(DynamoDBBackend("app", async_session=session))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="AWS_REGION"):
            await User.aget("1")


# -- what goes wrong is told in the same words -------------------------------------------------------------------------


def told(error: MixstoreError) -> tuple[Any, ...]:
    """What two errors must have in common."""
    unknown = getattr(error, "outcome_unknown", None)
    return type(error), str(error), error.key, error.hint, unknown, type(error.__cause__).__name__


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", BackendTimeoutError),
        (over_http("500 Oops", b'{"__type":"com.amazonaws.dynamodb#InternalServerError"}'), BackendUnavailableError),
        (over_http("400 Bad", b'{"__type":"com.amazon.coral.service#ThrottlingException"}'), ThrottledError),
        (over_http("400 Bad", b'{"__type":"com.amazon.coral.service#ExpiredTokenException"}'), AccessDeniedError),
        (checked(b"{}", 1), BackendTimeoutError),
    ],
)
async def test_errors_are_those_of_a_client_that_blocks(bind, served, answer, expected):
    backend = bind(served(answer))
    with pytest.raises(expected) as blocking:
        User.create(id="1")
    with pytest.raises(expected) as awaited:
        await User.acreate(id="1")
    assert told(awaited.value) == told(blocking.value)
    backend.transport.client.close()
    await backend.aclose()


async def test_nobody_listening_is_unavailable(bind):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with bind(f"http://127.0.0.1:{port}"):
        with pytest.raises(BackendUnavailableError) as caught:
            await User.aget("1")
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("awaits", [False, True])
async def test_an_answer_that_came_damaged_is_never_believed(bind, served, awaits):
    backend = bind(served(checked(b'{"Item": {}}', 1)))
    with pytest.raises(BackendUnavailableError, match="damaged"):
        await User.aget("1") if awaits else User.get("1")
    with pytest.raises(BackendTimeoutError, match="damaged") as caught:
        await User.aupsert(id="1") if awaits else User.upsert(id="1")
    assert caught.value.outcome_unknown
    await backend.aclose()


async def test_an_answer_with_its_checksum_is_believed(bind, served):
    async with bind(
        served(checked(b'{"Item": {"pk": {"S": "USER#1"}, "entity_type": {"S": "User"}, "id": {"S": "1"}}}'))
    ):
        assert (await User.aget("1")).id == User.get("1").id == "1"


# -- cancelling --------------------------------------------------------------------------------------------------------


async def test_a_cancelled_request_leaves_no_answer_for_the_next(backend, monkeypatch):
    await Blob.acreate(id="1", size=1)
    await Blob.acreate(id="2", size=2)
    for number in range(10):
        task = asyncio.create_task(Blob.aget("1"))
        await asyncio.sleep(0.002 * number)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert (await Blob.aget("2")).size == 2
    await backend.aclose()


async def test_a_cancelled_first_request_leaves_a_backend_that_works(backend):
    task = asyncio.create_task(Blob.acreate(id="1"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await Blob.aget("2") is None
    await backend.aclose()


# -- without aiobotocore -----------------------------------------------------------------------------------------------


async def test_without_aiobotocore_requests_run_in_threads_and_one_line_says_so(
    bind, dynamodb_server, monkeypatch, caplog
):
    monkeypatch.setattr(awaiting, "find_spec", lambda name: None)
    backend = bind(dynamodb_server, f"test-{uuid4().hex}")
    backend.initialize(Blob)
    with caplog.at_level(logging.DEBUG, "mixstore.dynamodb"):
        await asyncio.gather(*(Blob.acreate(id=str(number)) for number in range(10)))
        assert len(await Blob.abatch_get(["1", "2"])) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "awaited requests to DynamoDB run in threads: aiobotocore (mixstore[dynamodb-async]) is not installed"
    ]
    await backend.aclose()


async def test_a_client_of_ones_own_is_used_in_threads(dynamodb_server, bind):
    from botocore.session import Session

    client = Session().create_client("dynamodb", "eu-west-1", endpoint_url=dynamodb_server)
    backend = DynamoDBBackend(f"test-{uuid4().hex}", client=client)
    Blob.bind(backend)
    backend.initialize(Blob)
    used: list[str] = []
    client.meta.events.register("before-call", lambda model, **_: used.append(threading.current_thread().name))
    await Blob.acreate(id="1")
    assert len(used) == 1
    assert used[0] != threading.current_thread().name
    client.close()


async def test_a_client_of_ones_own_beside_a_session_to_await_by(dynamodb_server, bind, session):
    from botocore.session import Session

    client = Session().create_client("dynamodb", "eu-west-1", endpoint_url=dynamodb_server)
    backend = DynamoDBBackend(f"test-{uuid4().hex}", client=client, async_session=session)
    Blob.bind(backend)
    backend.initialize(Blob)
    async with backend:
        await Blob.acreate(id="1", size=3)
    assert Blob.get("1").size == 3
    assert session.made == 1
    client.close()


def test_a_session_that_blocks_is_none_to_await_by():
    from botocore.session import Session

    with pytest.raises(ConfigurationError, match=r"botocore\.session\.Session") as caught:
        DynamoDBBackend("app", async_session=Session())
    assert "session=" in caught.value.hint
