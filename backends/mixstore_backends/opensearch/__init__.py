"""The OpenSearch backend: documents of one index a model, filtered, sorted and searched by the engine."""

from __future__ import annotations

from mixstore.errors import ConfigurationError

try:
    import opensearchpy as _driver  # noqa: F401
except ModuleNotFoundError as error:
    raise ConfigurationError("OpenSearch needs opensearch-py: pip install 'mixstore[opensearch]'") from error

from mixstore_backends.opensearch.adapter import OpenSearchAdapter
from mixstore_backends.opensearch.backend import OpenSearchBackend
from mixstore_backends.opensearch.native import raw

__all__ = [
    "OpenSearchAdapter",
    "OpenSearchBackend",
    "raw",
]
