"""The one place where errors of OpenSearch become those of mixstore: of a request, and of one item of a bulk."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from opensearchpy import exceptions as driver

from mixstore.errors import (
    AccessDeniedError,
    BackendError,
    BackendTimeoutError,
    BackendUnavailableError,
    ConfigurationError,
    ConflictError,
    MixstoreError,
    QueryError,
    ThrottledError,
    ValidationError,
)

NAME = "opensearch"
DRIVER = (driver.OpenSearchException, driver.ImproperlyConfigured)
"""What opensearch-py raises."""
MISSING_INDEX = "index_not_found_exception"
BLOCKED = "cluster_block_exception"
ONLY = ".only"
"""Ends the alias that an index keeps for itself. What was read of a document (`_seq_no`) means nothing in another one,
so a write that depends on it names this index, and is refused when the model's alias has moved on."""
_NOT_WRITTEN = "no write index is defined for alias"
_CLOSED = "/8/index write (api)"

_FIELD = re.compile(r"(?:failed to parse field|immense term in field=|mixstore: field) ?[\[\"]([^\]\"]+)[\]\"]")


def is_held(item: Any) -> bool:
    """Whether an item of a bulk was refused as all writes to the index are, while another takes its place.

    The model's alias takes none then, or the index that was read (which is named by an alias of its own, `.only`) does
    not any more.
    """
    error = item.get("error") if isinstance(item, dict) else None
    if error is None:
        return False
    kind, reason = error.get("type"), str(error.get("reason"))
    if kind == MISSING_INDEX:
        return str(error.get("index")).endswith(ONLY)
    return _NOT_WRITTEN in reason or (kind == BLOCKED and _CLOSED in reason)


class Failure(NamedTuple):
    """What the engine says of a request or an item: HTTP's status, the type of the exception, its reason."""

    status: int
    type: str
    reason: str

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.reason}" if self.type else f"HTTP {self.status}: {self.reason}"


def failure_of(status: int, error: Any) -> Failure:
    """The failure in a response's `error`, by its innermost cause."""
    if not isinstance(error, dict):
        return Failure(status, "", str(error)[:300])
    reasons = [str(error.get("reason"))]
    cause = error.get("caused_by")
    while isinstance(cause, dict):
        reasons.append(str(cause.get("reason")))
        cause = cause.get("caused_by")
    root = error.get("root_cause") or [error]
    told = [*reasons, *(str(one.get("reason")) for one in root if isinstance(one, dict))]
    kind = str(error.get("type"))
    if kind == "search_phase_execution_exception" and isinstance(root[0], dict):
        kind = str(root[0].get("type", kind))
    return Failure(status, kind, "; ".join(dict.fromkeys(told))[:600])


def meaning(failure: Failure, place: str) -> MixstoreError:
    """The error to raise for what the engine said; `place` is the index."""
    told = f"{failure} at {place}"
    match failure.status:
        case 401:
            return AccessDeniedError(f"who asks is not known: {told}", backend=NAME)
        case 403 | 429 if failure.type == BLOCKED:
            hint = _GO_ON if _CLOSED in failure.reason else _FREE
            return BackendUnavailableError(f"the index can't be written: {told}", backend=NAME, hint=hint)
        case 403:
            return AccessDeniedError(f"this is not allowed: {told}", backend=NAME)
        case 404:
            return _absent(failure, told)
        case 409:
            return ConflictError(f"the document changed in between: {told}", backend=NAME)
        case 408 | 504:
            return BackendTimeoutError(f"no answer in time: {told}", backend=NAME, outcome_unknown=True)
        case 413:
            return ValidationError(f"the request is larger than the engine takes: {told}", backend=NAME)
        case 429:
            return ThrottledError(f"the engine refuses more load: {told}", backend=NAME, hint="do it again, later")
        case 502 | 503:
            return BackendUnavailableError(f"the engine is not ready: {told}", backend=NAME, hint="do it again")
        case 400:
            return _refused(failure, told)
    return BackendError(f"OpenSearch failed: {told}", backend=NAME)


