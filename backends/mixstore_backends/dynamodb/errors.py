"""botocore's errors as mixstore's, in one place. None of them is ever taken for "not there"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import exceptions as aws

from mixstore.errors import (
    AccessDeniedError,
    BackendError,
    BackendTimeoutError,
    BackendUnavailableError,
    ConfigurationError,
    MixstoreError,
    ThrottledError,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "dynamodb"

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottledException",
        "TooManyRequestsException",
    }
)
BUSY = frozenset({"TransactionConflictException", "TransactionInProgressException", "ReplicatedWriteConflictException"})
"""Another request is at the same items: nothing happened, and it can be tried again."""
SERVER = frozenset({"InternalServerError", "InternalFailure", "ServiceUnavailable", "InternalServerException"})
DENIED = frozenset(
    {
        "AccessDeniedException",
        "AccessDenied",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
        "ExpiredToken",
        "InvalidClientTokenId",
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
        "IncompleteSignatureException",
        "NotAuthorizedException",
        "OptInRequired",
        "KMSAccessDeniedException",
    }
)
_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.UnauthorizedSSOTokenError,
    aws.SSOTokenLoadError,
    aws.ProfileNotFound,
)
_NEVER_SENT = (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError, aws.SSLError)
_LOST = (
    aws.ReadTimeoutError,
    aws.ConnectionClosedError,
    aws.HTTPClientError,
    aws.IncompleteReadError,
    aws.ChecksumError,
)
_NO_INDEX = "does not have the specified index"
_TOO_LARGE = ("Item size has exceeded", "Item size to update has exceeded", "item collection size")


class ConditionFailedError(Exception):
    """A conditional write was refused; `item` is what is stored instead, if the engine told.

    `retried`: an attempt before was sent and got no answer, so that it may itself be what stands in the way.
    """

    def __init__(self, item: Mapping[str, Any] | None, retried: bool) -> None:
        super().__init__("the condition does not hold")
        self.item = item
        self.retried = retried


class CancelledError(Exception):
    """A transaction was refused; `reasons` has one entry an action."""

    def __init__(self, reasons: Sequence[Mapping[str, Any]], retried: bool) -> None:
        super().__init__("the transaction was cancelled")
        self.reasons = reasons
        self.retried = retried


class Place(NamedTuple):
    """Where a request went, for errors."""

    table: str
    region: str | None
    endpoint: str | None

    def __str__(self) -> str:
        return f"the table {self.table!r} in {self.region or 'no region'}" + (
            f" at {self.endpoint}" if self.endpoint else ""
        )


def code_of(error: BaseException | None) -> str:
    """The code of an answer that is an error; "" if there was no answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, aws.ClientError) else ""


def status_of(error: Exception) -> int:
    """The HTTP status of an answer that is an error, 0 if there was none."""
    if not isinstance(error, aws.ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def was_sent(error: Exception) -> bool:
    """Whether the request may have been carried out, though no answer tells."""
    if isinstance(error, aws.ClientError):
        return code_of(error) in SERVER or status_of(error) >= 500
    return isinstance(error, _LOST) and not isinstance(error, _NEVER_SENT)


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, aws.ClientError):
        return code_of(error) in THROTTLED | BUSY | SERVER or status_of(error) >= 500
    return isinstance(error, (*_NEVER_SENT, *_LOST)) and not isinstance(error, aws.SSLError)


def retries_of(error: aws.ClientError) -> int:
    """How often botocore itself had tried before this answer."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def translated(error: Exception, operation: str, place: Place, writes: bool) -> MixstoreError:
    """mixstore's error, to be raised from botocore's."""
    if isinstance(error, aws.ClientError):
        return _answered(error, operation, place, writes)
    told = f"{operation} on {place}"
    if isinstance(error, _CREDENTIALS):
        hint = "set AWS_PROFILE, AWS_ACCESS_KEY_ID and so on, or give a session or a client"
        return AccessDeniedError(f"{told}: there are no credentials to use: {error}", backend=NAME, hint=hint)
    if isinstance(error, (aws.ReadTimeoutError, aws.ConnectTimeoutError)):
        unknown = writes and was_sent(error)
        outcome = "; whether it was carried out is not known" if unknown else ""
        return BackendTimeoutError(f"{told}: no answer in time{outcome}", outcome_unknown=unknown, backend=NAME)
    if writes and was_sent(error):
        why = "its answer came damaged" if isinstance(error, aws.ChecksumError) else "the connection was lost"
        lost = f"{told}: {why}; whether it was carried out is not known"
        return BackendTimeoutError(lost, outcome_unknown=True, backend=NAME)
    if isinstance(error, aws.ChecksumError):
        return BackendUnavailableError(f"{told}: its answers come damaged: {error}", backend=NAME)
    if isinstance(error, (*_NEVER_SENT, *_LOST)):
        return BackendUnavailableError(f"{told}: it can't be reached: {error}", backend=NAME)
    if isinstance(error, aws.NoRegionError):
        return no_region()
    return BackendError(f"{told}: {error}", backend=NAME)


def no_region() -> ConfigurationError:
    """The error for a client that knows no region."""
    return ConfigurationError(
        "DynamoDB needs a region", backend=NAME, hint='region_name="eu-west-1", ?region=... in the URL, or AWS_REGION'
    )


def _answered(error: aws.ClientError, operation: str, place: Place, writes: bool) -> MixstoreError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    told = f"{operation} on {place}"
    if code in THROTTLED:
        hint = "ask for less at once, or give the table more capacity"
        return ThrottledError(f"{told}: refused for its load: {message}", backend=NAME, hint=hint)
    if code in BUSY:
        return BackendUnavailableError(f"{told}: others keep writing the same items: {message}", backend=NAME)
    if code in SERVER or status_of(error) >= 500:
        outcome = "; whether it was carried out is not known" if writes else ""
        return BackendUnavailableError(f"{told}: the service failed: {code}: {message}{outcome}", backend=NAME)
    if code in DENIED:
        return AccessDeniedError(f"{told}: {code}: {message}", backend=NAME, hint=_why_denied(code))
    if code in ("ResourceNotFoundException", "TableNotFoundException"):
        hint = "backend.initialize() creates it; or is it in another region or account?"
        return ConfigurationError(f"{told}: it is not there", backend=NAME, hint=hint)
    if _NO_INDEX in message:
        return ConfigurationError(f"{told}: {message}", backend=NAME, hint="backend.initialize() makes it")
    if code == "ResourceInUseException":
        return BackendUnavailableError(f"{told}: {message}", backend=NAME)
    if code == "LimitExceededException":
        return ThrottledError(f"{told}: {message}", backend=NAME)
    if code == "ItemCollectionSizeLimitExceededException" or any(part in message for part in _TOO_LARGE):
        return ValidationError(f"{told}: {message}", backend=NAME)
    return BackendError(f"{told}: {code}: {message}", backend=NAME)


def _why_denied(code: str) -> str:
    if code.startswith("Expired"):
        return "the credentials have expired: get new ones"
    if code in ("UnrecognizedClientException", "InvalidClientTokenId"):
        return "the credentials are of another account or partition, or no longer there"
    return "docs/backends/dynamodb.md has the policy that it needs"


def is_too_large(error: Exception) -> bool:
    """Whether an item is larger than 400 KB."""
    return any(part in str(error) for part in _TOO_LARGE)
