"""`Graph`: rows as nodes, and edges between them that are found from either end."""

from __future__ import annotations

from mixstore_extensions.graph.edges import Edge
from mixstore_extensions.graph.mixin import Graph
from mixstore_extensions.graph.removing import TooManyEdgesError
from mixstore_extensions.graph.walking import Visit

__all__ = ["Edge", "Graph", "TooManyEdgesError", "Visit"]
