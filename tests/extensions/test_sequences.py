"""Sequences: numbers that are given out once, and rows that are made when they are first added to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mixstore import (
    Backend,
    Field,
    Model,
    TransactionError,
    add_to,
)
from mixstore_extensions import Counters, Sequence
from tests.backends.shared.support import together


class Counted(Counters, Model):
    id: str = Field(primary_key=True)
    visits: int = 0
    stock: int = Field(10, ge=0, lt=20)
    weight: float = Field(0.0, le=10)
    price: Decimal = Decimal(0)
    part: Decimal = Field(Decimal(0), max_digits=4, decimal_places=2)
    even: int = Field(0, multiple_of=2)
    maybe: int | None = Field(None, ge=-1)
    title: str = ""


class Numbers(Sequence):
    pass


def test_a_sequence_counts_from_one_for_each_name(use):
    use(Numbers)
    assert [Numbers.next("invoices") for _ in range(3)] == [1, 2, 3]
    assert Numbers.next("orders") == 1


async def test_a_sequence_can_be_awaited(use):
    use(Numbers)
    assert [await Numbers.anext("invoices") for _ in range(2)] == [1, 2]


def test_threads_take_each_number_once_and_leave_no_gap(use):
    use(Numbers)
    taken = together(8, lambda number: [Numbers.next("invoices") for _ in range(20)])
    assert sorted(number for numbers in taken for number in numbers) == list(range(1, 161))


def test_no_number_is_taken_inside_a_transaction(use, backend: Backend):
    use(Numbers)
    with pytest.raises(TransactionError), backend.transaction():
        Numbers.next("invoices")
    assert Numbers.next("invoices") == 1


def test_or_create_makes_the_row_with_the_sum(use):
    use(Counted)
    row = add_to(Counted(id="a", title="new", stock=3), {"stock": 2}, or_create=True)
    assert (row.stock, Counted.get("a").stock, Counted.get("a").title) == (5, 5, "new")
    assert add_to(Counted(id="a"), {"stock": 2}, or_create=True).stock == 7
