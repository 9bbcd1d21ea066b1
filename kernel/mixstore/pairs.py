"""Which models are bound to what, so that an extension that comes too late is refused rather than ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mixstore.extension import BackendExtension


class ChainOf(NamedTuple):
    """What decides on the extensions of a bound model, its bases aside; it does not hold the model."""

    backend_name: str
    options: frozenset[str]
    applied: frozenset[str] = frozenset()


class BoundPair(NamedTuple):
    """A model whose chain is compiled for a backend: `options` are the field options that it sets, `applied` the names
    of the extensions that the config applies there.
    """

    model: type
    backend_name: str
    options: frozenset[str]
    applied: frozenset[str] = frozenset()

    def takes(self, extension: type[BackendExtension]) -> bool:
        """Whether the extension belongs into this chain."""
        if extension.backend_name not in ("*", self.backend_name):
            return False
        mixed_in = extension.extends is not None and issubclass(self.model, extension.extends)
        return mixed_in or extension.name in self.applied or not self.options.isdisjoint(extension.activates_on)
