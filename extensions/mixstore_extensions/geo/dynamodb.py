"""The index by which DynamoDB finds places: partitions of 156 km, and in each the rows in the order of their cells.

As in Amazon's Geo Library for DynamoDB (2013), a question becomes ranges of that order: cells that are near each other
mostly have texts that are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby, pairwise
from typing import Any

from mixstore.keyranges import KeyCondition, after_prefix
from mixstore_extensions.geo.cells import between, cell, cover, runs
from mixstore_extensions.geo.lookups import SPANS
from mixstore_extensions.geo.places import Point, Span

PARTITION, SORT = 3, 9
"""Letters of the cell that is the partition, 156 km wide, and of that which rows are sorted by, 5 m. Never to change:
stored rows have them."""
MOST_CELLS = 256
"""So many cells describe the place that a question asks for; the finest that are no more."""
MOST_PARTITIONS = 200
"""A question that touches more of them is no way to find rows."""
MOST_RANGES = 8
"""So many requests a question becomes, or one for each partition if these are more."""


def key(point: Point) -> tuple[str, str]:
    """Where a row is in the index: its partition and its place in the order there."""
    text = cell(point, SORT)
    return text[:PARTITION], text


def ranges(span: Span) -> list[KeyCondition] | None:
    """Where all points of a span are in the index; None if it touches too many partitions."""
    partitions = cover(span, PARTITION, MOST_PARTITIONS)
    if partitions is None:
        return None
    cells = next(found for length in range(SORT, 0, -1) if (found := cover(span, length, MOST_CELLS)) is not None)
    if len(cells[0]) <= PARTITION:
        return [KeyCondition(one) for one in sorted(partitions)]
    return [KeyCondition(first[:PARTITION], first, after_prefix(last)) for first, last in _joined(cells)]


def _joined(cells: list[str]) -> list[tuple[str, str]]:
    """The cells as few runs, none over two partitions: the shortest gaps are read as well, as far as that does not
    double what is read, and further only for there to be no more than MOST_RANGES.
    """
    parts = [list(some) for _, some in groupby(sorted(cells), lambda one: one[:PARTITION])]
    found = [run for some in parts for run in runs(some)]
    gaps = sorted(
        (between(one[1], other[0]), number)
        for number, (one, other) in enumerate(pairwise(found))
        if one[0][:PARTITION] == other[0][:PARTITION]
    )
    bridged, left = set[int](), len(cells)
    for gap, number in gaps:
        left -= gap
        if left >= 0 or len(found) - len(bridged) > MOST_RANGES:
            bridged.add(number)
    joined: list[tuple[str, str]] = []
    for number, (first, last) in enumerate(found):
        if number - 1 in bridged:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _asked(span_of: Callable[[Any], Span], operand: Any) -> list[KeyCondition] | None:
    return ranges(span_of(operand))


RANGES = {name: partial(_asked, span_of) for name, span_of in SPANS.items()}
"""The ranges of the index that a lookup asks for, by its operand."""
