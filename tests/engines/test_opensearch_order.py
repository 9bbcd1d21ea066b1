"""The order of values that OpenSearch sorts by a script or by other signs, asked of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Address, IPv6Interface, ip_address
from typing import Any

import pytest
from pydantic import IPvAnyAddress

from mixstore import Field, Model
from mixstore.comparing import comparable
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.opensearch import OpenSearchBackend, queries
from tests.engines.engines import Server
from tests.engines.opensearch_store import store

pytestmark = pytest.mark.filterwarnings("ignore::mixstore.ScanWarning")


class Odd(Model):
    id: int = Field(primary_key=True)
    price: Decimal | None = None
    raw: bytes | None = None
    ip: IPvAnyAddress | None = None
    ip6: IPv6Address | None = None
    net: IPv4Network | None = None
    face: IPv6Interface | None = None


def texts(make: Any, words: str) -> list[Any]:
    return [None, *map(make, words.split())]


def odd_values() -> dict[str, list[Any]]:
    """Values of each kind that no field of the mapping sorts as they are, None first."""
    digits = "0 1 -1 1.5 1.55 -1.5 -1.55 10 9 100 0.1 0.01 0.011 -0.01 -0.001 -0.0011 1e400 -1e-400 123456789.000000001"
    numbers = [Decimal(str(random.Random(n).uniform(-1000, 1000))) for n in range(20)]
    raw = [
        None,
        b"",
        b"\0",
        b"a",
        b"a\0",
        b"a\0\0",
        b"ab",
        b"b",
        b"\xff",
        b"\xfb\xef\xbe",
        b"\xff" * 3,
        bytes(range(9)),
    ]
    return {
        "price": [*texts(Decimal, digits), *numbers],
        "raw": raw,
        "ip": texts(ip_address, "10.0.0.9 9.255.0.1 10.0.0.10 ::1 :: ffff:: 1::2 ::ffff:1.2.3.4"),
        "ip6": texts(IPv6Address, "::1 :: 2001:db8::1 2001:db8::10 fe80::1 fe80::1%a fe80::1%b 1:2:3:4:5:6:7:8"),
        "net": texts(IPv4Network, "10.0.0.0/8 10.0.0.0/16 9.0.0.0/8 10.0.0.0/9 192.168.0.0/24"),
        "face": texts(IPv6Interface, "::1/128 ::1/64 ::2/8 fe80::1%a/64 fe80::1/64"),
    }


@pytest.fixture
def backend(opensearch: Server) -> Iterator[OpenSearchBackend]:
    """A backend with an index of its own."""
    with store(opensearch, prefix="order-") as made:
        Odd.bind(made)
        made.initialize(Odd)
        yield made
        Odd.bind(None)
        made.client.transport.perform_request("DELETE", "/order-*")


@pytest.mark.parametrize("field", ["price", "raw", "ip", "ip6", "net", "face"])
def test_values_that_no_field_sorts_come_in_the_order_of_the_reference(backend: OpenSearchBackend, field: str) -> None:
    values = odd_values()[field]
    random.Random(1).shuffle(values)
    rows = [{"id": n, field: value} for n, value in enumerate([*values, *values[:3]])]
    Odd.batch_create(rows)
    reference = InMemoryBackend()
    reference.batch_create(Odd, rows)
    for order in (field, f"-{field}"):
        asked, expected = Odd.where().order_by(order), reference.query(Odd).order_by(order).select("id").all()
        assert not any("sorted by mixstore" in note for note in asked.explain().notes)
        assert [{"id": row.id} for row in asked.all()] == expected
        assert asked.select("id").limit(7).offset(2).all() == expected[2:9]
        assert [{"id": row.id} for row in paged(asked, 4)] == expected


def paged(query: Any, size: int) -> list[Any]:
    """All rows, by cursors."""
    page = query.limit(size).paginate()
    rows = list(page)
    while page.cursor is not None:
        page = query.limit(size).cursor(page.cursor).paginate()
        rows += page
    return rows


def test_values_of_pages_read_at_a_point_in_time_are_sorted_too(
    backend: OpenSearchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 5)
    for field, values in odd_values().items():
        Odd.where().delete()
        Odd.batch_create([{"id": n, field: value} for n, value in enumerate(values)])
        found = [getattr(row, field) for row in Odd.where().order_by(field).all()]
        assert found[0] is None
        assert found[1:] == sorted(found[1:], key=comparable)
