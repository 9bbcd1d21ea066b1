"""A backend on a node of OpenSearch for tests: an index a shape of model is made once, and emptied after each test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from mixstore.bound import Bound
from mixstore_backends.opensearch import OpenSearchBackend
from mixstore_backends.opensearch.layout import Index
from tests.engines.engines import Server

SETTINGS = {"number_of_replicas": 0, "refresh_interval": "1h"}
"""Nothing is refreshed by time, so that no test depends on that."""


class ReusedIndexes(OpenSearchBackend):
    """Names its indexes by the shape of the model as well, so that those that are there can be used again."""

    made: set[str] = set()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.used: set[str] = set()

    def prepare(self, bound: Bound) -> Index:
        index = super().prepare(bound)
        shape = json.dumps([index.mapping, index.analysis])
        index.name = f"{index.name}-{hashlib.sha256(shape.encode()).hexdigest()[:12]}"
        index.path = f"/{quote(index.name, safe='')}"
        self.used.add(index.name)
        return index

    def initialize_bound(self, bounds: Sequence[Bound]) -> None:
        new = [bound for bound in bounds if bound.native.name not in self.made]
        super().initialize_bound(new)
        self.made.update(bound.native.name for bound in new)

    def empty(self) -> None:
        """Delete the documents of all models that were bound."""
        names = self.used & self.made
        if names:
            place = "/" + ",".join(quote(name, safe="") for name in names)
            self.client.transport.perform_request("POST", f"{place}/_refresh")
            path, params = f"{place}/_delete_by_query", {"refresh": "true", "conflicts": "proceed"}
            body = {"query": {"match_all": {}}}
            self.client.transport.perform_request("POST", path, params=params, body=body)


def store(server: Server, client: Any = None, **options: Any) -> OpenSearchBackend:
    """A backend whose searches see what it wrote, without a wait for each write."""
    told = {"refresh": "lazy", "settings": SETTINGS, **options}
    return OpenSearchBackend(client, hosts=None if client is not None else [server.url], **told)
