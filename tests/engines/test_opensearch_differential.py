"""Random work on the reference and on OpenSearch, side by side: no difference may show."""

from __future__ import annotations

import random

import pytest

from mixstore.testing.machine import run_differential
from mixstore.testing.subject import COLUMNS
from tests.backends.test_differential import BRINGS, PAIR, times
from tests.engines.engines import Server
from tests.engines.opensearch_store import SETTINGS, ReusedIndexes

ALONE = sorted(BRINGS.keys() - {"History"})
"""The mixins that write one document only."""
PLAIN = {name: one for name, one in COLUMNS.items() if not one.options.get("unique")}
"""What has no guard beside it."""
SUBSETS = [random.Random(number).sample(ALONE, 2 + number % 3) for number in range(4)]


class EmptiedIndexes(ReusedIndexes):
    """Leaves nothing behind; made without arguments, as scripts that reproduce a difference do."""

    url = "http://localhost:9200"

    def __init__(self) -> None:
        super().__init__(hosts=[self.url], refresh="lazy", settings=SETTINGS)

    def close(self) -> None:
        self.empty()
        super().close()


@pytest.fixture(autouse=True)
def served(opensearch: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine is."""
    monkeypatch.setattr(EmptiedIndexes, "url", opensearch.url)


def test_it_agrees_with_the_reference_on_a_model_without_mixins() -> None:
    run_differential(EmptiedIndexes, examples=times(6), columns=PLAIN)


def test_it_agrees_with_the_reference_on_a_key_of_two_parts() -> None:
    run_differential(EmptiedIndexes, examples=times(3), columns=PLAIN, key=PAIR)


@pytest.mark.parametrize("names", SUBSETS, ids="-".join)
def test_it_agrees_with_the_reference_on_mixins_together(names: list[str]) -> None:
    run_differential(
        EmptiedIndexes, examples=times(2), columns=PLAIN, mixins=[BRINGS[name] for name in names], key=PAIR
    )
