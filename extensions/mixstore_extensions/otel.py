"""A span of OpenTelemetry for each operation: a plugin, on where `MIXSTORE_OTEL=1` is set.

Needs the extra `otel`. Where spans go is for the application to say, with the SDK of OpenTelemetry.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry import trace

from mixstore import __version__, hookimpl

if TYPE_CHECKING:
    from mixstore.events import Event

NANOSECONDS = 1_000_000_000


@hookimpl
def mixstore_observe(event: Event) -> None:
    """A client span, child of the current one, that ends now and lasted as long as the operation."""
    end = time.time_ns()
    model = event.model.__name__
    span = trace.get_tracer("mixstore", __version__).start_span(
        f"{event.operation} {model}",
        kind=trace.SpanKind.CLIENT,
        start_time=end - int(event.seconds * NANOSECONDS),
        attributes={
            "db.system.name": event.backend,
            "db.operation.name": event.operation,
            "db.collection.name": model,
            "db.response.returned_rows": event.rows,
        },
    )
    if event.error is not None:
        span.set_attribute("error.type", type(event.error).__name__)
        span.set_status(trace.Status(trace.StatusCode.ERROR))  # without its text, which may hold data
    span.end(end)
