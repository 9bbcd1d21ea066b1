"""Random work at a real engine: beside the reference, under faults, and on the guards of unique values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixstore.testing import check_faults
from mixstore.testing.machine import Column, run_differential
from mixstore.testing.subject import COLUMNS
from mixstore_backends.memory import InMemoryBackend
from mixstore_extensions import History, Timestamps, Versioned
from tests.backends.guarded.test_steps import run, step
from tests.backends.shared.support import examples
from tests.backends.test_differential import BRINGS, PAIR, SUBSETS, times
from tests.engines.on_dynoxide import Dynoxide

HELD: dict[str, Column] = {
    **COLUMNS,
    # no infinity, nothing beyond 1e126; and no whole float where no type says that it is one
    "real": COLUMNS["real"]._replace(values=[None, 0.0, 1.0, -1.5, 1e100, 1e-100, 0.1]),
    "price": COLUMNS["price"]._replace(values=[None, Decimal("0"), Decimal("1.5"), Decimal("10"), Decimal("-1E-30")]),
    "free": COLUMNS["free"]._replace(values=[None, 0, 1, True, "1", 1.5, [1], {"a": 1}, {"a": {"b": None}}]),
}
MIXINS: list[tuple[type, ...]] = [(), (Versioned,), (Versioned, History), (Timestamps,), (History,)]

pytestmark = pytest.mark.usefixtures("dynoxide")


@pytest.mark.parametrize("key", ["one", "two"])
def test_the_engine_agrees_with_the_reference_on_a_model_without_mixins(key):
    run_differential(Dynoxide, examples=times(6), columns=HELD, **({"key": PAIR} if key == "two" else {}))


@pytest.mark.parametrize("name", BRINGS)
def test_the_engine_agrees_with_the_reference_on_a_mixin(name):
    run_differential(Dynoxide, examples=times(2), columns=HELD, mixins=[BRINGS[name]])


@pytest.mark.parametrize("names", SUBSETS[:4], ids="-".join)
def test_the_engine_agrees_with_the_reference_on_mixins_together(names: list[str]) -> Any:
    run_differential(Dynoxide, examples=times(1), columns=HELD, mixins=[BRINGS[name] for name in names], key=PAIR)


@pytest.mark.parametrize("mixins", MIXINS, ids=lambda mixins: "-".join(one.__name__ for one in mixins) or "plain")
def test_under_faults_nothing_is_lost_and_nothing_doubled(tables, mixins):
    for seed in range(times(3)):
        report = check_faults(tables(), seed=seed, mixins=mixins)
        assert report.acknowledged > 5
        assert sum(report.injected.values()) > 0


@examples(15)
@given(steps=st.lists(step, min_size=4, max_size=14))
def test_guards_are_those_of_the_rows_and_as_good_as_a_unique_index(steps: list[Any]) -> None:
    backend = Dynoxide()
    try:
        assert run(backend, steps, guarded=True) == run(InMemoryBackend(), steps, guarded=False)
    finally:
        backend.close()
