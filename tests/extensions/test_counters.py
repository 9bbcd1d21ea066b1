"""Counters: additions inside the engine. Nobody's is lost, none goes out of bounds, and the rest of the row stays."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

import pytest

from mixstore import (
    Backend,
    Field,
    Model,
    NotFoundError,
    SchemaError,
    ValidationError,
    VersionConflictError,
    add_to,
)
from mixstore_extensions import TTL, Counters, Sequence, Timestamps, Versioned
from tests.backends.shared.support import NOON, together

THREADS = int(os.environ.get("MIXSTORE_TEST_THREADS", "8"))
TURNS = int(os.environ.get("MIXSTORE_TEST_TURNS", "100"))
"""With 16 and 500 it takes half a minute, or more on a slow disk."""


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


class Locked(Counters, Versioned, Timestamps, Model):
    id: str = Field(primary_key=True)
    visits: int = 0
    title: str = ""


class Expiring(Counters, TTL, Model):
    id: str = Field(primary_key=True)
    visits: int = 0


class Numbers(Sequence):
    pass


def test_an_increment_is_stored_and_shown(use):
    row = use(Counted).create(id="a")
    assert row.increment("visits").visits == 1
    assert row.increment("visits", by=4).visits == 5
    assert row.increment("visits", by=-7).visits == Counted.get("a").visits == -2


async def test_an_increment_can_be_awaited(use):
    row = use(Counted).create(id="a")
    assert (await row.aincrement("visits", by=3)).visits == Counted.get("a").visits == 3


def test_a_stale_instance_adds_to_what_is_stored_and_shows_it(use):
    first = use(Counted).create(id="a")
    second = Counted.get("a")
    first.increment("visits", by=10)
    assert second.increment("visits").visits == 11


def test_what_the_instance_holds_unsaved_stays_unsaved_and_can_be_saved_later(use):
    row = use(Counted).create(id="a", title="old")
    row.title = "new"
    row.increment("visits")
    assert (row.title, Counted.get("a").title) == ("new", "old")
    row.save()
    assert (Counted.get("a").title, Counted.get("a").visits) == ("new", 1)


def test_a_save_after_an_increment_writes_the_counter_of_nobody_else_back(use):
    row = use(Counted).create(id="a")
    row.increment("visits")
    Counted.get("a").increment("visits", by=5)
    row.update(title="x")
    assert Counted.get("a").visits == 6


def test_an_increment_leaves_alone_what_others_changed(use):
    row = use(Counted).create(id="a", title="old")
    Counted.get("a").update(title="theirs")
    row.increment("visits")
    assert Counted.get("a").title == "theirs"


def test_a_new_instance_stands_for_the_row_of_its_key(use):
    use(Counted).create(id="a", title="stored", visits=4)
    row = Counted(id="a").increment("visits")
    assert (row.visits, row.title) == (5, "stored")


def test_a_row_that_is_not_there_is_not_found(use):
    row = use(Counted).create(id="a")
    row.delete()
    with pytest.raises(NotFoundError):
        row.increment("visits")
    with pytest.raises(NotFoundError):
        Counted(id="b").increment("visits")


def test_floats_add_as_floats(use):
    row = use(Counted).create(id="a", weight=0.5)
    assert row.increment("weight", by=2).weight == 2.5
    assert type(Counted.get("a").weight) is float


def test_decimals_are_never_rounded(use):
    row = use(Counted).create(id="a", price=Decimal("12345678901234567890123456789.5"))
    row.increment("price", by=Decimal("0.000000000001"))
    assert row.price == Counted.get("a").price == Decimal("12345678901234567890123456789.500000000001")
    assert row.increment("price", by=1).price == Decimal("12345678901234567890123456790.500000000001")


def test_none_counts_as_zero(use):
    row = use(Counted).create(id="a")
    with pytest.raises(ValidationError):
        row.increment("maybe", by=-2)
    assert row.increment("maybe", by=-1).maybe == Counted.get("a").maybe == -1


def test_bounds_hold_on_the_stored_row_and_not_on_what_the_instance_shows(use):
    row = use(Counted).create(id="a")
    stale = Counted.get("a")
    row.increment("stock", by=-10)
    with pytest.raises(ValidationError, match="stock would become -1, and must be ge 0") as caught:
        stale.increment("stock", by=-1)
    assert caught.value.field == "stock"
    assert Counted.get("a").stock == 0
    assert row.increment("stock", by=19).stock == 19
    stale.increment("stock", by=-10)
    assert row.increment("stock", by=10).stock == 19
    with pytest.raises(ValidationError, match="would become 20, and must be lt 20"):
        stale.increment("stock")


def test_bounds_of_floats_hold_to_the_last_bit(use):
    row = use(Counted).create(id="a", weight=9.9)
    with pytest.raises(ValidationError):
        row.increment("weight", by=0.2)
    row.increment("weight", by=0.1)
    assert Counted.get("a").weight <= 10


def test_constraints_of_other_kinds_hold_too(use):
    row = use(Counted).create(id="a", part=Decimal("99.5"))
    with pytest.raises(ValidationError):
        row.increment("even", by=1)
    assert row.increment("even", by=2).even == 2
    with pytest.raises(ValidationError):
        row.increment("part", by=Decimal("0.5"))
    assert row.increment("part", by=Decimal("0.25")).part == Counted.get("a").part == Decimal("99.75")


def test_a_number_that_the_engine_cannot_hold_is_refused(backend, use):
    row = use(Counted).create(id="a", visits=2**63 - 1)
    if backend.backend_name == "memory":
        assert row.increment("visits").visits == 2**63
        return
    stale = Counted.get("a")
    for one in (row, stale):
        with pytest.raises(ValidationError) as caught:
            one.increment("visits")
        assert caught.value.field == "visits"
    assert Counted.get("a").visits == 2**63 - 1


def test_an_unknown_field_is_told_with_the_nearest_number(use):
    row = use(Counted).create(id="a")
    with pytest.raises(ValidationError, match=r"(?s)'visit'.*did you mean 'visits'"):
        row.increment("visit")
    with pytest.raises(ValidationError, match="no field None"):
        row.increment(None)


@pytest.mark.parametrize(
    ("field", "by"),
    [
        ("title", 1),
        ("id", 1),
        ("visits", 1.5),
        ("visits", True),
        ("visits", "1"),
        ("weight", float("inf")),
        ("weight", Decimal(1)),
        ("price", 0.1),
        ("price", Decimal("NaN")),
    ],
)
def test_what_can_not_be_added_is_refused_with_the_field(use, field: str, by: Any):
    row = use(Counted).create(id="a")
    with pytest.raises(ValidationError) as caught:
        row.increment(field, by=by)
    assert caught.value.field == field


def test_a_model_without_a_number_is_refused_when_it_is_bound(use):
    class Bare(Counters, Model):
        id: str = Field(primary_key=True)
        on: bool = False

    with pytest.raises(SchemaError, match="nothing to count"):
        use(Bare)


def test_two_fields_grow_together_or_not_at_all(use):
    row = use(Counted).create(id="a")
    add_to(row, {"visits": 1, "stock": -1})
    assert (row.visits, row.stock) == (1, 9)
    with pytest.raises(ValidationError):
        add_to(row, {"visits": 1, "stock": -10})
    assert (Counted.get("a").visits, Counted.get("a").stock) == (1, 9)


def test_an_increment_moves_updated_at(use, clock):
    row = use(Locked).create(id="a")
    clock.forward(hours=1)
    row.increment("visits")
    assert row.updated_at == Locked.get("a").updated_at == clock.now
    assert row.created_at == NOON


def test_an_increment_asks_for_no_version_and_counts_on(use):
    row = use(Locked).create(id="a")
    stale = Locked.get("a")
    row.increment("visits")
    stale.increment("visits")
    assert (Locked.get("a").visits, Locked.get("a").version) == (2, 3)


def test_an_increment_does_not_make_an_instance_pass_a_lock_that_it_should_not(use):
    row = use(Locked).create(id="a")
    Locked.get("a").update(title="theirs")
    row.increment("visits")
    row.title = "mine"
    with pytest.raises(VersionConflictError):
        row.save()
    assert Locked.get("a").title == "theirs"


def test_an_instance_that_nobody_overtook_can_be_saved_after_an_increment(use):
    row = use(Locked).create(id="a")
    row.increment("visits")
    row.update(title="mine")
    assert (Locked.get("a").title, Locked.get("a").version) == ("mine", 3)


def test_an_expired_row_is_not_found(use, clock):
    row = use(Expiring).create(id="a", expires_in=60)
    clock.forward(seconds=61)
    for one in (row, Expiring(id="a")):
        with pytest.raises(NotFoundError):
            one.increment("visits")


def test_a_transaction_adds_at_its_end_and_then_shows_the_sum(use, backend: Backend):
    use(Counted)
    rows = [Counted.create(id="a"), Counted.create(id="b")]
    Counted.get("a").increment("visits", by=5)
    with backend.transaction():
        for row in rows:
            row.increment("visits")
        assert rows[0].visits == 0
    assert [row.visits for row in rows] == [6, 1]


def test_a_transaction_with_an_increment_out_of_bounds_stores_nothing(use, backend: Backend):
    row = use(Counted).create(id="a")

    def spend() -> None:
        with backend.transaction():
            Counted.create(id="b")
            row.increment("stock", by=-11)

    with pytest.raises(ValidationError):
        spend()
    assert Counted.get("b") is None
    assert (row.stock, Counted.get("a").stock) == (10, 10)


def test_an_abandoned_transaction_adds_nothing(use, backend: Backend):
    row = use(Counted).create(id="a")

    def give_up() -> None:
        with backend.transaction():
            row.increment("visits")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        give_up()
    assert (row.visits, Counted.get("a").visits) == (0, 0)


def test_threads_that_increment_one_row_lose_nothing(use):
    use(Locked).create(id="a")

    def work(number: int) -> int:
        row = Locked.get("a")
        for _ in range(TURNS):
            row.increment("visits")
        return row.visits

    seen = together(THREADS, work)
    assert max(seen) == Locked.get("a").visits == THREADS * TURNS
    assert Locked.get("a").version == THREADS * TURNS + 1


def test_threads_never_take_more_than_there_is(use):
    use(Counted).create(id="a")

    def work(number: int) -> int:
        taken = 0
        for _ in range(5):
            try:
                Counted.get("a").increment("stock", by=-1)
                taken += 1
            except ValidationError:
                pass
        return taken

    assert sum(together(4, work)) == 10
    assert Counted.get("a").stock == 0
