"""`History` on OpenSearch, as on every other backend: the tests of its own, run on a node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mixstore_backends.opensearch import OpenSearchBackend
from tests.backends.conftest import clock, use
from tests.engines.engines import Server
from tests.engines.opensearch_store import SETTINGS, ReusedIndexes, store
from tests.extensions import test_history, test_history_kept, test_history_pruned, test_history_reads

__all__ = ["clock", "use"]

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")

ELSEWHERE = {
    "test_a_transaction_leaves_all_revisions_or_none",  # there are none
    "test_a_transaction_that_another_writer_overtakes_conflicts_at_the_commit",
    "test_a_revision_tells_who_acted",  # and in one, too
    "test_a_backend_that_can_not_write_together_is_refused",  # about another backend
    "test_what_was_sealed_is_not_read_without_the_extension_that_sealed_it",  # an index of another mapping
    "test_a_history_that_is_switched_off_stays_readable_and_goes_on_later",
}
for module in (test_history, test_history_kept, test_history_pruned, test_history_reads):
    told = {name: one for name, one in vars(module).items() if name.startswith("test_") and name not in ELSEWHERE}
    globals().update(told)


@pytest.fixture
def backend(opensearch: Server, request: pytest.FixtureRequest) -> Iterator[OpenSearchBackend]:
    """An empty backend."""
    if "came_later" in request.node.name:  # one index for two forms of a model
        with store(opensearch, prefix="later-") as made:
            yield made
            made.client.transport.perform_request("DELETE", "/later-*")
        return
    with ReusedIndexes(hosts=[opensearch.url], refresh="lazy", settings=SETTINGS) as made:
        yield made
        made.empty()
