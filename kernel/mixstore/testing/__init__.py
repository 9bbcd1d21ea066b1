"""What tests of applications, backends and extensions need: the extra `testing`.

The fixtures come by the pytest plugin (`mixstore_backend`, `mixstore_clock`); the rest is imported from here, what
needs hypothesis from `mixstore.testing.machine`.
"""

from __future__ import annotations

from mixstore.testing.clock import Clock
from mixstore.testing.faulty import (
    Disconnect,
    Duplicate,
    Fault,
    FaultyBackend,
    Injected,
    Partial,
    Request,
    Schedule,
    SlowPage,
    Throttle,
    TimeoutAfter,
    TimeoutBefore,
)
from mixstore.testing.ledger import Report, acheck_faults, check_faults
from mixstore.testing.plans import assert_no_scan, captured_plans, count_requests

__all__ = [
    "Clock",
    "Disconnect",
    "Duplicate",
    "Fault",
    "FaultyBackend",
    "Injected",
    "Partial",
    "Report",
    "Request",
    "Schedule",
    "SlowPage",
    "Throttle",
    "TimeoutAfter",
    "TimeoutBefore",
    "acheck_faults",
    "assert_no_scan",
    "captured_plans",
    "check_faults",
    "count_requests",
]
