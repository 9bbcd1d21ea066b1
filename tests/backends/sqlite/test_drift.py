"""Drift: the difference between a database and its models, told without writing to it."""

from __future__ import annotations

import hashlib

import pytest

from mixstore import GSI, BackendError, Field, Key, Model
from mixstore_backends.sqlite import SQLiteBackend
from tests.backends.sqlite.models import Everything
from tests.backends.sqlite.test_tables import item


def told(store, *models):
    return {one.what: (one.declared, one.real) for one in store.drift(*models)}


def test_what_initialize_has_made_has_no_drift(store):
    class Keyed(Model):
        class Meta:
            key = Key(partition="{a}", sort="{b}")
            indexes = [GSI("by_c", partition="{c}")]

        a: str
        b: str
        c: str = Field("", searchable=True)

    class Numbered(Model):
        id: int = Field(primary_key=True)
        name: str = Field("", unique=True, index=True)

    models = (Everything, Keyed, Numbered)
    store.initialize(*models)
    assert store.drift(*models) == []
    assert store.drift() == []
    with SQLiteBackend(":memory:") as memory:
        assert len(memory.drift(*models)) == 3
        memory.initialize(*models)
        assert memory.drift(*models) == []


def test_a_file_that_is_not_there_is_not_made(store, path):
    (one,) = store.drift(item(name=(str, "")))
    assert (one.what, one.declared, one.real, one.plan) == (
        "table Item",
        "id TEXT, name TEXT",
        "-",
        "initialize() makes it",
    )
    assert not path.exists()


def test_asking_changes_no_byte(store, path, ask):
    store.initialize(item(name=(str, "")))
    store.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with SQLiteBackend(path) as again:
        assert again.drift(item(name=(str, ""), more=(str, Field("", index=True)))) != []
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_columns_that_lack_and_columns_that_nobody_declares(store, ask):
    store.initialize(item(old=(str, ""), note=(str | None, None)))
    store.create(item(old=(str, ""), note=(str | None, None)), {"id": "a"})
    drift = {one.what: one for one in store.drift(item(new=(int, 0), must=int))}
    assert drift["column new of table Item"].plan == "initialize() adds it"
    assert (drift["column new of table Item"].declared, drift["column new of table Item"].real) == (
        "INTEGER NOT NULL",
        "-",
    )
    assert "constant default" in drift["column must of table Item"].plan
    assert drift["column note of table Item"].plan.startswith("leave it, or ALTER TABLE")
    assert set(drift) == {f"column {name} of table Item" for name in ("new", "must", "old", "note")}


def test_a_leftover_that_no_row_can_be_without_is_told_as_such(store):
    store.initialize(item(must=int))
    (one,) = store.drift(item())
    assert one.plan.startswith("no row can be stored: ALTER TABLE")


def test_types_and_nulls_are_compared(store):
    old = item(a=(str, ""), b=(str, ""), c=(str | None, None))
    store.initialize(old)
    store.create(old, {"id": "x"})
    drift = told(store, item(a=(int, 0), b=(str | None, None), c=(str, "")))
    assert drift == {
        "column a of table Item": ("INTEGER NOT NULL", "TEXT NOT NULL"),
        "column b of table Item": ("TEXT", "TEXT NOT NULL"),
        "column c of table Item": ("TEXT NOT NULL", "TEXT, and NULL in some rows"),
    }


def test_a_column_that_may_be_null_and_never_is_does_no_harm(store):
    old = item(c=(str | None, None))
    store.initialize(old)
    store.create(old, {"id": "x", "c": "there"})
    assert store.drift(item(c=(str, ""))) == []


def test_another_key_is_told(store, path):
    class Item(Model):
        id: str = Field("", primary_key=True)
        other: int = Field(0, primary_key=True)

    store.initialize(item(other=(int, 0)))
    with SQLiteBackend(path) as again:
        assert told(again, Item)["key of table Item"] == ("id, other", "id")


def test_indexes_are_compared_and_those_of_others_left_alone(store, ask):
    store.initialize(item(a=(str, Field("", index=True)), b=(str, Field("", index=True))))
    ask('CREATE INDEX mine ON "Item" (b)')
    drift = {one.what: one.plan for one in store.drift(item(a=(str, Field("", unique=True)), b=(str, "")))}
    assert drift == {
        "index ux_Item.a of table Item": "initialize() adds it",
        "index ix_Item.a of table Item": "initialize() drops it",
        "index ix_Item.b of table Item": "initialize() drops it",
    }


def test_search_is_compared(store):
    store.initialize(item(a=(str, Field("", searchable=True)), b=(str, "")))
    more = item(a=(str, Field("", searchable=True)), b=(str, Field("", searchable=True)))
    assert told(store, more) == {"search of table Item": ("a, b", "a")}
    none = item(a=(str, ""), b=(str, ""))
    assert told(store, none) == {"search of table Item": ("-", "a")}


def test_initialize_puts_right_what_it_says_that_it_does(store):
    store.initialize(item(a=(str, Field("", index=True))))
    changed = item(a=(str, ""), b=(str, Field("", index=True, searchable=True)))
    assert all("initialize()" in one.plan for one in store.drift(changed))
    store.initialize(changed)
    assert store.drift(changed) == []


def test_what_is_no_database_is_an_error(store, path):
    path.write_bytes(b"this is no database, whatever its name says" * 40)
    with pytest.raises(BackendError):
        store.drift(item())
