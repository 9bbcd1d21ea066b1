"""A handler for services that hand over a storage's change feed, such as AWS Lambda."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from mixstore import ConfigurationError, MixstoreError
from mixstore_backends.composite.backend import CompositeBackend
from mixstore_backends.composite.following import bring, compile_all

_log = logging.getLogger("mixstore")


def composite_handler(backend: CompositeBackend) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """`handler(event, context)`, which copies the rows that an event tells of.

    It answers `batchItemFailures`: the first record whose row was not copied, so that the service hands over that and
    those after it again; for that, an event source mapping of AWS Lambda needs `ReportBatchItemFailures`.
    ConfigurationError for a composite that does not follow a feed.
    """
    feed = backend.feed
    if feed is None:
        raise ConfigurationError("this composite follows marks, and no feed", hint='follow="stream"')

    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        compile_all(backend)
        records = list(feed.delivered(event))
        told: dict[Any, Exception | None] = {}
        try:
            told = backend.drive(bring(backend, [one.change for one in records if one.change is not None]))
        except MixstoreError as error:
            _log.warning("%d records are to be handed over again: %s", len(records), error)
            told = {one.change: error for one in records if one.change is not None}
        for record in records:
            if record.change is not None and told.get(record.change) is not None:
                _log.warning("the row of record %s was not copied: %s", record.id, told[record.change])
                return {"batchItemFailures": [{"itemIdentifier": record.id}]}
        return {"batchItemFailures": []}

    return handler
