"""The only I/O: requests to DynamoDB, tried again where that is safe, and answers as they came.

mixstore itself tries again rather than botocore, since it has to know whether a write was sent before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore import exceptions as aws

from mixstore.errors import BackendUnavailableError
from mixstore_backends.dynamodb import errors
from mixstore_backends.dynamodb.bodies import READS, WRITES, bodies_of
from mixstore_backends.dynamodb.errors import CancelledError, ConditionFailedError, Place

T = TypeVar("T")
ATTEMPTS = 8
"""How often a request is tried before its error is raised."""
BASE, CAP = 0.05, 5.0
"""Seconds: the longest first pause, and the longest of all. Each pause is random between 0 and its longest."""


class Transport:
    """One client; `own` says that `clients` made it. `pause` waits between attempts."""

    def __init__(self, client: Any, own: bool) -> None:
        self.client = client
        self.attempts = ATTEMPTS
        self.pause: Callable[[float], None] = time.sleep
        self._own = own
        self._bodies = bodies_of(client)

    def place(self, table: str) -> Place:
        """Where requests for a table go."""
        meta = self.client.meta
        usual = f"https://dynamodb.{meta.region_name}.amazonaws.com"
        return Place(table, meta.region_name, None if meta.endpoint_url == usual else meta.endpoint_url)

    def call(self, operation: str, table: str, request: Mapping[str, Any], repeatable: bool = True) -> dict[str, Any]:
        """The answer to one request.

        repeatable: whether it may be sent again when it is not known whether it was carried out. Raises mixstore's
        errors, ConditionFailedError and CancelledError.
        """
        method = getattr(self.client, operation)
        retried = False
        for attempt in range(self.attempts):
            try:
                if operation in READS or operation in WRITES:
                    return self._bodies.call(method, dict(request), operation in READS, self._own)
                return method(**request)  # type: ignore[no-any-return]
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
            self.back_off(attempt)
        raise AssertionError("unreachable")

    def attempt_creation(self, table: str, request: Mapping[str, Any]) -> bool:
        """CreateTable; False if the table is there already, or is just being made by somebody else."""
        try:
            self.call("create_table", table, request)
        except BackendUnavailableError as error:
            if errors.code_of(error.__cause__) != "ResourceInUseException":
                raise
            return False
        return True

    def back_off(self, attempt: int) -> None:
        """Wait, longer from attempt to attempt, and not as long as others do."""
        self.pause(random.uniform(0, min(CAP, BASE * 2**attempt)))


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
