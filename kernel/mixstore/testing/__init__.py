"""The conformance kit: what "works" means for a backend or an extension, to be run by whoever writes one.

`class TestMine(BackendConformance): ...` with a fixture `backend` is a backend's whole test of the contract, and
`class TestMine(ExtensionConformance): ...` with a model that of an extension. docs/testing.md tells how.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ModuleNotFoundError as error:
    raise ImportError("mixstore.testing needs pytest and hypothesis: pip install 'mixstore[testing]'") from error

if TYPE_CHECKING:
    from mixstore.testing.backends import BackendConformance as BackendConformance
    from mixstore.testing.clock import Clock as Clock
    from mixstore.testing.conformance import Limits as Limits
    from mixstore.testing.extensions import ExtensionConformance as ExtensionConformance
    from mixstore.testing.tags import missing as missing
    from mixstore.testing.tags import needs as needs

_HOMES = {
    "BackendConformance": "backends",
    "Clock": "clock",
    "ExtensionConformance": "extensions",
    "Limits": "conformance",
    "missing": "tags",
    "needs": "tags",
}
__all__ = sorted(_HOMES)

pytest.register_assert_rewrite(
    *(f"mixstore.testing.{name}" for name in ("backends", "cases", "extensions", "support")),
    "mixstore_extensions.testing",
)


def __getattr__(name: str) -> Any:
    # the plugin lives in this package too, and must not bring hypothesis and all cases into everybody's test runs
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
