"""Every two mixins on one model, and all of them: what the tests of pairs share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

import mixstore
from mixstore import GSI, KEYS_ONLY, Backend, Field, Model, configure
from mixstore.registry import current
from mixstore_backends.memory import InMemoryBackend
from mixstore_backends.sqlite import SQLiteBackend
from mixstore_extensions import (
    TTL,
    AuditEntry,
    Compressed,
    Counters,
    Encrypted,
    Graph,
    History,
    SoftDelete,
    Tenant,
    Timestamps,
    Unique,
    Versioned,
    tenant,
    without_tenant,
)
from mixstore_extensions.guards import UniqueGuard
from mixstore_extensions.history.stored import StoredRevision
from tests.backends.conftest import dynamodb
from tests.backends.guarded.engines import GuardedMemory
from tests.backends.shared.support import Clock
from tests.extensions.sealing import RING

MIXINS: dict[str, Any] = {
    one.__name__: one
    for one in (TTL, Versioned, Timestamps, History, SoftDelete, Tenant, Encrypted, Compressed, Counters, Unique, Graph)
}
NAMES = (*MIXINS, "GSI", "audited")
PAIRS = tuple(combinations(NAMES, 2))
COMBINATIONS = (*PAIRS, NAMES, NAMES[::-1])
SECRET = "the name of the rose"
LONG = "spam and eggs, " * 100
"""Long enough to be compressed."""


@cache
def model_of(names: tuple[str, ...]) -> Any:
    """A model with these mixins, in this order; its fields use what they offer."""
    encrypted = {"encrypted": True} if "Encrypted" in names else {}
    compressed = {"compressed": True} if "Compressed" in names else {}
    keys: dict[str, Any] = {"encryption": RING} if encrypted else {}
    if "Unique" in names:
        keys["unique_together"] = [("stars", "code"), ("title", "seat")]
    if "GSI" in names:
        keys["indexes"] = [GSI("by_stars", partition="S#{stars:02d}", sort="{title}", projection=KEYS_ONLY)]
    meta = type("Meta", (), {"__module__": __name__, "__qualname__": "Base.Meta", "abstract": True, **keys})
    bases = tuple(MIXINS[name] for name in names if name in MIXINS)
    base = type(Model)("Base", (*bases, Model), {"__module__": __name__, "__qualname__": "Base", "Meta": meta})
    return create_model(
        "".join(names),
        __base__=base,
        __module__=__name__,
        id=(str, Field(primary_key=True)),
        title=(str, ""),
        stars=(int, Field(0, index=True)),
        code=(str | None, Field(None, unique=True)),
        seat=(str | None, None),
        secret=(str | None, Field(None, **encrypted)),
        body=(str, Field("", **compressed)),
        notes=(list[str], Field([], **encrypted, **compressed)),
    )


class World:
    """A model with its mixins on an empty backend."""

    def __init__(self, names: tuple[str, ...], backend: Backend, folder: Path) -> None:
        self.names = frozenset(names)
        self.model = model_of(names)
        self.backend = backend
        self.folder = folder
        self.clock = Clock()
        backend.clock = self.clock

    def has(self, *names: str) -> bool:
        return self.names.issuperset(names)

    def create(self, key: str, **values: Any) -> Any:
        return self.model.create(id=key, **values)

    def hidden(self) -> None:
        """Rows that must not be seen, each with values that would match: deleted, expired, another tenant's."""
        same = {"title": "x", "stars": 3, "body": LONG}
        self.create("h-deleted", **same).delete()
        if self.has("TTL"):
            self.create("h-expired", **same, expires_in=1)
        if self.has("Tenant"):
            with tenant("b"):
                self.create("h-other", **same)
        self.clock.forward(seconds=5)

    def told(self, key: str) -> list[str]:
        """The operation of each revision of a row, oldest first, whose numbers must have no gap."""
        found = self.model.history(key)[::-1]
        assert [one.number for one in found] == list(range(1, len(found) + 1))
        return [one.operation for one in found]

    def audited(self, key: str) -> list[str]:
        query = self.backend.query(AuditEntry).filter(entity=self.model.__name__, key=f'["{key}"]')
        return sorted(one.operation for one in query.all())

    def check(self, key: str, *operations: str) -> None:
        """The row's revisions and entries are those of these writes, and the last revision is the row."""
        if self.has("History"):
            assert self.told(key) == list(operations)
            row = self.model.get(key)
            if row is not None:
                newest = self.model.history(key)[0]
                assert not newest.deleted
                assert newest.values == vars(row)
        if self.has("audited"):
            assert self.audited(key) == sorted(operations)
        row = self.model.get(key)
        if row is not None and self.has("Versioned"):
            assert row.version == len(operations)
        if row is not None and self.has("Timestamps"):
            assert row.updated_at == self.clock.now

    def check_guards(self) -> None:
        """Each guard is of a row that has its values, or had them and is dead; none is missing."""
        guarded = {one.name for one in self.model.extensions() if one.state == "active"} & {"unique", "unique_together"}
        if not guarded:
            return
        groups = [("code",)] if "unique" in guarded else []
        groups += [("stars", "code"), ("title", "seat")] if "unique_together" in guarded else []
        wanted, dead = {}, set()
        with without_tenant():
            everything = self.model.where().option(include_expired=True, include_deleted=True).all()
        for row in everything:
            told = [(group, [getattr(row, name) for name in group]) for group in groups]
            held = {
                json.dumps([self.model.__name__, *group, one], separators=(",", ":"))
                for group, one in told
                if None not in one
            }
            if self.has("TTL") and row.expires_at is not None and row.expires_at <= self.clock.now:
                dead |= held
            else:
                wanted.update(dict.fromkeys(held, f'["{row.id}"]'))
        there = {guard.value: guard for guard in self.backend.query(UniqueGuard).all()}
        assert wanted == {value: guard.owner for value, guard in there.items() if value in wanted}
        assert all(guard.dies <= self.clock.now for value, guard in there.items() if value not in wanted)

    def bytes_of_store(self) -> bytes:
        """All that the store holds."""
        files = [one.read_bytes() for one in self.folder.iterdir()]
        return (
            b"".join(files)
            or repr(
                [
                    bound.stored_of(row)
                    for model in (self.model, StoredRevision, AuditEntry, UniqueGuard)
                    for bound in [self.backend.bound(model)]
                    for row in self.backend.execute(bound.engine.compile_query(bound, self.everything(model))).rows
                ]
            ).encode()
        )

    def everything(self, model: Any) -> Any:
        return self.backend.query(model).query


