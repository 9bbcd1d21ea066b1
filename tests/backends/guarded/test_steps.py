"""Any writes in any order: after each, the guards are those of the rows, and memory's own unique index agrees."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore import Field, MixstoreError, Model
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import TTL, SoftDelete
from mixstore_extensions.guards import UniqueGuard
from tests.backends.guarded.engines import GuardedMemory, GuardedSQLite
from tests.backends.shared.support import Clock, examples


class Seat(SoftDelete, TTL, Model):
    class Meta:
        soft_delete_frees_unique = True

    id: str = Field(primary_key=True)
    code: str | None = Field(None, unique=True)
    place: int | None = Field(None, unique=True)


keys = st.sampled_from("abc")
values = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from(["x", "y", None]),
        "place": st.sampled_from([1, 2, None]),
        "expires_in": st.sampled_from([1, 3, None]),
    },
)
step = st.one_of(
    st.tuples(st.sampled_from(["create", "upsert", "update", "by query"]), keys, values),
    st.tuples(st.sampled_from(["delete", "restore", "removed"]), keys, st.just({})),
    st.tuples(st.sampled_from(["wait", "purge"]), st.just(""), st.just({})),
)


def take(model: Any, clock: Clock, verb: str, key: str, given_: dict[str, Any]) -> Any:
    """One step on one store; the kind of the error, or what came out that a caller can see."""
    try:
        match verb:
            case "create" | "upsert":
                getattr(model, verb)(id=key, **given_)
            case "update":
                row = model.get(key)
                return row if row is None else bool(row.update(**given_))
            case "by query":
                return model.where(id__gte=key).order_by("id").limit(1).update(**given_)
            case "delete":
                return model(id=key).delete()
            case "restore":
                model(id=key).restore()
            case "removed":
                return model.where(id=key).delete(physical=True)
            case "wait":
                clock.forward(seconds=1)
            case "purge":
                return model.purge_expired() + model.purge_deleted()
    except MixstoreError as error:
        return type(error).__name__, getattr(error, "field", None), error.key
    return None


def state(model: Any) -> list[dict[str, Any]]:
    """All rows that are there, seen or not."""
    return [dict(vars(row)) for row in model.include_deleted().include_expired().order_by("id").all()]


def live_guards(rows: list[dict[str, Any]], clock: Clock) -> dict[str, str]:
    """{value: owner} of the guards that must be there."""
    guards = {}
    for row in rows:
        if row["deleted_at"] is None and (row["expires_at"] is None or row["expires_at"] > clock.now):
            told = {
                f'["Seat","code",["{row["code"]}"]]': row["code"],
                f'["Seat","place",[{row["place"]}]]': row["place"],
            }
            guards.update({guard: f'["{row["id"]}"]' for guard, value in told.items() if value is not None})
    return guards


def check_guards(backend: Any, rows: list[dict[str, Any]], clock: Clock) -> None:
    """Each value of a live row is guarded; any other guard says that its row is dead."""
    wanted = live_guards(rows, clock)
    there = {guard.value: guard for guard in backend.query(UniqueGuard).all()}
    assert wanted == {value: guard.owner for value, guard in there.items() if value in wanted}
    assert all(guard.dies <= clock.now for value, guard in there.items() if value not in wanted)


def run(backend: Any, steps: list[Any], guarded: bool) -> list[Any]:
    backend.clock = clock = Clock()
    Seat.bind(backend)
    backend.initialize(Seat)
    told: list[Any] = []
    for verb, key, given_ in steps:
        outcome = take(Seat, clock, verb, key, given_)
        told.append((verb, key, given_, outcome, state(Seat)))
        if guarded:
            check_guards(backend, told[-1][-1], clock)
    Seat.bind(None)
    return told


@pytest.mark.parametrize("make", [GuardedMemory, lambda: GuardedSQLite(":memory:")], ids=["memory", "sqlite"])
@examples(150)
@given(steps=st.lists(step, min_size=4, max_size=14))
def test_guards_are_those_of_the_rows_and_as_good_as_a_unique_index(make: Any, steps: list[Any]) -> None:
    with make() as backend:
        assert run(backend, steps, guarded=True) == run(InMemoryBackend(), steps, guarded=False)
