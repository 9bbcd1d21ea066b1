"""What opensearch-py raises, and what the engine says of an item, as errors of mixstore. Always chained."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from opensearchpy import exceptions as driver

import mixstore
from mixstore import (
    AccessDeniedError,
    BackendError,
    BackendTimeoutError,
    BackendUnavailableError,
    ConfigurationError,
    MixstoreError,
    QueryError,
    ThrottledError,
    ValidationError,
)
from mixstore_backends.opensearch import OpenSearchAdapter, OpenSearchBackend
from mixstore_backends.sqlite.adapter import SQLiteAdapter
from tests.backends.opensearch.models import Article
from tests.backends.opensearch.stub import counted, items, refused, stubbed

REFUSED = driver.ConnectionError("N/A", "Connection refused", ConnectionRefusedError("NewConnectionError: refused"))
RESET = driver.ConnectionError("N/A", "Connection aborted", ConnectionResetError("reset by peer"))
TIMEOUT = driver.ConnectionTimeout("TIMEOUT", "read timed out", TimeoutError())


def said(status: int, kind: str, reason: str = "because") -> driver.TransportError:
    """The driver's error for what the engine says."""
    error = {"type": kind, "reason": reason, "root_cause": [{"type": kind, "reason": reason}]}
    cls: Any = {400: driver.RequestError, 403: driver.AuthorizationException, 404: driver.NotFoundError}.get(
        status, driver.TransportError
    )
    return cls(status, kind, {"error": error, "status": status})  # type: ignore[no-any-return]


BLOCKED = (
    "index [article] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only]"
)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (said(401, "security_exception"), AccessDeniedError),
        (said(403, "security_exception"), AccessDeniedError),
        (said(403, "cluster_block_exception", BLOCKED), BackendUnavailableError),
        (said(429, "cluster_block_exception", BLOCKED), BackendUnavailableError),
        (said(429, "circuit_breaking_exception"), ThrottledError),
        (said(503, "no_shard_available_action_exception"), BackendUnavailableError),
        (said(502, ""), BackendUnavailableError),
        (said(504, ""), BackendTimeoutError),
        (said(404, "index_not_found_exception"), BackendError),
        (said(404, "search_context_missing_exception"), BackendTimeoutError),
        (said(413, ""), ValidationError),
        (said(400, "query_shard_exception", "maxClauseCount is set to 1024"), QueryError),
        (said(400, "parsing_exception"), BackendError),
        (said(500, "null_pointer_exception"), BackendError),
        (driver.SSLError("N/A", "certificate verify failed", OSError()), BackendUnavailableError),
        (TIMEOUT, BackendTimeoutError),
        (driver.SerializationError("<html>"), BackendError),
    ],
)
def test_each_error_of_the_driver_has_a_meaning_and_stays_its_cause(
    raised: Exception, expected: type[MixstoreError]
) -> None:
    backend, _ = stubbed(raised)
    with pytest.raises(MixstoreError) as caught:
        backend.count(Article)
    assert type(caught.value) is expected
    assert caught.value.__cause__ is raised
    assert caught.value.backend == "opensearch"


def test_a_read_is_asked_again_when_the_connection_broke() -> None:
    backend, client = stubbed(RESET, REFUSED, counted(3))
    assert backend.count(Article) == 3
    assert len(client.sent) == 3
    backend, _ = stubbed(RESET, RESET, RESET)
    with pytest.raises(BackendUnavailableError, match="can't be reached"):
        backend.count(Article)


def test_a_write_that_was_never_sent_has_not_happened() -> None:
    backend, client = stubbed(REFUSED, REFUSED, REFUSED)
    with pytest.raises(BackendUnavailableError, match="can't be reached") as caught:
        backend.create(Article, {"id": "a"})
    assert not caught.value.outcome_unknown
    assert len(client.sent) == 3


