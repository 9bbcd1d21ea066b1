"""However many rows there are, no more than a page of them is in memory."""

from __future__ import annotations

import tracemalloc

import pytest

from mixstore import Field, Model, copy, export_lines, import_lines, verify
from mixstore_backends.sqlite import SQLiteBackend

FEW, MANY = 2_000, 12_000
ROW = 500
"""Bytes of a row, at least: MANY rows are 6 MB."""


class Wide(Model):
    id: int = Field(primary_key=True)
    text: str


def store(folder, name):
    return SQLiteBackend(folder / name, timeout=60, synchronous="off")


def peak(work):
    """How many bytes were taken at once, while the work was done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("sources"), {}
    for many in (FEW, MANY):
        made[many] = store(folder, f"{many}.db")
        made[many].initialize(Wide)
        made[many].batch_create(Wide, ({"id": number, "text": "x" * ROW} for number in range(many)))
    yield made
    for one in made.values():
        one.close()


def through_lines(source, other):
    assert import_lines(export_lines(Wide, backend=source), Wide, backend=other)[0].stored == source.count(Wide)


def copied(source, other):
    assert copy(Wide, source, other, verify=False)[0].stored == source.count(Wide)


def compared(source, other):
    assert verify(Wide, source, source).agrees


@pytest.mark.parametrize("work", [copied, compared, through_lines])
def test_six_times_the_rows_take_no_more_memory(sources, tmp_path, work):
    def used(many):
        with store(tmp_path, f"{many}.db") as other:
            other.initialize(Wide)
            return peak(lambda: work(sources[many], other))

    used(FEW)  # what is made once, at the first use
    (tmp_path / f"{FEW}.db").unlink()
    few, many = used(FEW), used(MANY)
    assert many - few < (MANY - FEW) * ROW / 10
