"""Records as the bytes of a cache, and back."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mixstore import Field, Model
from mixstore.checking import alike
from mixstore.envelopes import Envelope
from mixstore_backends.composite.entries import Entries
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.binary().map(lambda content: Envelope.of("encrypted", content))
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes().map(lambda moment: moment.replace(fold=0))
    | st.datetimes(timezones=st.just(timezone.utc)).map(lambda moment: moment.replace(fold=0))
    | st.dates()
    | st.times().map(lambda moment: moment.replace(fold=0))
    | st.timedeltas()
    | st.uuids()
)
HASHABLE = st.text() | st.integers() | st.binary() | st.decimals(allow_nan=False)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.sets(HASHABLE)
        | st.frozensets(HASHABLE)
        | st.dictionaries(st.text() | st.just("$"), inner)
        | st.dictionaries(HASHABLE, inner)
    ),
    max_leaves=8,
)


class Color(Enum):
    """No JSON."""

    RED = "red"


class Inner(BaseModel):
    """A model in a model."""

    at: datetime
    colors: list[Color]


class Record(Model):
    """Of types that stores of python values keep as they are."""

    id: str = Field(primary_key=True)
    color: Color = Color.RED
    inner: Inner | None = None
    many: dict[str, tuple[Color, int]] = {}


@pytest.fixture
def entries():
    return Entries(InMemoryBackend().bound(Record))


ENTRIES = Entries(InMemoryBackend().bound(Record))


@given(st.dictionaries(st.text(), VALUES))
def test_what_is_read_is_what_was_cached_down_to_its_types(values):
    record = {"id": "a", **values}
    told = ENTRIES.dumps("key", record)
    assert told is not None
    assert alike(ENTRIES.loads("key", told), record)


def test_values_of_classes_take_the_form_that_their_fields_have_as_json(entries):
    inner = Inner(at=datetime(2026, 1, 2, 3, 4, 5, 6, timezone.utc), colors=[Color.RED])
    record = {"id": "a", "color": Color.RED, "inner": inner, "many": {"one": (Color.RED, 1)}}
    told = entries.dumps("key", record)
    assert entries.loads("key", told) == record
    assert b"Color" not in told  # no name of a class


def test_a_record_with_a_value_that_is_of_no_known_type_is_not_cached(entries):
    assert entries.dumps("key", {"id": "a", "extra": Color.RED}) is None
    assert entries.dumps("key", {"id": "a", "extra": object()}) is None
    elsewhere = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert entries.dumps("key", {"id": "a", "extra": elsewhere}) is None


@given(st.data())
def test_bytes_that_are_damaged_or_of_another_key_are_none_of_a_record(data):
    told = ENTRIES.dumps("key", {"id": "a", "n": Decimal("1.50"), "at": date(2026, 1, 1), "b": b"\0", "t": time(1)})
    position = data.draw(st.integers(0, len(told) - 1))
    damaged = told[:position] + bytes([told[position] ^ (1 << data.draw(st.integers(0, 7)))]) + told[position + 1 :]
    assert ENTRIES.loads("key", damaged) is None
    assert ENTRIES.loads("key", told[:position]) is None
    assert ENTRIES.loads("another", told) is None


@pytest.mark.parametrize("body", [b"[1]", b"{", b'{"a":{"$":["no such tag",1]}}', b'{"a":{"$":1}}', b"\xff", b"null"])
def test_what_is_sealed_and_no_record_is_none_either(entries, body):
    from mixstore_backends.composite.entries import _digest

    assert entries.loads("key", _digest("key", body) + body) is None


def test_a_model_of_another_form_and_another_store_have_other_keys(tmp_path):
    def made(backend, annotation):
        class Changing(Model):
            id: UUID = Field(primary_key=True)
            n: annotation = 0

        return Entries(backend.bound(Changing)).key((UUID(int=1),))

    memory = made(InMemoryBackend(), int)
    assert memory == made(InMemoryBackend(), int)
    assert memory.startswith("Changing/")
    assert memory != made(InMemoryBackend(), float)
    assert memory != made(SQLiteBackend(tmp_path / "a.db"), int)


def test_long_keys_are_hashed(entries):
    one, other = entries.key(("a" * 5000,)), entries.key(("a" * 4999 + "b",))
    assert one != other
    assert len(one) < 200
