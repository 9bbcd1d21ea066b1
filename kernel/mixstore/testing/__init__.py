"""What tests of applications, backends and extensions need: the extra `testing`. docs/testing.md tells how.

The fixtures come by the pytest plugin (`mixstore_backend`, `mixstore_clock`); the rest is imported from here, what
compares a backend with the reference from `mixstore.testing.machine`. `class TestMine(BackendConformance): ...` with a
fixture `backend` is a backend's whole test of the contract, `class TestMine(ExtensionConformance): ...` with a model
that of an extension.
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
    from mixstore.testing.faulty import Disconnect as Disconnect
    from mixstore.testing.faulty import Duplicate as Duplicate
    from mixstore.testing.faulty import Fault as Fault
    from mixstore.testing.faulty import FaultyBackend as FaultyBackend
    from mixstore.testing.faulty import Injected as Injected
    from mixstore.testing.faulty import Partial as Partial
    from mixstore.testing.faulty import Request as Request
    from mixstore.testing.faulty import Schedule as Schedule
    from mixstore.testing.faulty import SlowPage as SlowPage
    from mixstore.testing.faulty import Throttle as Throttle
    from mixstore.testing.faulty import TimeoutAfter as TimeoutAfter
    from mixstore.testing.faulty import TimeoutBefore as TimeoutBefore
    from mixstore.testing.ledger import Report as Report
    from mixstore.testing.ledger import acheck_faults as acheck_faults
    from mixstore.testing.ledger import check_faults as check_faults
    from mixstore.testing.plans import assert_no_scan as assert_no_scan
    from mixstore.testing.plans import captured_plans as captured_plans
    from mixstore.testing.plans import count_requests as count_requests
    from mixstore.testing.tags import missing as missing
    from mixstore.testing.tags import needs as needs

_HOMES = {
    "BackendConformance": "backends",
    "Clock": "clock",
    "Disconnect": "faulty",
    "Duplicate": "faulty",
    "ExtensionConformance": "extensions",
    "Fault": "faulty",
    "FaultyBackend": "faulty",
    "Injected": "faulty",
    "Limits": "conformance",
    "Partial": "faulty",
    "Report": "ledger",
    "Request": "faulty",
    "Schedule": "faulty",
    "SlowPage": "faulty",
    "Throttle": "faulty",
    "TimeoutAfter": "faulty",
    "TimeoutBefore": "faulty",
    "acheck_faults": "ledger",
    "assert_no_scan": "plans",
    "captured_plans": "plans",
    "check_faults": "ledger",
    "count_requests": "plans",
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