# -- fixtures ----------------------------------------------------------------------------------------------------------

BACKENDS: Any = {
    "memory": lambda folder: InMemoryBackend(),
    "sqlite": lambda folder: SQLiteBackend(folder / "store.db", timeout=60, synchronous="off"),
    "guarded": lambda folder: GuardedMemory(),
}


@pytest.fixture(scope="module", autouse=True)
def registry() -> Iterator[None]:
    with mixstore.registry():
        extensions = {"apply": ["audited"], "options": {"audited": {"values": True}}}
        configure(backends={"audited": {"url": "memory://", "extensions": extensions}})
        yield


def together_with(*needed: str) -> Any:
    """Runs a test for each combination that has one of these sets of mixins ("TTL", "History SoftDelete")."""
    return pytest.mark.together(*needed or ("",))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """For a module to take over, with the fixtures here."""
    everywhere = dict.fromkeys(BACKENDS, COMBINATIONS)
    on_backends(metafunc, {**everywhere, "dynamodb": [one for one in COMBINATIONS if len(one) > 2]})


def on_backends(metafunc: pytest.Metafunc, combinations: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
    """Have a test run on these backends, in a world for each of the combinations that have what it needs."""
    for mark in metafunc.definition.iter_markers("together"):
        chosen = [
            pytest.param((backend, names), id=f"{backend}-{told_of(names)}")
            for backend, some in combinations.items()
            for names in some
            if any(set(one.split()) <= set(names) for one in mark.args)
        ]
        metafunc.parametrize("world", chosen, indirect=True)


def told_of(names: tuple[str, ...]) -> str:
    """A combination in the name of a test."""
    if len(names) == 2:
        return "-".join(names)
    return "all" if names[0] == "TTL" else "all-reversed"


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    name, names = request.param
    backend = BACKENDS[name](tmp_path) if name in BACKENDS else request.getfixturevalue(f"{name}_backend")
    with backend:
        current().connect_as("audited" if "audited" in names else "plain", backend)
        made = World(names, backend, tmp_path)
        made.model.bind(backend)
        backend.initialize(made.model)
        with tenant("a"):
            yield made
            made.check_guards()
        made.model.bind(None)


@pytest.fixture
def dynamodb_backend(request: pytest.FixtureRequest) -> Backend:
    """The two models with everything are enough here; `tests/engines` has the pairs."""
    return dynamodb(request)


VALUES: Any = {"title": "x", "stars": 3, "code": "c", "secret": SECRET, "body": LONG, "notes": [SECRET, LONG]}
