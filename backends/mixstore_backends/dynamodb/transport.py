"""The only I/O: requests to DynamoDB, tried again where that is safe, and answers as they came.

What a plan does is a generator of requests and pauses, so that the same steps are carried out by a client that blocks
and by one that is awaited. mixstore itself tries again rather than botocore, since it has to know whether a write was
sent before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from botocore import exceptions as aws

from mixstore.drivers import driver
from mixstore.errors import BackendUnavailableError
from mixstore_backends.dynamodb import bodies, errors
from mixstore_backends.dynamodb.bodies import USUAL, WRITES, Exchange
from mixstore_backends.dynamodb.clients import CONNECTIONS
from mixstore_backends.dynamodb.errors import CancelledError, ConditionFailedError, Place
from mixstore_backends.dynamodb.sending import Sender

T = TypeVar("T")
ATTEMPTS = 8
"""How often a request is tried before its error is raised."""
BASE, CAP = 0.05, 5.0
"""Seconds: the longest first pause, and the longest of all. Each pause is random between 0 and its longest."""


class Request(NamedTuple):
    """One request, sent once."""

    operation: str
    given: Mapping[str, Any]


class Together(NamedTuple):
    """Steps that are carried out at once, each by itself; what they come to, in their order."""

    steps: tuple[Generator[Any, Any, Any], ...]


Steps = Generator[Request | float | Together, Any, T]
"""What a plan does: a request at a time, steps at once, or a float, the seconds to wait; it ends with the answer to the
plan."""


class Transport:
    """One client, and how requests are made of it; `own` says that `clients` made it, with no check of parameters."""

    def __init__(self, client: Any, own: bool) -> None:
        self.client = client
        self.attempts = ATTEMPTS
        self.own = own
        bodies.prepare(client)

    def place(self, table: str) -> Place:
        """Where requests for a table go."""
        meta = self.client.meta
        usual = f"https://dynamodb.{meta.region_name}.amazonaws.com"
        return Place(table, meta.region_name, None if meta.endpoint_url == usual else meta.endpoint_url)

    def call(
        self, operation: str, table: str, request: Mapping[str, Any], repeatable: bool = True
    ) -> Steps[dict[str, Any]]:
        """The answer to one request.

        repeatable: whether it may be sent again when it is not known whether it was carried out. Raises mixstore's
        errors, ConditionFailedError and CancelledError.
        """
        retried = False
        for attempt in range(self.attempts):
            try:
                answer: dict[str, Any] = yield Request(operation, request)
                return answer
            except (aws.ClientError, aws.BotoCoreError) as error:
                _raise_refusal(error, retried)
                sent = operation in WRITES and errors.was_sent(error)
                again = errors.is_passing(error) and (repeatable or not sent)
                if not again or attempt == self.attempts - 1:
                    told = errors.translated(error, operation, self.place(table), operation in WRITES)
                    if (sent or retried) and isinstance(told, BackendUnavailableError):
                        told.outcome_unknown = True
                    raise told from error
                retried = retried or sent
            yield from self.back_off(attempt)
        raise AssertionError("unreachable")

    def attempt_creation(self, table: str, request: Mapping[str, Any]) -> Steps[bool]:
        """CreateTable; False if the table is there already, or is just being made by somebody else."""
        try:
            yield from self.call("create_table", table, request)
        except BackendUnavailableError as error:
            if errors.code_of(error.__cause__) != "ResourceInUseException":
                raise
            return False
        return True

    def back_off(self, attempt: int) -> Steps[None]:
        """Wait, longer from attempt to attempt, and not as long as others do."""
        yield random.uniform(0, min(CAP, BASE * 2**attempt))


class BlockingTransport(Transport):
    """Steps carried out one after the other, in the thread that asks. `pause` waits between attempts."""

    def __init__(self, client: Any, own: bool) -> None:
        super().__init__(client, own)
        self.pause: Callable[[float], None] = time.sleep
        self._sender = Sender(client) if own else None
        self._drive = driver(self._carry_out)

    def run(self, steps: Steps[T]) -> T:
        """What the steps come to."""
        return self._drive("", steps)  # type: ignore[no-any-return]

    def _carry_out(self, step: Request | float | Together) -> Any:
        if isinstance(step, float):
            return self.pause(step)
        if isinstance(step, Together):
            with ThreadPoolExecutor(min(len(step.steps), CONNECTIONS)) as pool:
                return list(pool.map(self.run, step.steps))
        method = getattr(self.client, step.operation)
        if step.operation not in USUAL:
            return method(**step.given)
        with Exchange(step.operation, step.given, self.own, self._sender) as exchange:
            return exchange.read(method(**exchange.request))


def _raise_refusal(error: Exception, retried: bool) -> None:
    """Raise what a refused condition or a cancelled transaction is to its writer."""
    if not isinstance(error, aws.ClientError):
        return
    retried = retried or errors.retries_of(error) > 0
    code = errors.code_of(error)
    if code == "ConditionalCheckFailedException":
        raise ConditionFailedError(error.response.get("Item"), retried) from error
    if code == "TransactionCanceledException":
        raise CancelledError(error.response.get("CancellationReasons", ()), retried) from error