@pytest.mark.parametrize(("raised", "expected"), [(RESET, BackendUnavailableError), (TIMEOUT, BackendTimeoutError)])
def test_a_write_without_an_answer_is_not_repeated_and_its_outcome_is_unknown(
    raised: Exception, expected: type[BackendUnavailableError]
) -> None:
    backend, client = stubbed(raised)
    with pytest.raises(BackendUnavailableError) as caught:
        backend.create(Article, {"id": "a"})
    assert type(caught.value) is expected
    assert caught.value.outcome_unknown
    assert caught.value.__cause__ is raised
    assert len(client.sent) == 1


@pytest.mark.parametrize(
    ("item", "expected", "field"),
    [
        (
            refused("create", 400, "mapper_parsing_exception", "failed to parse field [home.city] of type [long]"),
            ValidationError,
            "home",
        ),
        (
            refused("create", 400, "illegal_argument_exception", 'immense term in field="tags" (whose UTF8'),
            ValidationError,
            "tags",
        ),
        (
            refused("create", 400, "strict_dynamic_mapping_exception", "introduction of [new] within [_doc]"),
            BackendError,
            None,
        ),
        (refused("create", 404, "index_not_found_exception"), BackendError, None),
        (refused("create", 403, "cluster_block_exception", BLOCKED), BackendUnavailableError, None),
        (refused("create", 500, "engine_exception"), BackendError, None),
    ],
)
def test_each_refusal_of_an_item_has_a_meaning_and_names_the_key(item: Any, expected: type, field: str | None) -> None:
    backend, _ = stubbed(items(item))
    with pytest.raises(BackendError) as caught:
        backend.create(Article, {"id": "a"})
    assert type(caught.value) is expected
    assert getattr(caught.value, "field", None) == field
    assert (caught.value.key, caught.value.model) == ("a", Article)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("opensearch://host?prefx=a", "did you mean 'prefix'"),
        ("opensearch://host?tls=maybe", "tls is true or false"),
        ("opensearch://host?refresh=soon", "refresh is"),
        ("opensearch://host?timeout=x", "timeout|could not convert"),
        ("opensearch://host:x", "Port|port"),
        ("opensearch://host/index", "a URL is"),
        ("opensearch://", "a URL is"),
    ],
)
def test_a_wrong_url_is_refused_and_no_password_is_shown(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        OpenSearchBackend.from_url(url.replace("://h", "://me:testing@h"))
    assert "testing" not in str(caught.value)


def test_a_url_says_where_and_how() -> None:
    with mixstore.registry():
        backend = mixstore.connect("opensearch://me:testing@search.example:9201?prefix=app-&tls=true&refresh=lazy")
        assert isinstance(backend, OpenSearchBackend)
        assert backend.client.transport.get_connection().host == "https://search.example:9201"
        assert backend.prefix == "app-"
        assert "testing" not in repr(backend)
        backend.close()


@pytest.mark.parametrize(
    "options",
    [{"refresh": "soon"}, {"refresh": 1}, {"adapter": SQLiteAdapter()}, {"client": object(), "hosts": ["http://x"]}],
)
def test_a_wrong_argument_is_refused(options: Any) -> None:
    with pytest.raises(ConfigurationError):
        OpenSearchBackend(**options)


def test_an_adapter_of_ones_own_is_heard() -> None:
    class Shouting(OpenSearchAdapter):
        def model_to_storage(self, instance: Any) -> dict[str, Any]:
            return {**super().model_to_storage(instance), "loud": True}

    backend, client = stubbed(items(("create", 201)), adapter=Shouting())
    backend.create(Article, {"id": "a"})
    assert client.sent[0].lines[1]["_extra"] == {"loud": True}


def test_importing_mixstore_loads_no_driver() -> None:
    code = "import mixstore, sys; mixstore.connect('memory://'); sys.exit('opensearchpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_driver_is_one_line_that_says_what_to_install() -> None:
    code = "import sys; sys.modules['opensearchpy'] = None\nimport mixstore; mixstore.connect('opensearch://localhost')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("OpenSearch needs opensearch-py: pip install 'mixstore[opensearch]'")
