"""Geohash cells: the one that a point lies in, and those that cover a span.

By the geohash of G. Niemeyer (2008, in the public domain): the bits of longitude and latitude, interleaved from the
highest, five of them a letter. The cells of a length are a grid, and a cell lies in the one of each beginning of its
text.
"""

from __future__ import annotations

import math

from mixstore_extensions.geo.places import Point, Span

_LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"


def cell(point: Point, length: int) -> str:
    """The cell that a point lies in, as text of so many letters."""
    columns, rows = _grid(length)
    column = min(columns - 1, math.floor(_column(point.lon, columns)))
    return _text(column, _row(point.lat, rows), length)


def cover(span: Span, length: int, most: int) -> list[str] | None:
    """The cells that a span touches, or None if they are more than `most`."""
    columns, rows = _grid(length)
    south, north = _row(span.south, rows), _row(span.north, rows)
    west, east = math.floor(_column(span.west, columns)), math.floor(_column(span.east, columns))
    across = min(columns, east - west + 1)
    if across * (north - south + 1) > most:
        return None
    return [
        _text(column % columns, row, length) for row in range(south, north + 1) for column in range(west, west + across)
    ]


def runs(cells: list[str]) -> list[tuple[str, str]]:
    """Cells of one length as (first, last) of those that follow each other in the order of their texts."""
    found: list[tuple[str, str]] = []
    for one in sorted(cells):
        if found and _number(one) == _number(found[-1][1]) + 1:
            found[-1] = (found[-1][0], one)
        else:
            found.append((one, one))
    return found


def between(first: str, second: str) -> int:
    """How many cells of their length lie between two."""
    return _number(second) - _number(first) - 1


def _number(text: str) -> int:
    number = 0
    for letter in text:
        number = number << 5 | _LETTERS.index(letter)
    return number


def _grid(length: int) -> tuple[int, int]:
    """How many (columns, rows) of cells there are."""
    bits = 5 * length
    return 1 << (bits + 1) // 2, 1 << bits // 2


def _column(lon: float, columns: int) -> float:
    return (lon + 180) / 360 * columns


def _row(lat: float, rows: int) -> int:
    return max(0, min(rows - 1, math.floor((lat + 90) / 180 * rows)))


def _text(column: int, row: int, length: int) -> str:
    code = 0
    for place in range(5 * length):  # from the lowest bit; the highest is one of longitude
        if (5 * length - place) % 2:
            code |= (column & 1) << place
            column >>= 1
        else:
            code |= (row & 1) << place
            row >>= 1
    return "".join(_LETTERS[code >> 5 * place & 31] for place in reversed(range(length)))
