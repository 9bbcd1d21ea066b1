"""Counters beside extensions and hooks, and on engines that can do less."""

from __future__ import annotations

import pytest

from mixstore import (
    Add,
    Backend,
    BackendExtension,
    Capability,
    ConflictError,
    Field,
    HookError,
    Mixin,
    Model,
    SideWrite,
    UnsupportedOperationError,
    VersionConflictError,
    WriteChange,
    add_to,
    before_save,
)
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import Counters, Timestamps, Versioned


class Locked(Counters, Versioned, Timestamps, Model):
    id: str = Field(primary_key=True)
    visits: int = 0
    title: str = ""


class Entry(Model):
    id: str = Field(primary_key=True)
    visits: int


class Journaled(Mixin):
    class Journal(BackendExtension):
        def side_models(self, model_class):
            return (Entry,)

        def before_write(self, context):
            visits = context.values["visits"]
            return WriteChange(side_writes=(SideWrite("create", Entry(id=f"{context.key}{visits}", visits=visits)),))


class Told(Counters, Journaled, Model):
    id: str = Field(primary_key=True)
    visits: int = 0


class Ranked(Mixin):
    class Ranking(BackendExtension):
        def serialize(self, data):
            return {**data, "_rank": f"RANK#{data['visits']:05d}"}

        def deserialize(self, data):
            del data["_rank"]
            return data


class Indexed(Counters, Ranked, Versioned, Model):
    id: str = Field(primary_key=True)
    visits: int = 0


def test_rows_beside_the_row_are_made_of_the_sum_that_is_stored(use):
    use(Told, Entry)
    row = Told.create(id="a")
    Told.get("a").increment("visits")
    assert row.increment("visits").visits == 2
    assert sorted(entry.visits for entry in Entry.all()) == [0, 1, 2]


def test_attributes_that_follow_from_a_counter_follow_what_is_stored(use, backend: Backend):
    row = use(Indexed).create(id="a")
    Indexed.get("a").increment("visits")
    assert row.increment("visits").visits == 2
    stored = backend.bound(Indexed)
    (raw,) = backend.execute(backend.compile_get(stored, [("a",)]))
    assert stored.stored_of(raw)["_rank"] == "RANK#00002"
    row.visits = 7
    with pytest.raises(VersionConflictError):
        row.save()


def test_a_hook_that_sets_a_field_which_is_added_to_is_an_error(use):
    class Clamped(Counters, Model):
        id: str = Field(primary_key=True)
        visits: int = 0

        @before_save
        def clamp(self, context):
            self.visits = min(self.visits, 1)

    row = use(Clamped).create(id="a")
    row.increment("visits")
    with pytest.raises(HookError, match="visits is being added to, and a hook set it"):
        row.increment("visits")


def test_an_extension_may_add_only_where_something_is_added(use):
    class Eager(Mixin):
        class Adding(BackendExtension):
            def before_write(self, context):
                return WriteChange({"visits": Add(1)})

    class Greedy(Eager, Model):
        id: str = Field(primary_key=True)
        visits: int = 0

    with pytest.raises(HookError):
        use(Greedy).create(id="a")


class Plain(InMemoryBackend):
    """An engine that does not declare that it adds."""

    backend_name = "plain"
    capabilities = InMemoryBackend.capabilities & ~Capability.ADD


def test_an_engine_that_cannot_add_writes_under_the_condition_that_nothing_changed():
    backend = Plain()
    Locked.bind(backend)
    row = Locked.create(id="a")
    stale = Locked.get("a")
    row.increment("visits", by=2)
    assert stale.increment("visits").visits == 3
    (entry,) = [one for one in Locked.extensions() if one.name == "counters"]
    assert entry.fidelity == "emulated"
    Locked.bind(None)


def test_an_engine_without_conditions_is_refused():
    class Weak(Plain):
        capabilities = Capability.ATOMIC_WRITES

    class Free(Model):
        id: str = Field(primary_key=True)
        visits: int = 0

    Free.bind(Weak())
    row = Free.create(id="a")
    with pytest.raises(UnsupportedOperationError):
        add_to(row, {"visits": 1})


def test_contention_that_can_not_be_won_is_a_conflict():
    class Restless(Plain):
        """Another writer comes first each time."""

        def compile_writes(self, bound, writes):
            plan = super().compile_writes(bound, writes)
            other = bound.engine.compile_plain(bound, "update", ("a",), None, {"visits": Add(1)})
            return lambda: (other(), plan())[1] if writes[0].op == "update" else plan()

    class Busy(Counters, Model):
        id: str = Field(primary_key=True)
        visits: int = 0

    Busy.bind(Restless())
    row = Busy.create(id="a")
    with pytest.raises(ConflictError, match="changed under 5 attempts to add"):
        row.increment("visits")
    assert Busy.get("a").visits == 5