_FREE = "free some disk, then PUT {index}/_settings {'index.blocks.read_only_allow_delete': null}"
_GO_ON = "a reindexing that was interrupted goes on with `mixstore reindex`; or somebody has set index.blocks.write"


def _absent(failure: Failure, told: str) -> MixstoreError:
    if failure.type == "search_context_missing_exception":
        return BackendTimeoutError(f"the rows were not asked for in time: {told}", backend=NAME, hint="query again")
    hint = "backend.initialize() makes what the models need" if failure.type == MISSING_INDEX else None
    return BackendError(f"there is no such index: {told}" if hint else told, backend=NAME, hint=hint)


def _refused(failure: Failure, told: str) -> MixstoreError:
    if failure.type == "strict_dynamic_mapping_exception":
        hint = "backend.initialize() adds the fields of a model to the mapping"
        return BackendError(f"the mapping does not fit the model: {told}", backend=NAME, hint=hint)
    found = _FIELD.search(failure.reason)
    if _NOT_WRITTEN in failure.reason:
        return BackendUnavailableError(f"the index can't be written: {told}", backend=NAME, hint=_GO_ON)
    if failure.type in _VALUES or found:
        field = found[1].partition(".")[0] if found else None
        return ValidationError(f"the engine refuses a value: {told}", backend=NAME, field=field)
    if "unknown setting [index.knn]" in failure.reason:
        hint = "leave knn=True out: similar() needs no plugin for exact answers"
        return ConfigurationError(f"the cluster has no k-NN plugin: {told}", backend=NAME, hint=hint)
    if "maxClauseCount" in failure.reason or "too_many" in failure.type:
        return QueryError(f"the query is larger than the engine takes: {told}", backend=NAME)
    return BackendError(f"OpenSearch refuses this: {told}", backend=NAME)


_VALUES = frozenset({"mapper_parsing_exception", "document_parsing_exception"})


def translated(error: BaseException, place: str, writes: bool) -> MixstoreError:
    """The error to raise for one of opensearch-py's; `writes`: something may have happened."""
    if isinstance(error, driver.ImproperlyConfigured):
        return ConfigurationError(f"the client is set up wrongly: {error}", backend=NAME)
    if isinstance(error, driver.SSLError):
        return BackendUnavailableError(f"TLS failed at {place}: {_cause(error)}", backend=NAME)
    if isinstance(error, driver.ConnectionTimeout):
        return BackendTimeoutError(f"no answer in time from {place}", backend=NAME, outcome_unknown=writes)
    if isinstance(error, driver.ConnectionError):
        return _unreached(error, place, writes)
    if isinstance(error, driver.TransportError) and isinstance(error.status_code, int):
        body = error.info if isinstance(error.info, dict) else {}
        return meaning(failure_of(error.status_code, body.get("error", error.error)), place)
    return BackendError(f"OpenSearch failed at {place}: {error}", backend=NAME)


def _unreached(error: Any, place: str, writes: bool) -> MixstoreError:
    cause = _cause(error)
    if not writes or never_sent(error):
        return BackendUnavailableError(f"{place} can't be reached: {cause}", backend=NAME, hint="is it running?")
    told = f"the connection to {place} broke before the answer: {cause}"
    return BackendUnavailableError(told, backend=NAME, outcome_unknown=True)


def never_sent(error: Any) -> bool:
    """Whether there was no connection to send anything by."""
    return any(told in _cause(error) for told in ("NewConnection", "ConnectTimeout", "refused", "NameResolution"))


def _cause(error: Any) -> str:
    """What the driver says, by the name of the cause as well."""
    info = error.info
    return f"{type(info).__name__}: {error.error}" if isinstance(info, Exception) else str(error.error)
