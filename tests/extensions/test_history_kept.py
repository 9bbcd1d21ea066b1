"""Which revisions are kept, and in which form: keys and values of every kind, fields that came later."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from mixstore import (
    Capability,
    ConfigurationError,
    CorruptRecordError,
    Field,
    Key,
    Model,
    SchemaError,
    ValidationError,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import History
from mixstore_extensions.history import StoredRevision
from tests.backends.shared.support import NOON
from tests.extensions.documents import Doc, titles, told

# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_write_removes_the_revisions_beyond_those_to_keep(use, backend):
    class Short(History, Model):
        class Meta:
            history_keep = 2

        id: str = Field(primary_key=True)
        title: str = ""

    doc = use(Short).create(id="a")
    for title in "bcd":
        doc.update(title=title)
    assert [one.number for one in Short.history("a")] == [4, 3]
    with pytest.raises(ValidationError):
        doc.update(title=5)
    assert backend.count(StoredRevision) == 2
    assert (Short.prune_history(), len(Short.history("a"))) == (0, 2)


def test_pruning_applies_a_lower_number_to_what_is_there(use, backend):
    use(Doc)
    for key in ("a", "b"):
        doc = Doc.create(id=key)
        for stars in range(1, 4):
            doc.update(stars=stars)

    class Fewer(History, Model):
        class Meta:
            entity = "Doc"
            history_keep = 3

        id: str = Field(primary_key=True)
        title: str = ""
        stars: int = 0
        tag: str | None = Field(None, unique=True)

    del backend._bounds[Doc]
    Doc.bind(None)
    use(Fewer)
    assert Fewer.prune_history() == 2
    assert [one.number for one in Fewer.history("a")] == [4, 3, 2]


def test_pruning_keeps_what_as_of_needs_for_the_time_that_is_kept(use, clock):
    class Aging(History, Model):
        class Meta:
            history_for = timedelta(days=30)

        id: str = Field(primary_key=True)
        title: str = ""

    doc = use(Aging).create(id="a", title="1")
    Aging.create(id="b")
    for title in ("2", "3"):
        clock.forward(days=20)
        doc.update(title=title)
    clock.forward(days=20)
    assert Aging.prune_history() == 1
    assert titles(Aging, "a") == ["2", "3"]
    assert Aging.as_of(clock.now - timedelta(days=30), "a").title == "2"
    assert len(Aging.history("b")) == 1


def test_the_history_of_a_row_that_was_deleted_long_ago_goes_whole(use, clock, backend):
    class Fading(History, Model):
        class Meta:
            history_for = timedelta(days=30)

        id: str = Field(primary_key=True)

    use(Fading).create(id="a").delete()
    clock.forward(days=29)
    assert Fading.prune_history() == 0
    clock.forward(days=2)
    assert (Fading.prune_history(), backend.count(StoredRevision)) == (2, 0)
    Fading.create(id="a")
    assert told(Fading, "a") == [(1, "create")]


@pytest.mark.parametrize(("key", "value"), [("history_keep", 0), ("history_keep", True), ("history_for", timedelta(0))])
def test_what_can_not_be_kept_is_refused_at_bind(key, value):
    class Odd(History, Model):
        id: str = Field(primary_key=True)

        class Meta:
            locals()[key] = value

    with pytest.raises(SchemaError, match=f"Odd.Meta.{key} must be"):
        InMemoryBackend().bound(Odd)


# -- keys, types, fields -----------------------------------------------------------------------------------------------


def test_rows_whose_keys_look_alike_have_histories_of_their_own(use):
    class Part(History, Model):
        class Meta:
            key = Key(partition="P#{a}", sort="S#{b}")

        a: str
        b: str
        n: int = 0

    class Pair(History, Model):
        a: str = Field(primary_key=True)
        b: int = Field(primary_key=True)

    use(Part, Pair)
    Part.create(a="x#y", b="z")
    Part.create(a="x", b="y#z")
    Part.get(a="x", b="y#z").update(n=1)
    Pair.create(a="1,2", b=3)
    Pair.create(a="1", b=23)
    assert [len(Part.history(a="x#y", b="z")), len(Part.history(a="x", b="y#z"))] == [1, 2]
    assert [len(Pair.history(("1,2", 3))), len(Pair.history(("1", 23))), len(Pair.history(("1", 3)))] == [1, 1, 0]


class Inner(BaseModel):
    when: date
    price: Decimal


class Wide(History, Model):
    id: UUID = Field(primary_key=True)
    raw: bytes = b"\xff\x00"
    at: datetime = NOON
    price: Decimal = Decimal("1.10")
    inner: Inner = Inner(when=date(2025, 1, 2), price=Decimal("3.5"))
    names: set[str] = {"b", "a"}
    deep: dict[str, list[Inner]] = {}
    free: Any = None
    lapse: timedelta = timedelta(microseconds=1)


def test_values_of_every_kind_come_back_as_they_were(use):
    key = UUID(int=5)
    wide = use(Wide).create(
        id=key, deep={"x": [Inner(when=date(2025, 1, 3), price=Decimal("9"))]}, free={"a": [1, None]}
    )
    assert Wide.history(key)[0].values == vars(wide)
    assert Wide.as_of(datetime.now(NOON.tzinfo), key) == wide


def test_a_field_that_came_later_has_its_default_in_old_revisions(use, backend):
    class Growing(History, Model):
        id: str = Field(primary_key=True)
        dropped: int = 1

    use(Growing).create(id="a")

    class Grown(History, Model):
        class Meta:
            entity = "Growing"

        id: str = Field(primary_key=True)
        added: list[str] = ["x"]

    del backend._bounds[Growing]
    Grown.bind(backend)
    assert Grown.history("a")[0].values == {"id": "a", "added": ["x"]}


def test_a_damaged_revision_is_named(use, backend):
    use(Doc).create(id="a", stars=1)
    (stored,) = backend.query(StoredRevision).all()
    stored.values["stars"] = "many"
    stored.save()
    with pytest.raises(CorruptRecordError, match=r"Doc\.stars of revision 1 does not decode"):
        Doc.history("a")


def test_a_backend_that_can_not_write_together_is_refused():
    class Loose(InMemoryBackend):
        capabilities = InMemoryBackend.capabilities & ~Capability.ATOMIC_WRITES

    with pytest.raises(ConfigurationError, match="'history' of Doc requires ATOMIC_WRITES"):
        Loose().bound(Doc)
