"""Every plain kind can be a key, alone or with others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mixstore import Field, Key, Model
from tests.backends.sqlite.models import (
    BYTES,
    DAYS,
    DECIMALS,
    HOURS,
    INTS,
    IPS,
    MOMENTS,
    SPANS,
    TEXTS,
    UIDS,
    URLS,
    Color,
    Level,
)

Use = Callable[..., Any]

KINDS: dict[str, list[Any]] = {
    "text": TEXTS, "int": INTS, "decimal": DECIMALS, "flag": [True, False], "bytes": BYTES, "moment": MOMENTS[:4],
    "day": DAYS, "hour": HOURS, "span": SPANS, "uid": UIDS, "color": list(Color), "level": list(Level), "ip": IPS,
    "url": URLS, "real": [0.0, 1.5, -1.5, 0.1, float("inf")],
}  # fmt: skip


def keyed(kind: type, *more: str) -> type[Model]:
    """A model with a key of this type, and of these text fields after it."""
    namespace: dict[str, Any] = {"__annotations__": {"key": kind, **dict.fromkeys(more, str), "size": int}, "size": 0}
    namespace.update({name: Field(primary_key=True) for name in ("key", *more)})
    namespace.update(__module__=__name__, __qualname__="Keyed")
    return type(Model)("Keyed", (Model,), namespace)  # type: ignore[return-value]


@pytest.mark.parametrize("name", KINDS)
def test_rows_are_found_changed_paged_and_deleted_by_their_key(use: Use, name: str) -> None:
    values = KINDS[name]
    model: Any = use(keyed(type(values[0])))
    model.batch_create([{"key": value} for value in values])
    assert [one.key for one in model.batch_get(values)] == values
    for value in values:
        one = model.get(value)
        one.size = 5
        one.save()
    paged, cursor = [], None
    while True:
        page = model.where(size=5).limit(2).cursor(cursor).paginate()
        paged += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert [one.key for one in paged] == [one.key for one in model.where().order_by("key").all()]
    assert {one.key for one in paged} == set(values)
    assert all(model.get(value).delete() for value in values)
    assert model.where().count() == 0


def test_a_key_of_two_fields_is_one_value_in_batches_too(use: Use) -> None:
    model: Any = use(keyed(int, "name"))
    pairs = [(number, name) for number in (1, 2) for name in ("a", "b")]
    model.batch_create([{"key": number, "name": name} for number, name in pairs])
    found = model.batch_get([(2, "a"), (3, "a"), (1, "b")])
    assert [one and (one.key, one.name) for one in found] == [(2, "a"), None, (1, "b")]
    model.upsert(key=1, name="a", size=9)
    assert model.get(key=1, name="a").size == 9
    assert model.where(key=1).count() == 2


def test_many_keys_are_read_at_once(use: Use) -> None:
    model: Any = use(keyed(str))
    model.batch_create([{"key": str(number)} for number in range(1500)])
    found = model.batch_get([str(number) for number in range(-10, 1600)])
    assert [one is not None for one in found] == [0 <= number < 1500 for number in range(-10, 1600)]


def test_a_key_that_no_row_can_hold_is_not_there(use: Use) -> None:
    model: Any = use(keyed(int))
    model.create(key=1)
    assert model.get(2**70) is None
    assert [one and one.key for one in model.batch_get([2**70, 1])] == [None, 1]


class Stop(Model):
    class Meta:
        key = Key(partition="LINE#{line}", sort="STOP#{number:06d}")

    line: str
    number: int
    name: str = ""


def test_the_order_of_a_rendered_sort_key_is_that_of_the_key_itself(use: Use) -> None:
    model: Any = use(Stop)
    model.batch_create([{"line": line, "number": n, "name": str(-n)} for line in "AB" for n in (9, 10, 100, 1)])
    asked = model.where(line="A").order_by("-number")
    assert [one.number for one in asked.limit(3).all()] == [100, 10, 9]
    assert [one.number for one in model.where(line="A", number__gt=1).order_by("number")] == [9, 10, 100]
    assert [one.name for one in model.where(line="A").order_by("name")] == ["-1", "-10", "-100", "-9"]
    told = asked.limit(1).explain()
    assert told.index == "primary key"
    assert 'ORDER BY "_sk" DESC' in told.request["sql"]
