"""Awaited requests, by aiobotocore: a client for each event loop, which lives as long as that or until `aclose()`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Any

from mixstore.drivers import adrive
from mixstore.errors import ConfigurationError
from mixstore_backends.dynamodb.bodies import USUAL, Exchange
from mixstore_backends.dynamodb.clients import async_client_of, told_plainly
from mixstore_backends.dynamodb.errors import NAME
from mixstore_backends.dynamodb.transport import Request, Steps, T, Together, Transport

DRIVER = "aiobotocore"
_log = logging.getLogger("mixstore.dynamodb")


class AwaitingTransport(Transport):
    """Steps carried out by a client that is awaited. A cancellation leaves the outcome of a write unknown."""

    async def run(self, steps: Steps[T]) -> T:
        """What the steps come to."""
        return await adrive(self._carry_out, steps)  # type: ignore[no-any-return]

    async def _carry_out(self, step: Request | float | Together) -> Any:
        if isinstance(step, float):
            return await asyncio.sleep(step)
        if isinstance(step, Together):
            return await asyncio.gather(*map(self.run, step.steps))
        method = getattr(self.client, step.operation)
        if step.operation not in USUAL:
            return await method(**step.given)
        with Exchange(step.operation, step.given, self.own) as exchange:
            return exchange.read(await method(**exchange.request))


class _Living:
    """The transport of one event loop."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.held: AsyncGenerator[Any, None] | None = None
        self.transport: AwaitingTransport | None = None


class Loops:
    """The transports of a backend, one for each event loop that awaits it.

    make: gives the context manager of a new client.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._living: dict[asyncio.AbstractEventLoop, _Living] = {}

    async def transport(self) -> AwaitingTransport:
        """That of the running loop; made when it is asked for first."""
        loop = asyncio.get_running_loop()
        living = self._living.get(loop)
        if living is not None and living.transport is not None:
            return living.transport
        for other in [other for other in self._living if other.is_closed()]:
            del self._living[other]
        living = self._living.setdefault(loop, _Living())
        async with living.lock:
            if living.transport is None:
                living.held = self._hold(loop)
                living.transport = AwaitingTransport(await anext(living.held), own=True)
        return living.transport

    async def aclose(self) -> None:
        """Close the client of the running loop; those of others are closed with these."""
        living = self._living.get(asyncio.get_running_loop())
        if living is not None and living.held is not None:
            await living.held.aclose()

    async def _hold(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[Any, None]:
        """A client for as long as this is not closed, which a loop does with what it has begun, before it ends."""
        async with AsyncExitStack() as stack:
            with told_plainly():
                client = await stack.enter_async_context(self._make())
            try:
                yield client
            finally:
                self._living.pop(loop, None)


def check_session(session: Any) -> None:
    """ConfigurationError if what is given as a session of aiobotocore is something else."""
    module = sys.modules.get(f"{DRIVER}.session")
    if module is None or not isinstance(session, module.AioSession):
        raise ConfigurationError(
            f"async_session is a session of {DRIVER}, not a {type(session).__module__}.{type(session).__name__}",
            backend=NAME,
            hint="session= takes those of boto3 and botocore",
        )


def loops_of(blocking: bool, session: Any, region_name: str | None, endpoint_url: str | None) -> Loops | None:
    """How a backend is awaited; None: in threads, since there is no aiobotocore, or no session of it.

    blocking: whether a client or a session was given that only blocks.
    """
    if session is None and (blocking or find_spec(DRIVER) is None):
        why = "no async_session was given" if blocking else f"{DRIVER} (mixstore[dynamodb-async]) is not installed"
        _log.debug("awaited requests to DynamoDB run in threads: %s", why)
        return None
    return Loops(lambda: async_client_of(session, region_name, endpoint_url))
