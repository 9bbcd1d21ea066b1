"""The plugin that registers the built-in backends. A backend's module is imported by its first URL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from mixstore.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer import Typer

    from mixstore.backend import Backend
    from mixstore.registry import BackendFactory


class LazyBackend(NamedTuple):
    """A backend class that isn't imported yet."""

    module: str
    name: str

    def from_url(self, url: str) -> Backend:
        """A new backend; its module and driver are imported now."""
        backend_class: BackendFactory = getattr(import_module(self.module), self.name)
        return backend_class.from_url(url)


@hookimpl
def mixstore_register_backends(register: Callable[[str, BackendFactory], None]) -> None:
    """`memory://`, `sqlite:///file`, `dynamodb://table`, `opensearch://host:9200` and `composite://`."""
    register("memory", LazyBackend("mixstore_backends.memory", "InMemoryBackend"))
    register("sqlite", LazyBackend("mixstore_backends.sqlite", "SQLiteBackend"))
    register("dynamodb", LazyBackend("mixstore_backends.dynamodb", "DynamoDBBackend"))
    register("opensearch", LazyBackend("mixstore_backends.opensearch", "OpenSearchBackend"))
    register("composite", LazyBackend("mixstore_backends.composite", "CompositeBackend"))


@hookimpl
def mixstore_register_commands(app: Typer) -> None:
    """`mixstore relay` and `mixstore verify`."""
    from mixstore_backends.composite.commands import relay, verify

    app.command()(relay)
    app.command()(verify)
