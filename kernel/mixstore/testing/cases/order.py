"""Rows come in the order asked for: None first, ties by the key, each kind by its meaning."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import HttpUrl

from mixstore import QueryError
from mixstore.testing.conformance import Conformance
from mixstore.testing.models import (
    SEVEN,
    Address,
    Color,
    IndexedThing,
    Level,
    Person,
    Thing,
)
from mixstore.testing.support import NOON, Use, ids, paged


def found(question: Any) -> str:
    """The ids in the order of the rows, as one text."""
    return "".join(ids(question.all()))


class OrderCases(Conformance):
    """Rows come in the order asked for: None first, ties by the key, each kind by its meaning."""

    @pytest.fixture
    def seven_people(self, use: Use) -> Any:
        """Seven seven_people, with ties and None."""
        use(Person)
        Person.batch_create(SEVEN)
        return Person

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            (["id"], "Bacefgé"),
            (["-id"], "égfecaB"),
            (["age"], "céaeBgf"),
            (["-age"], "fBgaecé"),
            (["age", "-id"], "écea" + "gBf"),
            (["city"], "Bfcegaé"),
            (["-city"], "éaegcfB"),
            (["city", "-age"], "Bfcgeaé"),
            (["-age", "city", "-id"], "fBgeacé"),
            (["home__city"], "Bacgéfe"),
            (["-home__city", "id"], "efBacgé"),
        ],
    )
    def test_rows_come_in_order_none_first_ties_by_key(
        self, seven_people: Any, order: list[str], expected: str
    ) -> None:
        assert found(seven_people.where().order_by(*order)) == expected

    def test_an_order_replaces_an_earlier_one(self, seven_people: Any) -> None:
        assert found(seven_people.where().order_by("-id").order_by("age", "id")) == "céaeBgf"

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("text", [None, "", "A", "Z", "a", "ab", "z", "é", "ﬀ", "𝔘", "\U0010ffff"]),
            ("number", [None, -(2**63), -1, 0, 9, 10, 2**53, 2**53 + 1, 2**63 - 1]),
            ("real", [None, float("-inf"), -1.5, 0.0, 5e-324, 0.1, 1e300, float("inf")]),
            (
                "price",
                [None, Decimal("-10"), Decimal("-9.5"), Decimal(0), Decimal("0.1"), Decimal(9), Decimal("10.01")],
            ),
            ("flag", [None, False, True]),
            ("raw", [None, b"", b"\0", b"a", b"a\0", b"b", b"\xff"]),
            ("moment", [None, *(NOON + timedelta(microseconds=n) for n in (-(10**16), -1, 0, 1, 10**6))]),
            ("day", [None, *(NOON.date() + timedelta(days=n) for n in (-700000, 0, 1))]),
            ("hour", [None, *(NOON.time().replace(microsecond=n) for n in (0, 1, 999999))]),
            ("span", [None, timedelta(days=-1), timedelta(0), timedelta(microseconds=1), timedelta(days=10000)]),
            ("uuid", [None, UUID(int=0), UUID(int=1), UUID(int=2**64), UUID(int=2**127)]),
            ("color", [None, Color.BLUE, Color.GREEN, Color.RED]),
            ("level", [None, Level.LOW, Level.HIGH]),
            ("ip", [None, "0.0.0.0", "9.0.0.1", "10.0.0.1", "200.0.0.0"]),
            ("site", [None, HttpUrl("http://b.org"), HttpUrl("https://a.org"), HttpUrl("https://a.org/x")]),
        ],
    )
    def test_every_plain_kind_orders_by_its_meaning(self, use: Use, field: str, values: list[Any]) -> None:
        use(Thing, IndexedThing)
        shuffled = sorted(range(len(values)), key=lambda n: (n * 7) % 5)
        for model in (Thing, IndexedThing):
            model.batch_create([{"id": n, field: values[n]} for n in shuffled])
            assert ids(model.where().order_by(field).all()) == list(range(len(values)))
            assert ids(model.where().order_by(f"-{field}").all()) == list(reversed(range(len(values))))
            assert paged(model.where().order_by(field), 2) == list(range(len(values)))
            assert paged(model.where().order_by(f"-{field}"), 3) == list(reversed(range(len(values))))

    @pytest.mark.parametrize(
        "name", ["agee", "-agee", "home__ctiy", "age__gt", "tags", "home", "notes", "notes__x", "", "-"]
    )
    def test_what_has_no_order_is_refused(self, seven_people: Any, name: str) -> None:
        with pytest.raises(QueryError):
            seven_people.where().order_by(name).all()

    def test_a_nested_model_has_no_order_of_its_own_but_its_fields_have(self, use: Use) -> None:
        use(Thing)
        Thing.batch_create(
            [{"id": 1, "address": Address(city="b")}, {"id": 2, "address": Address(city="a")}, {"id": 3}]
        )
        assert ids(Thing.where().order_by("address__city").all()) == [3, 2, 1]
        assert ids(Thing.where().order_by("-address__floor", "-address__city").all()) == [1, 2, 3]
