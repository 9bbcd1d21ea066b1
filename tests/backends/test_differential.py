"""Random work on the reference and on SQLite, side by side: no difference may show.

`MIXSTORE_TEST_EXAMPLES=20 pytest tests/backends/test_differential.py` tries twenty times as long.
"""

from __future__ import annotations

import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mixstore.testing.machine import Act, Brings, Column, run_differential
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import (
    TTL,
    Compressed,
    Counters,
    History,
    SoftDelete,
    Tenant,
    Timestamps,
    Versioned,
    tenant,
)
from tests.backends.shared.support import LONGER

BRINGS: dict[str, Brings] = {
    "TTL": Brings(
        TTL,
        arguments={"expires_in": [None, 5, 20, 0.5, -1]},
        options=["include_expired"],
        acts=[Act("purge_expired", of="class")],
    ),
    "Versioned": Brings(Versioned),
    "Timestamps": Brings(Timestamps),
    "SoftDelete": Brings(
        SoftDelete,
        options=["include_deleted"],
        acts=[Act("restore"), Act("purge_deleted", [[None, timedelta(seconds=10)]], of="class")],
    ),
    "History": Brings(History, acts=[Act("history", of="class", by_key=True), Act("revert", [[1, 2, 3]])]),
    "Tenant": Brings(Tenant, within=(tenant, ["acme", "globex"])),
    "Compressed": Brings(
        Compressed, columns={"body": Column(str, "", ["", "a", "spam and eggs, " * 99], {"compressed": True})}
    ),
    "Counters": Brings(
        Counters,
        columns={"hits": Column(int, 0, [0, 1, 2**40], {"ge": 0})},
        acts=[Act("increment", [["hits"], [1, 2, -1]])],
    ),
}
PAIR = {
    "group": Column(str, ..., ["g", "h"], {"primary_key": True}),
    "number": Column(int, ..., [1, 2, 10], {"primary_key": True}),
}
SUBSETS = [random.Random(number).sample(sorted(BRINGS), 2 + number % 4) for number in range(8)]


class OnDisk(SQLiteBackend):
    """A file in a folder of its own, which goes when it is closed."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        super().__init__(Path(self.folder.name) / "store.db", synchronous="off")

    def close(self) -> None:
        super().close()
        self.folder.cleanup()


def times(count: int) -> int:
    return max(1, int(count * LONGER))


def test_sqlite_agrees_with_the_reference_on_a_model_without_mixins():
    run_differential("sqlite://", examples=times(15))


def test_a_file_agrees_with_the_reference_on_a_key_of_two_parts():
    run_differential(OnDisk, examples=times(4), key=PAIR)


@pytest.mark.parametrize("name", BRINGS)
def test_sqlite_agrees_with_the_reference_on_a_mixin(name):
    run_differential("sqlite://", examples=times(3), mixins=[BRINGS[name]])


@pytest.mark.parametrize("names", SUBSETS, ids="-".join)
def test_sqlite_agrees_with_the_reference_on_mixins_together(names: list[str]) -> Any:
    run_differential("sqlite://", examples=times(3), mixins=[BRINGS[name] for name in names], key=PAIR)
