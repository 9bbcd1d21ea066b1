"""Data outlives configuration: what an extension wrote is read when it is not active any more, or in another order.

A row is readable then, whole and right; or reading it is an error that names the extension.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from pydantic import create_model

import mixstore
from mixstore import (
    Backend,
    BackendExtension,
    ConfigurationError,
    Declaration,
    Envelope,
    Field,
    Mixin,
    MixstoreError,
    Model,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import (
    TTL,
    Compressed,
    Counters,
    Encrypted,
    History,
    SoftDelete,
    Tenant,
    Timestamps,
    Versioned,
    tenant,
)
from mixstore_extensions._packing import not_ours, packers
from tests.backends.conftest import dynamodb
from tests.extensions.sealing import RING


class Turned(Mixin):
    """Stores text, bytes and JSON turned around: an extension of somebody else that replaces values."""

    Declares = Declaration(options={"turned": bool})

    class Turning(BackendExtension):
        def opaque(self, model_class):
            return dict.fromkeys(packers(self, "turned"), "residual")

        def serialize(self, data):
            for name, one in packers(self, "turned").items():
                if data[name] is not None:
                    data[name] = Envelope.of("turned", one.pack(data[name])[::-1])
            return data

        def deserialize(self, data):
            for name, one in packers(self, "turned").items():
                envelope = Envelope.read(data.get(name))
                if envelope is not None and envelope.owner == "turned":
                    data[name] = one.unpack(envelope.content[::-1])
                elif data.get(name) is not None:
                    raise not_ours(self, name, data[name])
            return data


PLAIN: dict[str, Any] = {
    one.__name__: one for one in (TTL, Versioned, Timestamps, History, SoftDelete, Tenant, Counters)
}
OPAQUE: dict[str, tuple[Any, str]] = {
    "Encrypted": (Encrypted, "encrypted"),
    "Compressed": (Compressed, "compressed"),
    "Turned": (Turned, "turned"),
}
LONG = "all work and no play " * 100
VALUES: dict[str, tuple[Any, Any]] = {
    "text": (str, LONG),
    "maybe": (str | None, LONG),
    "raw": (bytes, LONG.encode()),
    "many": (list[str], [LONG, LONG]),
    "free": (dict[str, Any], {"a": LONG, "b": [1, None]}),
    "any": (Any, {"a": LONG}),
    "number": (int, 10**15),
}


def model(mixins: tuple[str, ...], kind: str = "text", options: tuple[str, ...] | None = None) -> Any:
    """The entity `Kept` with these mixins, in this order, and a field of this kind that has their options."""
    told = [OPAQUE[name][1] for name in mixins if name in OPAQUE] if options is None else options
    bases = tuple(PLAIN.get(name) or OPAQUE[name][0] for name in mixins)
    keys = {"encryption": RING} if "Encrypted" in mixins else {}
    meta = type("Meta", (), {"__module__": __name__, "__qualname__": "Base.Meta", "abstract": True, **keys})
    base = type(Model)("Base", (*bases, Model), {"__module__": __name__, "__qualname__": "Base", "Meta": meta})
    return create_model(
        "Kept",
        __base__=base,
        __module__=__name__,
        id=(str, Field(primary_key=True)),
        n=(int, 0),
        value=(VALUES[kind][0], Field(**dict.fromkeys(told, True))),
    )


class Store:
    """A backend that can be started anew on what it holds, as by the next process, with another config."""

    def __init__(self, kind: str, request: pytest.FixtureRequest) -> None:
        self.kind = kind
        self.file = request.getfixturevalue("tmp_path") / "store.db"
        self.table = dynamodb(request) if kind == "dynamodb" else None
        self.backends: list[Backend] = []

    def started(self, cls: Any, **extensions: Any) -> Backend:
        """The backend with this config for its extensions; SQLite has its columns checked."""
        new: Any = self._made()
        if self.kind == "memory" and self.backends:
            new._tables = self.backends[-1]._tables  # type: ignore[attr-defined]
        self.backends.append(new)
        mixstore.configure(backends={"default": {"url": "memory://", "extensions": extensions}})
        new.config_name = "default"
        new.scan_policy = "allow"
        new.initialize(cls)
        cls.bind(new)
        return new

    def _made(self) -> Backend:
        if self.table is not None:
            return type(self.table)(self.table.table_name, client=self.table.transport.client)
        return InMemoryBackend() if self.kind == "memory" else SQLiteBackend(self.file, synchronous="off")


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def store(request):
    with mixstore.registry():
        made = Store(request.param, request)
        yield made
        for backend in made.backends:
            backend.close()


def written(cls: Any, kind: str = "text") -> list[tuple[str, int, Any]]:
    """Rows as they are stored: one that was created, one that was changed, one upserted, one deleted if that hides."""
    value = VALUES[kind][1]
    with tenant("acme"):
        cls.create(id="created", n=1, value=value)
        cls.create(id="changed", n=1, value=value).update(n=2)
        cls.upsert(id="upserted", n=3, value=value)
    return [("changed", 2, value), ("created", 1, value), ("upserted", 3, value)]


def found(cls: Any) -> list[tuple[str, int, Any]]:
    with tenant("acme"):
        rows = cls.where().order_by("id").all()
        assert [cls.get(row.id) for row in rows] == rows
    return [(row.id, row.n, row.value) for row in rows]


def outcome(store, cls: Any, **extensions: Any) -> tuple[list[tuple[str, int, Any]], str]:
    """The rows as they are read by a new process, or the text of the error, of which one is empty."""
    try:
        store.started(cls, **extensions)
        return found(cls), ""
    except MixstoreError as error:
        return [], str(error)


# -- extensions that add fields, conditions, rows beside


@pytest.mark.parametrize("name", PLAIN)
def test_rows_are_readable_without_the_mixin(store, name):
    before = model((name,))
    store.started(before)
    rows = written(before)
    after = model(())
    store.started(after)
    assert found(after) == rows
    after.get("created").update(n=9)
    assert after.create(id="later", value="x") == after.get("later")
    again = model((name,))
    store.started(again)
    with tenant("acme"):
        assert again.get("changed").n == 2
        read = again.get("created")
        assert read.n == 9
        read.update(n=10)
        assert again.get("created").n == 10


READABLE = ("Timestamps", "History")
"""What a config may switch off: of the rest the mixin is required, or the values are replaced."""


@pytest.mark.parametrize("name", [*PLAIN, *OPAQUE])
def test_rows_are_readable_with_the_extension_switched_off_or_that_is_an_error_that_names_it(store, name):
    before = model((name,))
    store.started(before)
    rows = written(before)
    after = model((name,))
    own = next(entry.name for entry in before.extensions())
    read, error = outcome(store, after, disable=[own])
    assert read == rows if name in READABLE else own in error


def test_rows_are_readable_when_nothing_is_audited_any_more(store):
    before = model(())
    store.started(before, apply=["audited"])
    rows = written(before)
    after = model(())
    store.started(after)
    assert found(after) == rows


# -- extensions that replace values


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("name", OPAQUE)
def test_replaced_values_are_right_or_an_error_that_names_the_extension(store, name, kind):
    before = model((name,), kind)
    store.started(before)
    rows = written(before, kind)
    read, error = outcome(store, model((), kind))
    if (name, kind) != ("Compressed", "number"):
        assert OPAQUE[name][1] in error
    elif store.kind != "sqlite":  # a number is too short to be compressed
        assert read == rows
    else:  # and nothing is there from which SQLite could tell for whom its column is
        assert "an extension that replaces its values" in error


ORDERS = [(one, other) for one, other in permutations(OPAQUE, 2)]


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("names", ORDERS, ids="-".join)
def test_values_replaced_twice_are_right_in_another_order_or_an_error_that_names_an_extension(store, names, kind):
    before = model(names, kind)
    store.started(before)
    rows = written(before, kind)
    assert found(before) == rows
    read, error = outcome(store, model(names[::-1], kind))
    assert any(OPAQUE[name][1] in error for name in names) if error else read == rows


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("names", ORDERS, ids="-".join)
def test_of_two_that_replaced_a_value_one_alone_reads_it_right_or_an_error_names_the_other(store, names, kind):
    before = model(names, kind)
    store.started(before)
    rows = written(before, kind)
    read, error = outcome(store, model(names[:1], kind))
    assert OPAQUE[names[1]][1] in error if error else read == rows


@pytest.mark.parametrize("name", ["Encrypted", "Compressed"])
def test_what_must_not_be_missing_can_not_be_switched_off(store, name):
    cls = model((name,))
    with pytest.raises(ConfigurationError, match=f"switches {OPAQUE[name][1]} off, which {name} requires"):
        store.started(cls, disable=[OPAQUE[name][1]])
